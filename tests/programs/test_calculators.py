"""A calculator is found by name, says what it can do, and is identified by content."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.programs.calculators import load_labeller


def load(name: str, *, allow_import: bool = False, **kwargs):
    return load_labeller(CalculatorSettings(name=name, kwargs=kwargs, allow_import=allow_import))


def test_calculators_of_ase_are_known_by_their_name():
    labeller = load("lj", sigma=2.5, epsilon=0.1)
    assert isinstance(labeller.calculator, LennardJones)
    assert labeller.species is None
    assert set(load("emt").species) >= {"Al", "Cu", "Au"}


def test_the_settings_hash_depends_on_what_decides_a_label_and_on_nothing_else():
    first, again, other = load("lj", sigma=2.5), load("lj", sigma=2.5), load("lj", sigma=2.6)
    assert first.settings_hash == again.settings_hash != other.settings_hash
    assert load("lj", sigma=2.5, rc=8.0).settings_hash == load("lj", rc=8.0, sigma=2.5).settings_hash
    assert set(first.identity) == {"calculator", "kwargs", "version"}


def test_chgnet_is_identified_by_its_model_and_has_no_isolated_atoms():
    labeller = load("chgnet")
    assert labeller.identity["model"] == "0.3.0"
    assert labeller.settings_hash != load("chgnet", model_name="0.2.0").settings_hash
    assert "no energies of isolated atoms" in labeller.no_isolated_atoms
    assert {"Li", "P", "S", "Cl"} <= set(labeller.species)


def test_an_unknown_calculator_is_answered_with_the_known_ones():
    with pytest.raises(InvalidInput, match=r"There is no calculator 'chgent': known are chgnet, .*emt.*lj"):
        load("chgent")


def test_arguments_that_a_calculator_refuses_are_told():
    with pytest.raises(InvalidInput, match=r"'chgnet' takes model_name only, one of 0\.3\.0, 0\.2\.0, r2scan"):
        load("chgnet", model_name="0.9")
    with pytest.raises(InvalidInput, match="'lj' has no argument sigm: it has epsilon, rc, ro, sigma, smooth"):
        load("lj", sigm=2.5)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "chgnet.model.dynamics", None)
    with pytest.raises(MissingPackage, match=r"pip install 'aiida-seireact\[label\]'"):
        load("chgnet")
    with pytest.raises(MissingPackage, match=r"No module named 'not_installed'.*pip install not_installed"):
        load("not_installed.ase:Calculator", allow_import=True)


@pytest.fixture
def own_module(monkeypatch) -> ModuleType:
    module = ModuleType("own_calculators")
    module.good = lambda **kwargs: LennardJones(**kwargs)
    module.dictionary = lambda: {}
    module.refusing = lambda *, sigma: LennardJones(sigma=sigma)

    class NoStress(Calculator):
        implemented_properties = ("energy", "forces")

    module.no_stress = NoStress
    monkeypatch.setitem(sys.modules, "own_calculators", module)
    return module


@pytest.mark.usefixtures("own_module")
class TestImported:
    def test_a_factory_makes_the_calculator(self):
        labeller = load("own_calculators:good", allow_import=True, sigma=2.4)
        assert labeller.calculator.parameters["sigma"] == 2.4
        assert labeller.identity["calculator"] == "own_calculators:good"

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("own_calculators:bad", "has no 'bad'"),
            ("own_calculators:dictionary", "makes a dict, not a calculator of ASE"),
            ("own_calculators:refusing", "refuses its arguments {}"),
        ],
    )
    def test_what_is_no_calculator_is_refused(self, name: str, sentence: str):
        with pytest.raises(InvalidInput, match=sentence):
            load(name, allow_import=True)

    def test_a_calculator_without_stress_gives_no_labels(self):
        with pytest.raises(InvalidInput, match="gives no stress, but a label is energy, forces and stress"):
            load("own_calculators:no_stress", allow_import=True).require_labels()

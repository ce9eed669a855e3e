"""A calculator is found by name, says what it can do, and is identified by content."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.labellers import kind_of
from aiida_seireact.programs import compile as compile_program
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.science.structures import crystal
from tests.programs.conftest import crystal as small_crystal


def load(name: str, *, allow_import: bool = False, **kwargs):
    return load_labeller(CalculatorSettings(name=name, kwargs=kwargs, allow_import=allow_import))


def test_calculators_of_ase_are_known_by_their_name():
    labeller = load("lj", sigma=2.5, epsilon=0.1)
    assert isinstance(labeller.calculator, LennardJones)
    assert labeller.card.species is None
    assert set(load("emt").card.species) >= {"Al", "Cu", "Au"}


def test_the_settings_hash_depends_on_what_decides_a_label_and_on_nothing_else():
    first, again, other = load("lj", sigma=2.5), load("lj", sigma=2.5), load("lj", sigma=2.6)
    assert first.card.settings_hash == again.card.settings_hash != other.card.settings_hash
    assert load("lj", sigma=2.5, rc=8.0).card.settings_hash == load("lj", rc=8.0, sigma=2.5).card.settings_hash
    assert set(first.card.identity) == {"calculator", "kwargs", "version"}


def test_chgnet_is_identified_by_its_model_and_has_no_isolated_atoms():
    labeller = load("chgnet")
    assert labeller.card.identity["model"] == "0.3.0"
    assert labeller.card.settings_hash != load("chgnet", model_name="0.2.0").card.settings_hash
    assert "no energies of isolated atoms" in labeller.card.no_isolated_atoms
    assert {"Li", "P", "S", "Cl"} <= set(labeller.card.species)


def test_universal_potentials_are_told_to_be_stand_ins():
    assert load("chgnet").card.kind == "stand-in"
    assert load("emt").card.kind == "toy"
    assert "kind" not in load("chgnet").card.identity
    assert kind_of("7net-0").kind == kind_of("mace.calculators:mace_mp").kind == "stand-in"
    assert kind_of("espresso").kind == kind_of("my_package:make").kind == "unknown"


class TestXtb:
    def test_gfn1_gives_the_forces_its_energy_has(self):
        labeller = load("tblite")
        atoms = crystal("LiCl")
        atoms.rattle(0.05, seed=0)
        labeller.card.require_labels(stress=False)
        force = labeller.calculator.get_property("forces", atoms)[0, 0]
        energies = []
        for step in (1e-3, -1e-3):
            moved = atoms.copy()
            moved.positions[0, 0] += step
            labeller.calculator.reset()
            energies.append(labeller.calculator.get_property("energy", moved))
        # Finite difference of an energy converged to about 1e-7 eV.
        assert force == pytest.approx((energies[1] - energies[0]) / 2e-3, abs=2e-3)
        assert labeller.card.kind == "semi-empirical"

    def test_its_stress_is_refused_with_the_reason(self):
        with pytest.raises(InvalidInput, match=r"off by 1 to 8 GPa.*set acceptance\.stress to false"):
            load("tblite").card.require_labels()

    def test_gfn2_is_refused_with_the_reason(self):
        with pytest.raises(InvalidInput, match=r"GFN1-xTB only, not with GFN2-xTB: the electrons .* do not converge"):
            load("tblite", method="GFN2-xTB")

    def test_its_knobs_are_named(self):
        with pytest.raises(InvalidInput, match="has no argument verbosity here: it has method, accuracy"):
            load("tblite", verbosity=2)
        assert load("tblite").card.settings_hash != load("tblite", accuracy=0.1).card.settings_hash

    def test_it_is_installed_by_an_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "tblite.ase", None)
        with pytest.raises(MissingPackage, match=r"pip install 'aiida-seireact\[xtb\]'"):
            load("tblite")


class TestTrainedModel:
    def test_a_package_labels_and_is_known_by_its_content(self, trained, tmp_path):
        moved = tmp_path / "other_name.nequip.zip"
        moved.write_bytes(trained.package.read_bytes())
        labeller = load("nequip", allow_import=True, model=str(trained.package))
        again = load("nequip", allow_import=True, model=str(moved), model_hash=trained.outputs["model_hash"])
        assert labeller.card.identity["model"] == trained.outputs["model_hash"]
        assert labeller.card.settings_hash == again.card.settings_hash
        assert labeller.card.kind == "model"
        assert labeller.card.species == ("Li", "P", "S", "Cl")
        atoms = small_crystal()
        assert labeller.calculator.get_property("forces", atoms).shape == (len(atoms), 3)
        assert labeller.calculator.get_property("stress", atoms).shape == (6,)

    def test_another_model_than_asked_for_is_refused(self, trained):
        with pytest.raises(InvalidInput, match="not 0123 as asked for"):
            load("nequip", allow_import=True, model=str(trained.package), model_hash="0123")

    def test_a_model_compiled_for_lammps_is_refused(self, trained, compiled):
        with pytest.raises(InvalidInput, match="compiled for pair_allegro on cpu: compile the package with the target"):
            load("nequip", allow_import=True, model=str(trained.compiled))

    def test_loading_one_must_be_allowed_in_words(self):
        with pytest.raises(ValueError, match="loading it runs its machine code"):
            CalculatorSettings(name="nequip", kwargs={"model": "m.nequip.pt2"})

    def test_a_file_that_is_not_there_is_named(self):
        with pytest.raises(InvalidInput, match="There is no compiled model nothing.nequip.pt2"):
            load("nequip", allow_import=True, model="nothing.nequip.pt2")


def test_sevennet_is_a_stand_in_or_told_how_to_install():
    if find_spec("sevenn") is None:
        with pytest.raises(MissingPackage, match="pip install sevenn"):
            load("7net-0")
        return
    assert load("7net-0").card.kind == "stand-in"


def test_an_unknown_calculator_is_answered_with_the_known_ones():
    with pytest.raises(InvalidInput, match=r"There is no calculator 'chgent': known are chgnet, .*emt.*lj"):
        load("chgent")


def test_arguments_that_a_calculator_refuses_are_told():
    with pytest.raises(InvalidInput, match=r"'chgnet' takes model_name only, one of 0\.3\.0, 0\.2\.0, r2scan"):
        load("chgnet", model_name="0.9")
    with pytest.raises(InvalidInput, match="'lj' has no argument sigm: it has epsilon, rc, ro, sigma, smooth"):
        load("lj", sigm=2.5)


def test_a_program_that_ase_does_not_know_the_place_of_is_told():
    with pytest.raises(InvalidInput, match=r"'espresso' refuses its arguments.*espresso"):
        load("espresso")


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
        assert labeller.card.identity["calculator"] == "own_calculators:good"

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
            load("own_calculators:no_stress", allow_import=True).card.require_labels()
        load("own_calculators:no_stress", allow_import=True).card.require_labels(stress=False)


@pytest.mark.slow
def test_a_model_compiled_for_ase_labels_as_its_package(trained, tmp_path):
    job = CompileJob(target="ase", cache_dir=str(tmp_path / "inductor"))
    (tmp_path / "model.nequip.zip").write_bytes(trained.package.read_bytes())
    compile_program.run(job, tmp_path, lambda line: None)
    package, file = (
        load("nequip", allow_import=True, model=str(tmp_path / f"model.nequip.{end}")) for end in ("zip", "pt2")
    )
    assert package.card == file.card
    atoms = small_crystal()
    atoms.rattle(0.1, seed=0)
    for name, tolerance in (("energy", 1e-4), ("forces", 1e-4), ("stress", 1e-5)):
        # Single precision: another order of sums.
        assert file.calculator.get_property(name, atoms) == pytest.approx(
            package.calculator.get_property(name, atoms), abs=tolerance
        )

"""A mistake in the settings of a study is told when it is submitted, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from ase.build import bulk

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import PROGRAMS
from aiida_seireact.workchains.react import ReactWorkChain


def complaint(localhost: orm.Computer, overrides: dict[str, Any], **inputs: Any) -> str | None:
    """Return what is said about a study when its builder is made, or when it is submitted."""
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true") for name in PROGRAMS
    }
    try:
        builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    except ValueError as error:
        return str(error)
    given = {**builder._inputs(prune=True), **inputs}
    error = ReactWorkChain.spec().inputs.validate(given)
    return None if error is None else str(error)


@pytest.fixture
def localhost(aiida_localhost):
    return aiida_localhost


def test_the_protocol_itself_passes(localhost):
    assert complaint(localhost, {}) is None


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"train": {"settings": {"max_epoch": 3}}}, "max_epoch"),
        ({"produce": {"md": {"temperature": 300}}}, "temperature"),
        ({"classify": {"maxk": 1}}, "maxk"),
        ({"sampling": {"li2so4": {"count": 3}}}, "li2so4"),
        ({"dataset": {"fractions": [0.9, 0.1, 0.0]}}, "fractions"),
        ({"dataset": {"fractions": [0.9, 0.2, 0.2]}}, "sum to 1.3"),
        ({"references": {"phases": ["Li", "Li2O"]}}, "no reference crystal of Li2O"),
        ({"labeller_md": {"Li2S_300": {"task": "md", "md": {"steps": 20, "temperature_k": 300}}}}, "Li2S_300"),
        ({"engine": "seireact.label.abacus"}, "no labelling engine"),
        ({"batch_size": 0}, "at least one frame"),
        ({"label": {"task": "dance"}}, "dance"),
    ],
)
def test_each_mistake_is_told_by_name(overrides, words, localhost):
    assert words in complaint(localhost, overrides)


def test_a_production_cell_of_unknown_species_is_refused(localhost):
    cell = FramesData.from_ase([bulk("NaCl", "rocksalt", a=5.64)])
    assert "production holds Na" in complaint(localhost, {}, production=cell)


def test_a_production_cell_must_be_periodic(localhost):
    crystal = bulk("LiCl", "rocksalt", a=5.14)
    crystal.pbc = [True, True, False]
    assert "not periodic" in complaint(localhost, {}, production=FramesData.from_ase([crystal]))


def test_a_calculator_may_be_given_by_its_name_alone(localhost):
    assert complaint(localhost, {"calculator": "emt"}) is None

"""A mistake in the settings of a study is told when it is submitted, with what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.build import bulk

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd_qe import QeAimdWorkChain
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
        ({"validate": {"scorecard": {"lines": {"forces": {"test": "forces"}}}}}, "forces"),
        (
            {"validate": {"scorecard": {"lines": {"products": {"phases": ["Li2O"]}}}}},
            "Leave the line out (`validate.scorecard.lines.<name>: null`)",
        ),
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


def test_the_loop_may_be_closed(localhost):
    assert complaint(localhost, {"close_loop": {}}) is None
    assert complaint(localhost, {"close_loop": {"settings": {"unknown_limit": 0.1}}}) is None


def test_a_calculator_may_be_given_by_its_name_alone(localhost):
    assert complaint(localhost, {"calculator": "emt"}) is None


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"explore": {"conditions": {"interface_300": {"leg": {"call_threshold": 1.2}}}}}, "at most 1"),
        ({"explore": {"conditions": {"interface_300": {"leg": {"learn_threshold": 0.0}}}}}, "between 0 and 1"),
        ({"explore": {"conditions": {"interface_300": {"system": "Li"}}}}, "is of system 'Li'"),
        ({"explore": {"limits": {"max_failed": -1}}}, "max_failed"),
        ({"augment": {"train": {"settings": {"learning_rate": 1.0}}}}, "learning_rate"),
        ({"augment": {"select": {"n_blocks": 0}}}, "n_blocks"),
        ({"augment": {"extend": {"min_learned": -1}}}, "min_learned"),
        ({"close_loop": {"settings": {"unknown_limit": 2.0}}}, "unknown_limit"),
        ({"close_loop": {"select": {"runs": {"production": {"cut": {"core": 3.0}}}}}}, "cut.core"),
        ({"close_loop": {}, "augment": None}, "close_loop learns by the settings of `augment`"),
    ],
)
def test_mistakes_of_exploration_and_augmentation_too(overrides, words, localhost):
    assert words in complaint(localhost, overrides)


# A level of theory of another engine; its pseudopotentials are asked for when frames are labelled.
QE = {
    "engine": "seireact.label.qe",
    "batch_size": 20,
    "label": {"pseudo_family": "SG15", "species": ["Li", "P", "S", "Cl"], "kmesh": [{"length_ang": 10.0}]},
}
RUN = {"steps": 20, "temperature_k": 300.0, "thermostat": "andersen"}


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"md": RUN}, None),
        ({"task": "md", "md": RUN}, None),
        ({"md": {**RUN, "thermostat": "langevin"}}, "labeller_md: interface_300: .* the thermostat andersen here"),
        ({}, "labeller_md: interface_300: .* md: Field required"),
    ],
)
def test_md_of_the_labeller_is_checked_by_the_engine_that_labels(run, words, localhost):
    said = complaint(localhost, {**QE, "labeller_md": {"interface_300": run}})
    assert said is None if words is None else re.search(words, str(said))


def test_md_of_the_labeller_runs_at_the_level_of_the_labels(localhost):
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true").store()
        for name in (*PROGRAMS, "engine")
    }
    overrides = {**QE, "labeller_md": {"interface_300": {"md": RUN}}}
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    study = instantiate_process(get_manager().get_runner(), builder)
    start = FramesData.from_ase([bulk("LiCl", "rocksalt", a=5.14)])
    process, asked = study.md_of_labeller(start, builder.labeller_md["interface_300"])
    assert process is QeAimdWorkChain
    assert asked["code"].label == "engine"
    parameters = asked["parameters"].get_dict()
    assert {name: value for name, value in parameters.items() if name != "md"} == builder.label.get_dict()
    assert parameters["md"] == RUN


@pytest.mark.parametrize("stage", ["explore", "augment"])
def test_a_stage_is_left_out_by_null(stage, localhost):
    assert complaint(localhost, {stage: None}) is None


def test_a_condition_is_taken_out_by_null(localhost):
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true") for name in PROGRAMS
    }
    overrides = {"explore": {"conditions": {"interface_600": None}}}
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    assert sorted(builder.conditions) == ["Li6PS5Cl_300", "interface_300"]

"""What a study begins with: a plan, or a dataset; and how it ends where a stage refuses what it is given."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.extendeddicts import AttributeDict
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.science.structures import crystal, training_cell
from aiida_seireact.workchains.codes import PROGRAMS
from aiida_seireact.workchains.known_labels import known_level
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.react import ReactWorkChain
from aiida_seireact.workchains.sample import SampleWorkChain
from aiida_seireact.workchains.start import StartWorkChain
from tests.models import compiled_card

LEVEL = load_labeller(CalculatorSettings(name="emt")).card.settings_hash
SPECIES = ["Li", "P", "S", "Cl"]
AUTHOR = {"calculator": "emt"}


@pytest.fixture(scope="module")
def codes(program_code: Callable[..., orm.InstalledCode]) -> dict[str, orm.InstalledCode]:
    """Return the codes of a study, of the programs beside this Python."""
    return {name: program_code(name) for name in PROGRAMS}


def dataset(level: str = LEVEL, *, species: list[str] = SPECIES, config_type: str = "interface") -> DatasetData:
    """Return a dataset of four frames with made-up labels."""
    frames = made_up(4, level, species=species, config_type=config_type)
    return DatasetData([frames], [["train", "train", "val", "test"]])


def made_up(count: int, level: str = LEVEL, *, species: list[str] = SPECIES, config_type: str = "interface") -> Frames:
    """Return frames with made-up labels, each a group."""
    rng = np.random.default_rng(count)
    images = []
    for number in range(count):
        atoms = crystal("Li").repeat((2, 2, 1))
        atoms.symbols = [species[index % len(species)] for index in range(len(atoms))]
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        atoms.info.update(config_type=config_type, group=f"{config_type}-{number}")
        labels = {"energy": rng.normal(), "forces": rng.normal(size=(len(atoms), 3)), "stress": rng.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        images.append(atoms)
    return Frames.from_atoms(images, settings_hash=level)


def complaint(codes: dict[str, Any], overrides: dict[str, Any] | None = None, **inputs: Any) -> str | None:
    """Return what is said about a study when it is submitted."""
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides={**AUTHOR, **(overrides or {})})
    error = ReactWorkChain.spec().inputs.validate({**builder._inputs(prune=True), **inputs})
    return None if error is None else str(error.message)


def under_way(codes: dict[str, Any], overrides: dict[str, Any]) -> Any:
    """Return a study before its first step."""
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides={**AUTHOR, **overrides})
    return instantiate_process(get_manager().get_runner(), builder)


# ---------------------------------------------------------------- a dataset in place of the first set
def test_a_dataset_of_the_studys_elements_and_level_is_taken(codes: dict[str, Any]) -> None:
    assert complaint(codes, {"explore": None}, start_dataset=dataset()) is None


def test_a_dataset_of_other_elements_is_refused(codes: dict[str, Any]) -> None:
    said = complaint(codes, {"explore": None}, start_dataset=dataset(species=["Cu", "Al"]))
    assert said is not None
    assert said.startswith("start_dataset has no Cl, Li, P, S: it is of Al, Cu, the study of Cl, Li, P, S; ")


def test_a_dataset_of_another_level_of_theory_is_refused(codes: dict[str, Any]) -> None:
    said = complaint(codes, {"explore": None}, start_dataset=dataset("b" * 64))
    assert said is not None
    assert said.startswith(
        f"start_dataset was labelled with settings {'b' * 12}, but this study labels with {LEVEL[:12]}: "
    )


def test_a_level_that_nothing_tells_is_refused_with_a_way_to_tell_it(aiida_localhost: orm.Computer) -> None:
    elsewhere = {
        name: orm.InstalledCode(label=name, computer=aiida_localhost, filepath_executable="/opt/cluster/bin/program")
        for name in PROGRAMS
    }
    said = complaint(elsewhere, {"explore": None}, start_dataset=dataset())
    assert said is not None
    assert "label one of its frames with them by LabelWorkChain" in said


def test_a_calculator_that_is_none_is_told_by_its_own_sentence(codes: dict[str, Any]) -> None:
    said = complaint(codes, {"explore": None, "calculator": "emmt"}, start_dataset=dataset())
    assert said is not None
    assert said.startswith("label: ")
    assert "emmt" in said


def test_a_condition_whose_seeds_the_dataset_lacks_is_refused(codes: dict[str, Any]) -> None:
    said = complaint(codes, start_dataset=dataset(config_type="bulk"))
    assert said is not None
    assert "but start_dataset has bulk: name some of these under `seeds.types`" in said


def test_labels_in_the_profile_tell_the_level_of_a_program_elsewhere(
    aiida_localhost: orm.Computer, aiida_profile: Any
) -> None:
    code = orm.InstalledCode(label="far", computer=aiida_localhost, filepath_executable="/opt/far/bin/program").store()
    given = {"engine": orm.Str("seireact.label.ase"), "code": code, "parameters": orm.Dict({"of": "far"}).store()}
    assert known_level(given) is None
    node = orm.WorkChainNode(process_type="aiida.workflows:seireact.label.ase")
    for name in ("code", "parameters"):
        node.base.links.add_incoming(given[name], LinkType.INPUT_WORK, name)
    node.store()
    shard = FramesData(made_up(1, "c" * 64)).store()
    shard.base.links.add_incoming(node, LinkType.RETURN, "frames")
    node.set_exit_status(0)
    node.seal()
    assert known_level({**given, "parameters": orm.Dict({"of": "far"})}) == "c" * 64
    assert known_level({**given, "parameters": orm.Dict({"of": "another"})}) is None


def test_what_exploration_finds_is_added_to_the_dataset(codes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides={**AUTHOR, "explore": None})
    builder.start_dataset = given = dataset().store()
    study = instantiate_process(get_manager().get_runner(), builder)
    assert not study.should_sample()
    monkeypatch.setattr(study, "labelled", dict)
    assert study.join_labels() is study.inputs.start_dataset
    found = FramesData(made_up(5, config_type="explored")).store()
    monkeypatch.setattr(study, "labelled", lambda: {"explore": found})
    grown = study.join_labels()
    assert len(grown) == 9
    assert given.split_of().items() <= grown.split_of().items()


# ---------------------------------------------------------------- a plan
def test_a_plan_may_add_classes_to_the_frames_of_the_study(codes: dict[str, Any]) -> None:
    melt = {"kind": "melt_quench", "of": "LiCl", "n_atoms": 16}
    overrides = {**AUTHOR, "sampling": {"classes": [{"kind": "vacancy", "of": "Li2S"}, melt]}}
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    assert builder.sampling["li2s"]["count"] == 16
    assert builder.melt.get_dict() == {"calculator": {"name": "emt"}}
    given = builder._inputs(prune=True)
    assert ReactWorkChain.spec().inputs.validate(given) is None
    del given["melt"]
    assert "give the cheap engine as `melt`" in str(ReactWorkChain.spec().inputs.validate(given))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"sampling": {"classes": [{"kind": "isolated_atom"}]}}, "name them in `isolated_atoms`"),
        ({"relax": {"task": "label"}}, "sampling: relax: the task is 'label', set it to 'relax'"),
    ],
)
def test_what_the_first_set_can_not_be_made_of_is_refused(
    overrides: dict[str, Any], words: str, codes: dict[str, Any]
) -> None:
    assert words in str(complaint(codes, overrides))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("slab", "Li6PS5Cl"), "training holds no frame of type 'interface'"),
        (("interface",) * 2, "Two cells are named"),
    ],
)
def test_training_cells_have_names_of_their_own(names: tuple[str, ...], words: str, codes: dict[str, Any]) -> None:
    images = [training_cell(), crystal("LiCl")]
    for atoms, name in zip(images, names, strict=True):
        atoms.info.update(config_type=name, group=name)
    assert words in str(complaint(codes, {"explore": None}, training=FramesData.from_ase(images)))


# ---------------------------------------------------------------- refused by a stage, not by an exception
NEAR = {"contacts": {"pairs": {"Li-Li": 5.0}}}


def test_a_production_cell_with_atoms_too_near_is_refused_at_once(codes: dict[str, Any]) -> None:
    cell = FramesData.from_ase([training_cell()])
    assert "production: The structure can't be started from: " in str(
        complaint(codes, {"produce": NEAR}, production=cell)
    )
    start = {"parameters": NEAR}
    assert "production: The structure can't be started from: " in str(
        complaint(codes, {"start": start}, production=cell)
    )


def test_one_that_is_built_ends_the_study_before_anything_runs(codes: dict[str, Any]) -> None:
    built = {"production": {"li_layers": 8, "electrolyte_cells": 1, "repeat": [1, 1]}}
    study = under_way(codes, {"structures": built, "produce": NEAR})
    ended = study.build_structures()
    assert ended.status == 250
    assert ended.message.startswith("Stage structures can't be done with these inputs: The structure can't be started")
    assert "Li (atom" in ended.message


@pytest.fixture
def run(codes: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a run whose atoms are too near."""
    model = PotentialData(io.BytesIO(b"model"), card=compiled_card(SPECIES)).store()
    parameters = orm.Dict({"md": {"steps": 10, "temperature_k": 300.0}, **NEAR})
    cell = FramesData.from_ase([training_cell()]).store()
    return {"code": codes["lmp"], "structure": cell, "potential": model, "parameters": parameters, "unjudged": True}


def test_a_child_refused_at_submission_ends_its_stage_with_the_sentence(
    codes: dict[str, Any], run: dict[str, Any]
) -> None:
    study = under_way(codes, {})
    before = orm.QueryBuilder().append(orm.WorkChainNode).count()
    good = {**run, "parameters": orm.Dict({"md": run["parameters"]["md"]})}
    ended = study.begin("produce", produce=(ProduceWorkChain, good), reference_Li=(ProduceWorkChain, run))
    assert ended.status == 250
    assert ended.message.startswith(
        "Stage produce can't be done with these inputs: The structure can't be started from"
    )
    # The other one was not left running.
    assert orm.QueryBuilder().append(orm.WorkChainNode).count() == before


def test_a_run_whose_prepared_cell_is_refused_ends_with_the_sentence(run: dict[str, Any]) -> None:
    near, parameters = run["structure"], run.pop("parameters")
    process = instantiate_process(
        get_manager().get_runner(), ProduceWorkChain, **run, parameters=orm.Dict({"md": parameters["md"]})
    )
    process.setup()
    process.ctx.inputs.structure, process.ctx.inputs.parameters = near, parameters
    ended = process.run_process()
    assert ended.status == 250
    assert ended.message.startswith("Stage run can't be done with these inputs: The structure can't be started from: ")


def test_a_start_with_limits_of_its_own_is_refused_with_the_run(run: dict[str, Any]) -> None:
    parameters = {**StartWorkChain.get_protocol_inputs("balanced")["parameters"], **NEAR}
    given = {**run, "parameters": orm.Dict({"md": run["parameters"]["md"]})}
    given["start"] = {"parameters": orm.Dict(parameters), "limits": orm.Dict({})}
    assert "Li (atom" in str(ProduceWorkChain.spec().inputs.validate(given))


# ---------------------------------------------------------------- a safe start
def test_only_the_careful_protocol_has_a_safe_start(codes: dict[str, Any]) -> None:
    builders = {
        name: ReactWorkChain.get_builder_from_protocol(codes=codes, protocol=name) for name in ("fast", "careful")
    }
    inputs = {name: builder._inputs(prune=True) for name, builder in builders.items()}
    assert "start" not in inputs["fast"]
    balanced = StartWorkChain.get_protocol_inputs("balanced")
    assert {name: node.get_dict() for name, node in inputs["careful"].pop("start").items()} == balanced
    # All else is the same study.
    for name in ("sampling", "train", "produce"):
        assert inputs["careful"][name].get_dict() == inputs["fast"][name].get_dict()


def test_a_safe_start_is_asked_for_by_an_override(codes: dict[str, Any]) -> None:
    overrides = {"start": {"protocol": "careful", "parameters": {"ramp_steps": 7}}}
    builder = ReactWorkChain.get_builder_from_protocol(codes=codes, overrides=overrides)
    assert builder.start.parameters["ramp_steps"] == 7
    assert builder.start.parameters["hold_steps"] == 2000


def test_sample_has_the_ports_of_its_job() -> None:
    job = SampleWorkChain.spec().inputs
    assert {"plan", "cells", "label", "relax", "melt", "codes", "options"} <= set(job)
    assert job["plan"].required
    assert not job["cells"].required


# ---------------------------------------------------------------- the loop that closes
def test_a_loop_that_fails_ends_the_study_after_its_numbers(codes: dict[str, Any]) -> None:
    study = under_way(codes, {"close_loop": {}})
    failed = orm.WorkChainNode()
    failed.set_process_label("CloseLoopWorkChain")
    failed.set_exit_status(530)
    failed.set_exit_message("The model was rejected.")
    failed.set_process_state("finished")
    study.ctx.close_loop = failed.store()
    assert study.inspect_loop() is None
    assert study.comparison() is None
    ended = study.loop_failure()
    assert ended.status == 460
    assert "The model was rejected." in ended.message
    steps = str(ReactWorkChain.spec().get_outline().get_description())
    assert steps.index("inspect_analysis") < steps.index("inspect_loop") < steps.index("summarise")


def test_a_loop_that_is_refused_ends_the_study_after_its_numbers(
    codes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = under_way(codes, {"close_loop": {}})
    outputs = AttributeDict(dict.fromkeys(("classification", "labels", "phases", "trajectory")))
    study.ctx.classify = study.ctx.produce = AttributeDict({"outputs": outputs})
    study.ctx.dataset = orm.Int(1).store().uuid
    monkeypatch.setattr(study, "model", lambda: None)
    monkeypatch.setattr(study, "_learning", lambda *_: {})
    monkeypatch.setattr(study, "cell", lambda _: None)
    assert study.close_loop() is None
    assert study.inspect_loop() is None
    assert study.loop_failure().status == 250
    assert study.loop_failure().message.startswith("Stage close_loop can't be done with these inputs")


def test_a_study_without_the_loop_has_no_failure_of_it(codes: dict[str, Any]) -> None:
    study = under_way(codes, {})
    assert study.loop_failure() is None
    assert study.comparison() is None

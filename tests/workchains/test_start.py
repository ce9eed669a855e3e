"""A safe start and the run after it with the real program, in this process."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.start import StartWorkChain
from tests.models import rattled_cell
from tests.programs.conftest import crystal

MD = {"ensemble": "npt", "temperature_k": 300.0, "timestep_fs": 1.0, "tau_t_ps": 0.02, "tau_p_ps": 0.2}
RUN = {"md": {**MD, "steps": 20, "dump_every": 10}, "engine": {"stop": None}}
QUICK = {
    "height": {"iterations": 5},
    "minimise": {"iterations": 10},
    "limited": {"steps": 10},
    "ramp_steps": 100,
    "hold_steps": 100,
}
# The small model was trained for seconds: its crystal shrinks.
LIMITS = {"volume_ratio_min": 0.7, "stress_max_gpa": 5.0}


@pytest.fixture(scope="module")
def cell(aiida_profile: Any) -> FramesData:
    """Return a rattled crystal of 32 atoms."""
    return rattled_cell((2, 2, 2))


@pytest.fixture(scope="module")
def produce(potential: PotentialData, cell: FramesData, program_code: Any) -> Any:
    """Return a factory of runs."""
    code = program_code("lmp")

    def make(limits: dict[str, Any] | None = None, **changes: Any) -> orm.WorkChainNode:
        overrides = {"parameters": RUN, "start": {"parameters": QUICK, "limits": {**LIMITS, **(limits or {})}}}
        builder = ProduceWorkChain.get_builder_from_protocol(cell, potential, code, "careful", overrides)
        for name, value in changes.items():
            builder.start[name] = value
        with enable_caching():
            return run_get_node(builder).node

    return make


@pytest.fixture(scope="module")
def finished(produce: Any) -> orm.WorkChainNode:
    """Return a run after a safe start."""
    node = produce()
    assert node.is_finished_ok, node.exit_message
    return node


def test_the_run_begins_with_the_prepared_cell(finished, cell):
    start = finished.outputs.start
    assert start.verdict["passed"]
    assert start.verdict["sentences"] == []
    (job,) = [node for node in finished.called if node.process_label == "LammpsCalculation"]
    assert job.inputs.structure.pk == start.frames.pk != cell.pk
    assert finished.outputs.trajectory.base.attributes.get("steps") == 20


def test_the_prepared_cell_keeps_what_it_was_and_knows_its_parent(finished, cell):
    frames = finished.outputs.start.frames.frames
    assert (frames.config_type[0], frames.group[0]) == ("interface", "built")
    assert frames.parent_id[0] == cell.frames.frame_ids[0]
    assert (frames.numbers == cell.frames.numbers).all()


def test_record_and_thermo_tell_each_stage(finished):
    start = finished.outputs.start
    names = [stage["name"] for stage in start.record["stages"]]
    assert names == ["given", "height", "minimise", "limited", "ramp", "hold"]
    stages = start.thermo.get_array("stage")
    assert sorted(set(stages.tolist())) == list(range(6))
    assert len(start.thermo.get_array("temp")) == len(stages)


def test_every_node_has_an_origin(finished):
    entering = {link.node.pk for link in finished.base.links.get_incoming().all()}
    for process in finished.called_descendants:
        for link in process.base.links.get_incoming(node_class=orm.Data).all():
            node = link.node
            assert node.creator is not None or node.pk in entering or link.link_label == "clean_workdir", link


def test_a_start_that_fails_ends_before_the_long_run_with_the_reason(finished, produce):
    node = produce({"volume_ratio_min": 0.9999999, "volume_ratio_max": 1.0000001})
    assert node.exit_status == 510
    assert "Mean volume is" in node.exit_message
    assert "allowed from 1 to 1: build the cell at the density" in node.exit_message
    assert "trajectory" not in node.outputs
    assert not node.outputs.start.verdict["passed"]
    # Other limits need no other run: the start itself came from the cache.
    (start,) = [child for child in node.called_descendants if child.process_label == "StartCalculation"]
    assert start.base.caching.is_created_from_cache


def test_who_has_looked_may_accept_it(finished, produce):
    node = produce({"volume_ratio_min": 0.9999999, "volume_ratio_max": 1.0000001}, accept=orm.Bool(True))
    assert node.is_finished_ok
    assert not node.outputs.start.verdict["passed"]
    assert "trajectory" in node.outputs


# ---------------------------------------------------------------- refusals
def test_without_a_start_a_run_is_what_it_was(potential, cell, program_code):
    builder = ProduceWorkChain.get_builder_from_protocol(cell, potential, program_code("lmp"), "fast")
    assert "start" not in builder._inputs(prune=True)


@pytest.mark.parametrize("workchain", ["start", "produce", "careful"])
def test_atoms_too_near_are_refused_by_name_before_anything_is_queued(workchain, potential, program_code):
    atoms = crystal((2, 2, 2))
    atoms.positions[0] = atoms.positions[1] - (0, 0, 1.4)
    near, code = FramesData.from_ase([atoms]), program_code("lmp")
    if workchain == "start":
        builder = StartWorkChain.get_builder_from_protocol(near, potential, orm.Dict(RUN), code)
    else:
        protocol = {"produce": "fast"}.get(workchain, workchain)
        builder = ProduceWorkChain.get_builder_from_protocol(near, potential, code, protocol)
    with pytest.raises(ValueError, match=r"Li \(atom 0\) and P \(atom 1\) are 1.400 Å apart, allowed from 1.65 Å"):
        run_get_node(builder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limits": {"volume_ratio": 1.0}}, "volume_ratio"),
        ({"parameters": {"ramp": 3}}, "These settings of a start don't fit: ramp"),
        ({"production": {"md": {"temperature": 3}}}, "md.temperature"),
    ],
)
def test_each_mistake_is_told_by_name(changes, words, potential, cell, program_code):
    builder = StartWorkChain.get_builder_from_protocol(cell, potential, orm.Dict(RUN), program_code("lmp"))
    inputs = {**builder._inputs(prune=True), **{name: orm.Dict(value) for name, value in changes.items()}}
    assert words in str(StartWorkChain.spec().inputs.validate(inputs))

"""A run that is watched by the monitor, with the real program and AiiDA's own engine, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy.process_states import ProcessState

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.dump import scan_dump
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.models import compiled_card
from tests.programs.conftest import SPECIES, crystal

MD = {
    "ensemble": "npt",
    "timestep_fs": 2.0,
    "thermo_every": 2,
    "dump_every": 10,
    "restart_every": 50,
}


@pytest.fixture(scope="module")
def monitored(aiida_profile: Any, trained: Any, compiled: dict[str, Any], program_code: Any) -> Callable[..., Any]:
    """Return a factory of runs with limits of their own."""
    atoms = crystal((3, 3, 3))
    atoms.rattle(0.05, seed=1)
    atoms.info.update(config_type="interface", group="built")
    cell = FramesData.from_ase([atoms])
    potential = PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()

    def run(steps: int, segment_steps: int, **limits: float) -> orm.WorkChainNode:
        health = {"entry_point": "seireact.health", "kwargs": limits}
        overrides = {"parameters": {"engine": {"stop": None}}, "monitors": {"health": health}}
        builder = ProduceWorkChain.get_builder_from_protocol(cell, potential, program_code("lmp"), "fast", overrides)
        parameters = {**builder.parameters.get_dict(), "md": {**MD, "steps": steps}, "segment_steps": segment_steps}
        builder.parameters = orm.Dict(parameters)
        return run_get_node(builder).node

    return run


@pytest.fixture(scope="module")
def ended(monitored: Callable[..., Any]) -> orm.WorkChainNode:
    """Return a run of a million steps with a limit that no run keeps."""
    return monitored(1_000_000, 500_000, temperature_ratio_max=0.01, pressure_max_gpa=1e3)


def test_a_sound_run_is_left_alone_by_the_default_limits(monitored):
    node = monitored(600, 600)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.trajectory.base.attributes.get("done")
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert len(jobs) == 1
    assert not any(orm.Log.collection.get_logs_for(job) for job in jobs)


def test_a_run_that_is_ill_ends_softly_and_its_end_is_a_result(ended):
    assert ended.is_finished_ok, ended.exit_message
    assert sum(isinstance(node, orm.CalcJobNode) for node in ended.called) == 1
    facts = ended.outputs.trajectory.base.attributes.all
    stopped = facts["stopped_by"]
    assert stopped["reason"] == "health"
    assert "health: temperature:" in stopped["message"]
    assert "allowed up to 3 K, 0.01 times what is asked for" in stopped["message"]
    assert not facts["done"]
    assert ended.outputs.restart.step == facts["last_step"] < 1_000_000
    with pytest.raises(ValueError, match="was stopped, so there is nothing sound to go on from"):
        ProduceWorkChain.get_builder_to_extend(ended, 1_000_000)


def test_its_frames_are_whole_up_to_the_end(ended):
    (chunk,) = ended.outputs.trajectory.manifest
    copy = ended.outputs.trajectory.live_copy(chunk["sha256"])
    with copy.node.base.repository.as_path(copy.file) as path:
        steps = scan_dump(path)
    last = ended.outputs.trajectory.base.attributes.get("last_step")
    assert steps == list(range(0, last + 1, 10))


def test_the_job_tells_why_once(ended):
    job = next(node for node in ended.called if isinstance(node, orm.CalcJobNode))
    told = [log.message for log in orm.Log.collection.get_logs_for(job)]
    assert len([message for message in told if message.startswith("it is ended softly, health:")]) == 1


def test_protocols_say_who_is_monitored(ended):
    inputs = ended.inputs
    given = (inputs.structure, inputs.potential, inputs.code)
    builder = ProduceWorkChain.get_builder_from_protocol(*given, protocol="long")
    assert builder.monitors["health"]["entry_point"] == "seireact.health"
    for off in ({"monitors": None}, {"monitors": {"health": None}}):
        assert not ProduceWorkChain.get_builder_from_protocol(*given, protocol="long", overrides=off).monitors
    assert not ProduceWorkChain.get_builder_from_protocol(*given, protocol="fast").monitors


def test_a_segment_that_lost_the_database_goes_on_from_what_it_has_written(ended):
    builder = ended.get_builder_restart()
    builder.unjudged = True  # no node, so no builder brings it back
    process = instantiate_process(get_manager().get_runner(), builder)
    process.setup()
    job = orm.CalcJobNode(computer=ended.inputs.code.computer, process_type="aiida.calculations:seireact.lammps")
    job.set_process_state(ProcessState.EXCEPTED)
    job.set_exception("sqlalchemy.exc.OperationalError: database is locked")
    job.store()
    folder = orm.RemoteData(remote_path="/scratch/run", computer=job.computer)
    folder.base.links.add_incoming(job, LinkType.CREATE, "remote_folder")
    folder.store()
    process.ctx.children, process.ctx.iteration = [job], 1
    assert process.inspect_process() is None
    assert process.should_run_process()
    assert process.ctx.inputs.resume.uuid == folder.uuid


def test_limits_that_can_not_be_are_refused_on_submission(ended):
    builder = ended.get_builder_restart()
    builder.unjudged = True  # no node, so no builder brings it back
    builder.monitors["health"] = orm.Dict({"entry_point": "seireact.health", "kwargs": {"temperature_ratio_max": -1.0}})
    with pytest.raises(ValueError, match="temperature_ratio_max must be a positive number"):
        run_get_node(builder)

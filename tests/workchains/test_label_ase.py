"""A killed job of labels loses none: the next one computes what is missing, and the cache sees no difference."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching
from plumpy.process_states import ProcessState

from aiida_seireact.cli.replay_plan import plan_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from tests.workchains.conftest import alloy

# EMT that kills the program it works for, as kill -9 does, when so many frames are begun.
LETHAL = """
import os, signal
from pathlib import Path
from ase.calculators.emt import EMT

CALLS = Path({calls!r})


class Lethal(EMT):
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        with CALLS.open("a") as stream:
            stream.write(f"{{float(atoms.positions[0, 0]).hex()}}\\n")
        if len(CALLS.read_text().split()) in (40, 70):
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        super().calculate(atoms, properties, system_changes)


def make():
    return Lethal()
"""


@pytest.fixture
def lethal(
    tmp_path: Path, program_code: Callable[..., orm.InstalledCode]
) -> Callable[[], tuple[dict[str, Any], list[str]]]:
    """Return a factory of code and parameters of a labeller that is killed twice, and of the calls it noted."""
    calls = tmp_path / "calls.txt"
    (tmp_path / "lethal.py").write_text(LETHAL.format(calls=str(calls)), encoding="utf-8")
    calls.touch()
    inputs = {
        "code": program_code("label", f"export PYTHONPATH={tmp_path}"),
        "parameters": orm.Dict({"calculator": {"name": "lethal:make", "allow_import": True}}),
    }
    return lambda: (inputs, calls.read_text().split())


def test_of_100_frames_each_is_labelled_once(lethal: Callable[[], tuple[dict[str, Any], list[str]]]) -> None:
    frames = FramesData.from_ase([alloy(seed=seed) for seed in range(100)])
    inputs, _ = lethal()
    _, node = run_get_node(AseLabelWorkChain, frames=frames, **inputs)
    assert node.is_finished_ok, node.exit_message
    jobs = sorted(node.called, key=lambda job: job.pk)
    assert [job.exit_status for job in jobs] == [410, 410, 0]
    assert jobs[1].inputs.finished == jobs[0].outputs.partial
    assert jobs[2].inputs.finished == jobs[1].outputs.partial
    assert "partial" not in node.outputs
    assert node.outputs.labeller["settings_hash"] == node.outputs.frames.base.attributes.get("settings_hash")

    _, calls = lethal()
    # All frames once; the two in flight when the program was killed twice.
    assert len(set(calls)) == 100
    assert len(calls) == 102

    # Undisturbed from here on: the same frames, to the last bit.
    _, again = run_get_node(AseLabelWorkChain, frames=frames, **inputs)
    assert [job.exit_status for job in again.called] == [0]
    assert again.outputs.frames.content_hash == node.outputs.frames.content_hash
    assert again.outputs.frames.frames.structure_ids == frames.frames.structure_ids

    # A job is found in the cache whether or not something was finished before it began.
    assert jobs[2].base.caching.get_hash() == again.called[0].base.caching.get_hash()
    with enable_caching(identifier="aiida.calculations:seireact.ase"):
        plan = plan_of(node)
        _, replay = run_get_node(AseLabelWorkChain, frames=frames, **inputs)
    # A replay's first job is answered by what the last one made; the two repetitions are not needed again.
    assert plan.counts == {"cache": 1, "spared": 2}
    assert [job.base.caching.is_created_from_cache for job in replay.called] == [True]


@pytest.fixture
def after_walltime(aiida_profile: Any, aiida_localhost: orm.Computer) -> Callable[..., bool]:
    """Return a function: does another job follow one that ran out of walltime with these records, before and after."""
    code = orm.InstalledCode(label="label", computer=aiida_localhost, filepath_executable="/bin/true").store()
    parameters = orm.Dict({"task": "isolated_atoms", "calculator": {"name": "emt"}, "species": ["Cu"]})

    def records(text: str) -> orm.SinglefileData:
        return orm.SinglefileData(io.BytesIO(text.encode()), filename="finished.jsonl").store()

    def after(before: str, left: str) -> bool:
        job = orm.CalcJobNode(computer=aiida_localhost, process_type="aiida.calculations:seireact.ase")
        job.set_process_label("AseCalculation")
        job.set_process_state(ProcessState.FINISHED)
        job.set_exit_status(120)
        if before:
            job.base.links.add_incoming(records(before), LinkType.INPUT_CALC, "finished")
        job.store()
        if left:
            records_left = orm.SinglefileData(io.BytesIO(left.encode()), filename="finished.jsonl")
            records_left.base.links.add_incoming(job, LinkType.CREATE, "partial")
            records_left.store()
        process = instantiate_process(get_manager().get_runner(), AseLabelWorkChain, code=code, parameters=parameters)
        process.setup()
        process.ctx.children, process.ctx.iteration = [job], 1
        result = process.inspect_process()
        return process.should_run_process() and (result is None or result.status == 0)

    return after


def test_a_job_out_of_walltime_is_gone_on_with_while_it_brings_labels(after_walltime: Callable[..., bool]) -> None:
    assert after_walltime("", "a")
    assert after_walltime("a", "ab")
    assert not after_walltime("a", "a")
    assert not after_walltime("", "")

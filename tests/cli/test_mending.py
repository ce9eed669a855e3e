"""The cure of a hang: what is dead is closed, what can go on has exactly one task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida import orm
from plumpy.process_states import ProcessState

from aiida_seireact.cli.mending import clear_up, close_left_over, dead_processes, unsealed_processes

from .conftest import add_job, call, finish, workchain


def calcfunction(caller, label):
    node = orm.CalcFunctionNode()
    node.set_process_label("make_dataset")
    node.set_process_state(ProcessState.RUNNING)
    call(caller, node, label)
    return node.store()


def test_a_calcfunction_is_dead_when_its_caller_is_past_it(aiida_profile_clean):
    top = workchain("ReactWorkChain")
    top.set_checkpoint("where it goes on")
    killed = calcfunction(top, "dataset")
    # It may still be at work.
    assert dead_processes(daemon_stopped=False) == []
    assert dead_processes(daemon_stopped=True) == [killed]

    again = calcfunction(top, "dataset")
    assert dead_processes(daemon_stopped=False) == [killed]

    said = []
    clear_up(said.append, daemon_stopped=False)
    assert said == [f"Closed make_dataset <{killed.pk}>: a crash ended it."]
    killed = orm.load_node(killed.pk)
    assert killed.is_killed
    assert killed.is_sealed
    assert not orm.load_node(again.pk).is_terminated


def test_a_calcfunction_of_a_person_is_let_alone(aiida_profile_clean):
    node = orm.CalcFunctionNode()
    node.set_process_state(ProcessState.RUNNING)
    node.store()
    assert dead_processes(daemon_stopped=True) == []


def test_a_process_without_a_checkpoint_was_never_really_born(aiida_profile_clean):
    born, stillborn = workchain("ReactWorkChain"), workchain("LabelWorkChain")
    born.set_checkpoint("where it goes on")
    assert dead_processes(daemon_stopped=False) == []
    assert dead_processes(daemon_stopped=True) == [stillborn]


def test_a_process_whose_worker_died_before_the_seal_is_sealed(aiida_profile_clean):
    top = workchain("ReactWorkChain")
    finish(top)
    # It may be about to be sealed.
    assert unsealed_processes(daemon_stopped=False) == []
    assert unsealed_processes(daemon_stopped=True) == [top]
    clear_up(daemon_stopped=True)
    assert orm.load_node(top.pk).is_sealed
    assert unsealed_processes(daemon_stopped=True) == []


def test_what_was_started_twice_is_closed_when_the_run_is_over(aiida_profile_clean):
    top = workchain("ReactWorkChain")
    twin = workchain("LabelWorkChain", top, "label")
    job = add_job("label", "seireact.ase", twin, "batch_000")
    done = workchain("LabelWorkChain", top, "label")
    for node in (done, top):
        finish(node)
    said = []
    close_left_over(top, said.append)
    assert len(said) == 2
    assert all(orm.load_node(node.pk).is_killed for node in (twin, job))
    assert orm.load_node(done.pk).is_finished_ok


KILL_AND_MEND = """
import os, time
from aiida_seireact.cli._profile import load
load("seireact")
from aiida import orm
from aiida.engine import submit
from aiida.engine.daemon.client import get_daemon_client
from aiida_seireact.cli.daemon_parts import TaskQueue, daemon_processes
from aiida_seireact.cli.mending import mend
from aiida_seireact.cli.watchdog import signs_of_trouble

code = orm.InstalledCode(
    label="add", computer=orm.load_computer("localhost"), filepath_executable="/bin/bash",
    prepend_text="sleep 5", default_calc_job_plugin="core.arithmetic.add",
).store()
client = get_daemon_client()
client.start_daemon(2)
nodes = []
for number in range(3):
    builder = code.get_builder()
    builder.x, builder.y = orm.Int(number), orm.Int(1)
    builder.metadata.options.resources = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    nodes.append(submit(builder))
time.sleep(5)
for process in daemon_processes():
    os.kill(process.pid, 9)
time.sleep(2)
try:
    assert any(sign.curable for sign in signs_of_trouble()), signs_of_trouble()
    done = mend()
    assert done[-1] == "Started the daemon with 2 workers.", done
    # Not lost at the next crash: the tasks stay until the processes have ended.
    time.sleep(8)
    assert {node.pk for node in nodes if not node.is_terminated} <= TaskQueue().process_pks()
    deadline = time.time() + 240
    while time.time() < deadline and not all(node.is_terminated for node in nodes):
        time.sleep(2)
    assert [node.exit_status for node in nodes] == [0, 0, 0]
    assert signs_of_trouble() == []
finally:
    client.stop_daemon()
print("mended")
"""


@pytest.mark.slow
@pytest.mark.workflow
def test_a_daemon_killed_whole_is_mended_and_nothing_is_lost(tmp_path):
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path)}
    command = [str(Path(sys.executable).parent / "aiida-seireact"), "setup"]
    subprocess.run(command, env=environment, capture_output=True, check=False)
    done = subprocess.run(
        [sys.executable, "-c", KILL_AND_MEND], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith("mended"), done.stdout + done.stderr

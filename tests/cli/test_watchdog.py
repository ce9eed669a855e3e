from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from aiida.engine.daemon.client import get_daemon_client

from aiida_seireact.cli import watchdog
from aiida_seireact.cli.watchdog import DaemonProcess, signs_of_trouble

from .conftest import add_job, workchain

Usage = namedtuple("Usage", "total free")


def test_no_unfinished_process_no_trouble(aiida_profile_clean):
    assert signs_of_trouble() == []


def test_a_daemon_that_does_not_run_is_told_only_when_it_is_needed(aiida_profile_clean):
    workchain("ReactWorkChain")
    (sign,) = signs_of_trouble()
    assert "daemon is not running" in sign
    assert sign.curable


def test_a_pause_by_a_person_is_told_but_not_curable(aiida_profile_clean):
    job = add_job("lmp", "seireact.lammps", None, "")
    job.pause()
    job.set_process_status("Paused through `verdi process pause`")
    (sign,) = signs_of_trouble()
    assert f"`verdi process play {job.pk}`" in sign
    assert not sign.curable

    job.set_process_status("Pausing after failed transport task: upload_calculation failed")
    (sign,) = signs_of_trouble()
    assert sign.curable


def test_a_poisoned_session_counts_while_its_worker_lives(aiida_profile_clean, monkeypatch):
    workchain("ReactWorkChain")
    log = Path(get_daemon_client().daemon_log_file)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(
        "11/21/2026 10:00:00 AM <4711> aiida: [ERROR] no\nTraceback\nsqlalchemy.exc.PendingRollbackError: rolled back\n"
        "11/21/2026 10:00:01 AM <4712> aiida: [REPORT] fine\n"
    )

    def alive(pid):
        monkeypatch.setattr(watchdog, "daemon_processes", lambda: [DaemonProcess(pid, ("verdi", "daemon", "worker"))])

    alive(4711)
    assert any("worker 4711 is broken" in sign for sign in signs_of_trouble())
    alive(4712)
    assert not any("is broken" in sign for sign in signs_of_trouble())
    log.unlink()


@pytest.mark.parametrize(("free_gb", "warned"), [(5, True), (50, False)])
def test_a_full_disk_is_told(aiida_profile_clean, monkeypatch, free_gb, warned):
    usage = Usage(total=1000 * 1024**3, free=free_gb * 1024**3)
    monkeypatch.setattr(watchdog.psutil, "disk_usage", lambda folder: usage)
    signs = signs_of_trouble()
    assert bool(signs) is warned
    assert not any(sign.curable for sign in signs)


KILL_AND_MEND = """
import os, time
from aiida_seireact.cli._profile import load
load("seireact")
from aiida import orm
from aiida.engine import submit
from aiida.engine.daemon.client import get_daemon_client
from aiida_seireact.cli.watchdog import daemon_processes, mend, signs_of_trouble

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

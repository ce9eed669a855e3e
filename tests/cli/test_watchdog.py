from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
from aiida.engine.daemon.client import get_daemon_client

from aiida_seireact.cli import watchdog
from aiida_seireact.cli.daemon_parts import DaemonProcess
from aiida_seireact.cli.watchdog import Stillness, signs_of_trouble

from .conftest import add_job, workchain

Usage = namedtuple("Usage", "total free")


class Queue:
    """Tasks of these processes, none of which waits."""

    def __init__(self, pks=()):
        self.pks = set(pks)

    def process_pks(self):
        return self.pks

    def waiting_seconds(self):
        return None


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


def test_a_process_without_a_task_is_lost_where_all_are_submitted(aiida_profile_clean, monkeypatch):
    queue = Queue({1})
    monkeypatch.setattr(watchdog.TaskQueue, "of_profile", lambda: queue)
    monkeypatch.setattr(watchdog, "SUBMISSION_SECONDS", 0.0)
    top = workchain("ReactWorkChain")
    queue.pks = {top.pk}
    assert not any("no worker has the task" in sign for sign in signs_of_trouble(all_submitted=True))
    queue.pks = set()
    (sign,) = [sign for sign in signs_of_trouble(all_submitted=True) if "no worker has the task" in sign]
    assert sign.startswith(f"ReactWorkChain <{top.pk}>")
    assert sign.curable
    # In a profile of a person, somebody may run it in a shell.
    assert not any("no worker has the task" in sign for sign in signs_of_trouble())


def test_workers_older_than_the_broker_have_lost_it(aiida_profile_clean, monkeypatch):
    workchain("ReactWorkChain")
    monkeypatch.setattr(watchdog.TaskQueue, "of_profile", Queue)
    monkeypatch.setattr(type(get_daemon_client()), "get_daemon_pid", lambda self: 1)

    def alive(broker_born):
        parts = [
            DaemonProcess(1, ("start-circus",)),
            DaemonProcess(2, ("daemon", "worker"), born=100.0),
            DaemonProcess(3, ("daemon", "broker"), born=broker_born),
        ]
        monkeypatch.setattr(watchdog, "daemon_processes", lambda: parts)

    alive(99.0)
    assert signs_of_trouble() == []
    alive(160.0)
    (sign,) = signs_of_trouble()
    assert "worker 2 still listens to the old one" in sign
    assert sign.curable
    assert sign.lasting


def test_stillness_is_told_when_nothing_moves_for_long_and_only_then(aiida_profile_clean, monkeypatch):
    now, worked, running = 0.0, 0.0, []
    monkeypatch.setattr(watchdog, "_seconds_of_workers", lambda: worked)
    monkeypatch.setattr(watchdog, "programs", lambda: running)
    watch = Stillness(40.0, clock=lambda: now)
    top = workchain("ReactWorkChain")

    def looks(seconds):
        nonlocal now
        signs = []
        for _ in range(seconds // 10):
            now += 10.0
            signs.append(watch.look())
        return [sign for sign in signs if sign is not None]

    assert looks(40) == []
    (sign,) = looks(10)
    assert sign.curable
    assert sign.lasting

    running = ["seireact-label"]
    assert looks(100) == []
    running = []
    top.set_process_status("it goes on")
    assert looks(40) == []

    top.pause()
    assert looks(100) == []


def test_a_worker_that_computes_is_not_still(aiida_profile_clean, monkeypatch):
    now = 0.0
    monkeypatch.setattr(watchdog, "_seconds_of_workers", lambda: 0.5 * now)
    monkeypatch.setattr(watchdog, "programs", list)
    watch = Stillness(40.0, clock=lambda: now)
    workchain("ReactWorkChain")
    for now in (10.0, 20.0, 30.0, 40.0, 50.0, 60.0):  # noqa: B007
        assert watch.look() is None

"""The driver of the chaos: what it finds alive, whom it kills, what it tells."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def chaos() -> ModuleType:
    """Return tools/chaos.py as a module."""
    spec = importlib.util.spec_from_file_location("chaos", ROOT / "tools" / "chaos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules["chaos"] = module
    spec.loader.exec_module(module)
    return module


def test_only_what_belongs_to_the_folder_is_found(chaos: ModuleType, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "mine-not"
    pids = {}
    for folder in (mine, other):
        work = folder / "work" / "ab" / "cd" / "ef"
        work.mkdir(parents=True)
        # As the kernel starts a script: its path comes second.
        command = [sys.executable, "-c", "import time; time.sleep(60)", "daemon", "worker"]
        script = work / "seireact-label"
        script.write_text("#!/bin/sh\nsleep 60\n")
        script.chmod(0o755)
        environment = {**os.environ, "AIIDA_PATH": str(folder / "aiida")}
        worker = subprocess.Popen(command, env=environment)
        label = subprocess.Popen([str(script)], cwd=work, start_new_session=True)
        pids[folder] = (worker, label)
    try:
        demo = chaos.Demo(mine)
        assert demo.pids(chaos.WORKER) == [pids[mine][0].pid]
        assert demo.pids(chaos.LABEL) == [pids[mine][1].pid]
        assert demo.pids(chaos.LEG) == []
        assert demo.pids(chaos.DEMO) == []
        mine_alive = {process.pid for process in demo.left_over()}
        assert {process.pid for process in pids[mine]} <= mine_alive
        assert not {process.pid for process in pids[other]} & mine_alive
        demo.end()
        assert pids[mine][0].wait(timeout=5) == -signal.SIGKILL
        assert pids[other][0].poll() is None
    finally:
        for worker, label in pids.values():
            worker.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(label.pid, signal.SIGKILL)
            worker.wait()
            label.wait()


class Toy:
    """A demo that ends after so many kills, with these targets alive at all times."""

    def __init__(self, alive: list[str], n_kills: int, ran: tuple[str, ...] = ()) -> None:
        self.alive, self.n_left, self.ran = alive, n_kills, ran

    def call(self) -> None:
        """Start."""

    @property
    def status(self) -> int | None:
        return None if self.n_left else 0

    def pids(self, target: str) -> list[int]:
        return [1] if target in self.alive else []

    def jobs(self, target: str) -> list[str]:
        return [target] if target in self.ran else []


@pytest.fixture
def killed(chaos: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Return who is killed, with whom; nobody is."""
    found = []

    def kill(demo: Toy, target: str, rng: random.Random, *, then: str | None = None) -> object:
        found.append((target, then))
        demo.n_left -= 1
        return chaos.Kill(target, "label", 1.0, "the next call", 2.0, 3.0)

    monkeypatch.setattr(chaos, "kill", kill)
    return found


def test_each_target_is_killed_once_and_programs_first(chaos: ModuleType, killed: list[tuple[str, str | None]]) -> None:
    demo = Toy([chaos.WORKER, chaos.BROKER, chaos.LABEL], 3, ran=(chaos.LABEL,))
    result = chaos.Storm(demo)
    chaos.storm(result, chaos.TARGETS, random.Random(1), pause=(0, 0))
    assert killed[0] == (chaos.LABEL, None)
    assert sorted(target for target, _ in killed) == sorted([chaos.WORKER, chaos.BROKER, chaos.LABEL])
    assert result.skipped == {
        chaos.LEG: chaos.NO_PART,
        chaos.TRAIN: chaos.NO_PART,
        chaos.DEMO: "its turn did not come",
    }


def test_seed_gives_the_order(chaos: ModuleType, killed: list[tuple[str, str | None]]) -> None:
    def order(seed: int) -> list[tuple[str, str | None]]:
        killed.clear()
        demo = Toy([chaos.WORKER, chaos.BROKER, chaos.DEMO], 6)
        chaos.storm(chaos.Storm(demo), [chaos.WORKER, chaos.BROKER, chaos.DEMO] * 2, random.Random(seed), pause=(0, 0))
        return list(killed)

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_who_watches_may_die_first(chaos: ModuleType, killed: list[tuple[str, str | None]]) -> None:
    demo = Toy([chaos.BROKER, chaos.DEMO], 1)
    targets = [chaos.DEMO, chaos.BROKER]
    for seed in range(10):
        demo.n_left = 1
        chaos.storm(chaos.Storm(demo), targets, random.Random(seed), pause=(0, 0), unwatched=1.0)
    assert (chaos.DEMO, chaos.BROKER) in killed


def test_a_run_that_does_not_go_on_is_told(chaos: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "kill", lambda *_, **__: chaos.Kill(chaos.BROKER, "train", 9.0))
    demo = Toy([chaos.BROKER], 1)
    demo.lines = ["[9 s] · train"]
    with pytest.raises(TimeoutError, match="After the kill of broker at train the run did not go on"):
        chaos.storm(chaos.Storm(demo), [chaos.BROKER], random.Random(1), pause=(0, 0))


def test_table(chaos: ModuleType) -> None:
    kills = [
        chaos.Kill("broker", "label", 31.4, "the watch of the demo: Trouble", 9.6, 25.2),
        chaos.Kill("worker", "train", 131.0),
    ]
    lines = chaos.table(SimpleNamespace(kills=kills, skipped={"seireact-flare": chaos.NO_PART})).splitlines()
    assert " ".join(lines[1].split()) == "1 broker 31 s label 10 s 25 s the watch of the demo: Trouble"
    assert lines[2].split()[-3:] == ["never", "never", "nobody"]
    assert lines[3] == "not killed: seireact-flare: it is no part of this run"

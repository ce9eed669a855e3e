"""Kill parts of a running demo at random, call it again where needed, and see whether its result is the same.

`make chaos SEED=1` runs the small loop of tests/workflow twice: in peace, and with ten kills. The second one must end
with the same dataset and the same model; whatever was killed, nothing but the demo itself may put it right.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (str(Path(sys.executable).parent / "aiida-seireact"), "demo")
HASHES = ("dataset_hash", "model_hash")

WORKER, BROKER, DEMO = "worker", "broker", "demo"
LABEL, LEG, TRAIN = "seireact-label", "seireact-flare", "seireact-train"
TARGETS = (WORKER, LEG, LABEL, BROKER, DEMO, TRAIN)
# Entry points of the jobs that run a program: a run without such a job has nothing of it to be killed.
NO_PART = "it is no part of this run"
JOBS = {
    LABEL: "aiida.calculations:seireact.ase",
    LEG: "aiida.calculations:seireact.flare",
    TRAIN: "aiida.calculations:seireact.allegro",
}

# Few programs of the small loop run for longer; a kill shall meet them at any moment of their life.
PROGRAM_SECONDS = 6.0
# What the demo says when it has found its run, or made it.
FOUND = ("Going on", "Submitted", "This demo is done")

# No kill may cost more than this; a hang must be noticed within a minute, and mending takes half of one.
PATIENCE_SECONDS = 240.0


@dataclass
class Kill:
    """One kill and what came of it."""

    target: str
    stage: str
    at: float
    """Seconds since the first call of the demo."""
    noticed: str = "nobody"
    noticed_after: float | None = None
    """Seconds from the kill to the first word about it."""
    seconds: float | None = None
    """After which it went on; None: it did not."""


@dataclass
class Demo:
    """A demo in a folder of its own, called as a person would, from one process after the other."""

    folder: Path
    options: Sequence[str] = ()
    lines: list[str] = field(default_factory=list)
    """What it has printed, over all calls."""
    began: float = field(default_factory=time.monotonic)
    calls: list[subprocess.Popen[str]] = field(default_factory=list)

    # ---------------------------------------------------------------- calls
    def call(self) -> None:
        """Start the demo, or call it again."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("AIIDA_PATH", None)
        process = subprocess.Popen(
            [*COMMAND, "--folder", str(self.folder), "--no-live", *self.options],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.calls.append(process)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            with self.log.open("a") as stream:
                stream.write(f"{time.monotonic() - self.began:6.1f} {line}")

    @property
    def log(self) -> Path:
        """File with what it has printed, and when; beside its folder."""
        return self.folder.with_suffix(".log")

    @property
    def status(self) -> int | None:
        """Exit status of the last call, None while it runs."""
        return self.calls[-1].poll()

    @property
    def stage(self) -> str:
        """What the last line about progress said."""
        lines = [line for line in self.lines if line.startswith("[") and "] · " in line]
        return lines[-1].split("] · ")[1].split(" · ")[0] if lines else "set-up"

    def summary(self) -> dict[str, Any]:
        """Return summary.json, empty where there is none."""
        path = self.folder / "summary.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    # ---------------------------------------------------------------- what is alive
    def pids(self, target: str) -> list[int]:
        """Return the living processes of a kind that belong to this folder."""
        if target == DEMO:
            return [self.calls[-1].pid] if self.calls and self.status is None else []
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                line = process.cmdline()
                if target in (WORKER, BROKER):
                    ours = self._is_mine(process.environ().get("AIIDA_PATH", "/"))
                    is_it = ours and any(line[i : i + 2] == ["daemon", target] for i in range(len(line)))
                else:
                    ours = self._is_mine(process.cwd())
                    is_it = ours and any(Path(part).name == target for part in line[:2])
                    # The processes of seireact-label that label are forks of it; the program is the one above them.
                    parent = process.parent() if is_it else None
                    is_it = is_it and (parent is None or parent.cmdline() != line)
                found += [process.pid] if is_it else []
        return found

    def _is_mine(self, path: str) -> bool:
        return Path(path).is_relative_to(self.folder)

    def left_over(self) -> list[psutil.Process]:
        """Return everything of this folder that is alive; nothing may be when the demo is done."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if self._is_mine(process.environ().get("AIIDA_PATH", "/")) or self._is_mine(process.cwd()):
                    found.append(process)
        return found

    def end(self) -> None:
        """Kill everything of this folder: no failure may leave a daemon behind."""
        for call in self.calls:
            call.kill()
            call.wait()
        for process in self.left_over():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def n_tasks_waiting(self) -> int:
        """Return how many tasks no worker has taken."""
        return len(list(self.folder.glob("aiida/.aiida/**/tasks/pending/*.json")))

    # ---------------------------------------------------------------- the graph, without AiiDA in this process
    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection | None]:
        """Give the database to read; None while there is none."""
        path = next((self.folder / "aiida").rglob("database.sqlite"), None)
        if path is None:
            yield None
            return
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            yield connection

    def jobs(self, target: str) -> list[tuple[int, str, int, str, int | None]]:
        """Return number, UUID, caller, state and exit status of all jobs that run a program, oldest first."""
        query = (
            "SELECT n.id, n.uuid, l.input_id, json_extract(n.attributes, '$.process_state'), "
            "json_extract(n.attributes, '$.exit_status') FROM db_dbnode n JOIN db_dblink l ON l.output_id = n.id "
            "WHERE l.type = 'call_calc' AND n.process_type = ? ORDER BY n.id"
        )
        with self.database() as database:
            return [] if database is None else database.execute(query, (JOBS[target],)).fetchall()

    def job_of(self, target: str, pid: int) -> int | None:
        """Return the number of the job in whose folder a process works."""
        folder = "".join(Path(psutil.Process(pid).cwd()).relative_to(self.folder / "work").parts[:3])
        return next((pk for pk, uuid, *_ in self.jobs(target) if uuid == folder), None)


# -------------------------------------------------------------------------------- one kill
def kill(demo: Demo, target: str, rng: random.Random, *, then: str | None = None) -> Kill:
    """Kill one living thing of a kind with SIGKILL and wait until the run goes on; call the demo again if need be.

    :param then: kill one of these too, before anybody could do anything.
    :raises LookupError, psutil.NoSuchProcess: none of them is alive any more.
    """
    event = Kill(target if then is None else f"{target}, then {then}", demo.stage, time.monotonic() - demo.began)
    victim = psutil.Process(rng.choice(sorted(demo.pids(target))))
    watch = {WORKER: _worker, BROKER: _broker, DEMO: _demo}.get(target, _program)(demo, event, victim.pid)
    victim.kill()
    if then is not None:
        psutil.Process(rng.choice(sorted(demo.pids(then)))).kill()
    died = time.monotonic()
    while event.seconds is None and time.monotonic() - died < PATIENCE_SECONDS:
        went_on, seconds = watch(), time.monotonic() - died
        if event.noticed_after is None and event.noticed != "nobody":
            event.noticed_after = seconds
        # A run that ended has gone on, though nobody saw how.
        if went_on or (demo.status is not None and target != DEMO):
            event.seconds = seconds
        time.sleep(0.2)
    return event


Watch = Callable[[], bool]


def _worker(demo: Demo, event: Kill, victim: int) -> Watch:
    before = set(demo.pids(WORKER))

    def went_on() -> bool:
        if not set(demo.pids(WORKER)) - before:
            return False
        event.noticed = "the daemon: another worker was started"
        return demo.n_tasks_waiting() == 0

    return went_on


def _broker(demo: Demo, event: Kill, victim: int) -> Watch:
    seen = len(demo.lines)

    def went_on() -> bool:
        lines = demo.lines[seen:]
        signs = [line for line in lines if line.startswith("Trouble: ")]
        if signs:
            event.noticed = f"the watch of the demo: {signs[0]}"
        mended = any("Started the daemon" in line for line in lines)
        return mended and bool(demo.pids(BROKER)) and demo.n_tasks_waiting() == 0

    return went_on


def _demo(demo: Demo, event: Kill, victim: int) -> Watch:
    seen = len(demo.lines)

    def went_on() -> bool:
        if demo.calls[-1].pid == victim and demo.status is not None:
            demo.call()
        lines = demo.lines[seen:]
        told = [
            line for line in lines if line.startswith(("Trouble: ", "Going on", "Submitted", "The set-up", "This demo"))
        ]
        event.noticed = f"the next call: {told[0]}" if told else event.noticed
        return any(line.startswith(("Going on", "Submitted", "This demo")) for line in told)

    return went_on


def _program(demo: Demo, event: Kill, victim: int) -> Watch:
    job = demo.job_of(event.target, victim)

    def went_on() -> bool:
        rows = {row[0]: row for row in demo.jobs(event.target)}
        if job not in rows or rows[job][3] != "finished":
            return False
        if rows[job][4] == 0:
            # Its result was written before it was killed: nothing is to be made good.
            event.noticed = f"AiiDA: job {job} had its result already"
            return True
        event.noticed = f"AiiDA: job {job} ended with {rows[job][4]}; its WorkChain starts another"
        return any(pk > job and row[2] == rows[job][2] for pk, row in rows.items())

    return went_on


# -------------------------------------------------------------------------------- a storm of them
@dataclass
class Storm:
    """A run with its kills."""

    demo: Demo
    kills: list[Kill] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Reason, by target."""


def storm(
    result: Storm, targets: Sequence[str], rng: random.Random, *, pause: tuple[float, float], unwatched: float = 0.0
) -> None:
    """Run the demo to its end and kill each target meanwhile, as soon as its turn has come and it is alive.

    :param result: takes each kill as it is done.
    :param targets: in any order; programs have their turn when they run.
    :param pause: shortest and longest time between two kills, seconds.
    :param unwatched: how likely the broker or a worker is killed too when the demo is, while nobody watches.
    :raises TimeoutError: the run did not go on after a kill.
    """
    demo, left = result.demo, list(targets)
    demo.call()
    while demo.status is None:
        alive = _wait(demo, left, rng, pause)
        if demo.status is not None or not alive:
            # The programs that had their turn may not come again: a worker takes the place of one of them.
            again = [target for target in left if target in {event.target for event in result.kills}]
            if again and WORKER not in left:
                left[left.index(again[0])] = WORKER
            continue
        # What runs only now and then goes first.
        rare = [target for target in alive if target in JOBS]
        target = rng.choice(rare or alive)
        left.remove(target)
        beside = [other for other in alive if other in left and other in (BROKER, WORKER)]
        then = rng.choice(beside) if target == DEMO and beside and rng.random() < unwatched else None
        if then is not None:
            left.remove(then)
        try:
            event = kill(demo, target, rng, then=then)
        except (LookupError, psutil.NoSuchProcess):
            # It ended by itself in the meantime.
            left += [target] if then is None else [target, then]
            continue
        result.kills.append(event)
        if event.seconds is None:
            raise TimeoutError(
                f"After the kill of {target} at {event.stage} the run did not go on in {PATIENCE_SECONDS:.0f} s:\n"
                + "\n".join(demo.lines[-40:])
            )
    for target in left:
        ran = target not in JOBS or demo.jobs(target)
        result.skipped[target] = "its turn did not come" if ran else NO_PART


def _wait(demo: Demo, targets: Sequence[str], rng: random.Random, pause: tuple[float, float]) -> list[str]:
    """Wait for the next moment to kill; return which targets are alive then. Programs are waited for less long."""
    shortest, longest = pause
    begin = time.monotonic()
    end = begin + rng.uniform(shortest, longest)
    while demo.status is None and time.monotonic() < end:
        time.sleep(0.2)
        if time.monotonic() - begin > shortest and any(demo.pids(target) for target in targets if target in JOBS):
            end = min(end, time.monotonic() + rng.uniform(0, PROGRAM_SECONDS))
            shortest = longest
    return [target for target in targets if demo.pids(target)]


def table(storm: Storm) -> str:
    """Return the kills as a table."""
    rows = [("", "killed", "at", "stage", "noticed", "went on", "by")]

    def after(seconds: float | None) -> str:
        return "never" if seconds is None else f"{seconds:.0f} s"

    for number, event in enumerate(storm.kills, 1):
        cells = (event.target, after(event.at), event.stage, after(event.noticed_after), after(event.seconds))
        rows.append((str(number), *cells, event.noticed))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for *short, last in rows:
        lines.append("  ".join([*(cell.ljust(width) for cell, width in zip(short, widths, strict=True)), last]))
    return "\n".join([*lines, *(f"not killed: {target}: {reason}" for target, reason in storm.skipped.items())])


def main() -> int:
    """Run the small loop in peace and in chaos; return 0 if both give the same dataset and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of targets and moments (default 1)")
    parser.add_argument("--kills", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "chaos", help="of both runs; made anew")
    parser.add_argument("--overrides", type=Path, help="YAML for `demo --overrides` (default: the small loop of tests)")
    parser.add_argument(
        "--peace", type=Path, metavar="SUMMARY", help="summary.json of a run without kills, not to repeat it"
    )
    arguments = parser.parse_args()

    folder = arguments.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    options = ["--overrides", str(arguments.overrides or small_loop(folder / "small.yaml"))]
    if arguments.peace is not None:
        expected = json.loads(arguments.peace.read_text())
    elif (found := in_peace(Demo(folder / "peace", options))) is not None:
        expected = found
    else:
        return 1
    print(f"The run with {arguments.kills} kills, seed {arguments.seed}:", flush=True)
    # Spread over the run, of which each kill makes more.
    longest = max(10.0, 1.5 * expected["wall_seconds_by_stage"]["total"] / max(arguments.kills, 1))
    targets = [TARGETS[i % len(TARGETS)] for i in range(arguments.kills)]
    is_same = in_chaos(Demo(folder / "chaos", options), targets, random.Random(arguments.seed), longest, expected)
    return 0 if is_same else 1


def in_peace(demo: Demo) -> dict[str, Any] | None:
    """Run a demo without kills; return its summary, None if it failed."""
    print("The run without kills:", flush=True)
    try:
        demo.call()
        if demo.calls[-1].wait() == 0:
            print(f"  {time.monotonic() - demo.began:.0f} s", flush=True)
            return demo.summary()
        print("\n".join(demo.lines[-30:]), "\nIt failed, so there is nothing to compare with.", sep="")
        return None
    finally:
        demo.end()


def in_chaos(demo: Demo, targets: Sequence[str], rng: random.Random, longest: float, expected: dict[str, Any]) -> bool:
    """Run a demo with kills, tell them; return whether it ends as expected, with nothing left alive.

    :param longest: between two kills, seconds.
    :param expected: summary of the run without kills.
    """
    result = Storm(demo)
    try:
        storm(result, targets, rng, pause=(2.0, longest), unwatched=0.5)
        left = demo.left_over()
    except TimeoutError as error:
        print(error)
        return False
    finally:
        demo.end()
        print(table(result))
    found = demo.summary()
    same = {name: found.get(name) == expected.get(name) is not None for name in HASHES}
    print(f"  {time.monotonic() - demo.began:.0f} s, {len(demo.calls)} calls, exit status {demo.status}")
    for name in HASHES:
        print(f"  {name:<13} {found.get(name)}  {'the same' if same[name] else f'NOT {expected.get(name)}'}")
    print(f"  alive at the end: {', '.join(str(process.pid) for process in left) or 'nothing'}")
    return demo.status == 0 and all(same.values()) and not left


def small_loop(path: Path) -> Path:
    """Write the overrides of the small loop of tests/workflow; return their path."""
    import yaml

    sys.path.insert(0, str(ROOT))
    from tests.workflow.loop import SMALL

    path.write_text(yaml.safe_dump(SMALL))
    return path


if __name__ == "__main__":
    sys.exit(main())

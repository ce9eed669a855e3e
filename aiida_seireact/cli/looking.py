"""Looking at running MD jobs where they run: the end of log and dump, what their health is, and asking them to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from numpy.typing import NDArray

from aiida_seireact.calculations.monitors import (
    FRAMES_ATOMS_MAX,
    HUNG_MINUTES,
    NO_LIMITS,
    asked_of,
    complaint_of,
    kwargs_of,
    limits_of,
)
from aiida_seireact.cli.machine import Shell, shell_on
from aiida_seireact.cli.production import (
    Production,
    Run,
    can_go_on,
    outputs_of,
    production_of,
    runs_of,
    seconds_a_step,
    stopped_by,
)
from aiida_seireact.formats.halt import stop_request
from aiida_seireact.formats.run_tail import RunTail, read_tail, stop_command, tail_command
from aiida_seireact.query.family import Member
from aiida_seireact.science.run_health import drift_mev_per_atom_per_ps

SERIES = ("step", "temp", "vol")
# More than a terminal has columns.
POINTS = 200

Series = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Sight:
    """A run as it is seen now. What is not known is None."""

    production: Production
    job_pk: int | None
    job_state: str
    temperature_k: float | None = None
    pressure_gpa: float | None = None
    volume_ang3: float | None = None
    drift_mev_per_atom_per_ps: float | None = None
    health: str = ""
    """What is wrong with the run, or why it ended; empty while all is well or nothing is known."""
    is_stopping: bool = False
    can_go_on: bool = False
    """Whether it has ended before its end, and `extend` brings it there."""
    series: Series = field(default_factory=dict)
    """Step, temperature and volume of the run so far, thinned."""


class Eyes:
    """Looks at jobs, each computer by one connection kept open, and remembers the first look at each."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._shells: dict[str, Shell] = {}
        self._first: dict[int, RunTail] = {}

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Eyes]:
        """Give eyes, and close their connections."""
        eyes = cls()
        with eyes._open:
            yield eyes

    def shell(self, job: orm.CalcJobNode) -> Shell:
        """Return the shell on the computer of a job.

        :raises ConnectionError: it can't be reached.
        """
        computer = job.computer
        if computer.uuid not in self._shells:
            try:
                self._shells[computer.uuid] = self._open.enter_context(shell_on(computer))
            except NotExistent as error:
                raise ConnectionError(f"{computer.label} is not configured for this user ({error})") from error
            except Exception as error:  # each library of ssh raises its own
                raise ConnectionError(f"{computer.label} can't be reached ({error})") from error
        return self._shells[computer.uuid]

    def tail(self, job: orm.CalcJobNode, *, frames_of: int = 0) -> RunTail | None:
        """Return the end of log and dump of a job, None if it has no folder yet.

        :raises ConnectionError: its computer can't be reached.
        """
        folder = job.get_remote_workdir()
        if folder is None:
            return None
        shell = self.shell(job)
        try:
            return read_tail(shell(tail_command(folder, frames_of=frames_of)).output)
        except Exception as error:  # as above; the next look connects anew
            self._shells.pop(job.computer.uuid, None)
            raise ConnectionError(f"{job.computer.label} does not answer ({error})") from error

    def look(self, run: Run) -> Sight:
        """Return a run as it is now."""
        job = run.running
        if job is None:
            health = stopped_by(run) or (run.chain.reason if run.chain.is_failed else "")
            return Sight(production_of(run), None, "", health=health, can_go_on=can_go_on(run), series=series_of(run))
        scheduler = job.get_scheduler_state()
        state = scheduler.value if scheduler else job.process_status or "waiting"
        asked, kwargs = asked_of(job), kwargs_of(job)
        n_atoms = asked.n_atoms if asked.n_atoms <= kwargs.get("frames_atoms_max", FRAMES_ATOMS_MAX) else 0
        try:
            tail = self.tail(job, frames_of=n_atoms)
        except ConnectionError as error:
            return Sight(production_of(run), job.pk, state, health=f"not seen: {error}", series=series_of(run))
        if tail is None or not tail.rows:
            return Sight(production_of(run, tail), job.pk, state, series=series_of(run))
        pace = seconds_a_step(self._first.setdefault(job.pk, tail), tail)
        limits = {name: value for name, value in kwargs.items() if name not in NO_LIMITS}
        quiet = (tail.quiet_seconds or 0.0) / 60
        try:
            health = complaint_of(tail, asked, limits_of(limits, run.settings.engine.stop)) or ""
        except ValueError as error:
            health = f"not seen: {error}"
        if not health and quiet > kwargs.get("hung_minutes", HUNG_MINUTES):
            health = f"its log has not grown for {quiet:.0f} minutes: it may hang, look at its machine"
        last = {name: float(column[-1]) for name, column in tail.rows.items() if np.isfinite(column[-1])}
        return Sight(
            production_of(run, tail, pace),
            job.pk,
            state,
            temperature_k=last.get("temp"),
            pressure_gpa=last["press"] * 1e-4 if "press" in last else None,
            volume_ang3=last.get("vol"),
            drift_mev_per_atom_per_ps=drift_mev_per_atom_per_ps(tail.rows, asked),
            health=health,
            is_stopping=tail.is_stopping,
            series=series_of(run, tail),
        )

    def ask_to_stop(self, job: orm.CalcJobNode, reason: str) -> None:
        """Put a stop file into the folder of a job.

        :raises ConnectionError: its computer can't be reached, or no file can be written there.
        """
        folder = job.get_remote_workdir()
        if folder is None:
            raise ConnectionError(f"job <{job.pk}> has no folder yet: try again when it is submitted")
        answer = self.shell(job)(stop_command(folder, stop_request(reason)))
        if answer.status:
            raise ConnectionError(f"no file can be written to {folder} ({answer.last_words})")


def productions_now(members: Sequence[Member]) -> tuple[Production, ...]:
    """Return how far the runs of a family are; running jobs of other machines are not looked at."""
    found = []
    with Eyes.opened() as eyes:
        for run in runs_of(members):
            job = run.running
            here = job is not None and job.computer is not None and job.computer.transport_type == "core.local"
            found.append(production_of(run, eyes.tail(job) if here else None))
    return tuple(found)


def series_of(run: Run, tail: RunTail | None = None) -> Series:
    """Return step, temperature and volume of a run so far: of ended segments by their nodes, of the running one as
    far back as its tail goes.
    """
    link = run.node.base.links.get_incoming(link_label_filter="previous__trajectory").first()
    parts = [] if link is None else [_thinned(link.node.uuid)]
    if "trajectory" in run.node.outputs:
        parts = [_thinned(run.node.outputs.trajectory.uuid)]
    else:
        parts += [_thinned(uuid) for uuid in outputs_of(run.jobs, "trajectory", "uuid")]
        if tail is not None and tail.rows:
            parts.append(tail.rows)
    parts = [part for part in parts if set(SERIES) <= set(part)]
    return {name: np.concatenate([part[name] for part in parts]) for name in SERIES} if parts else {}


@lru_cache(maxsize=4096)
def _thinned(uuid: str) -> Any:
    """Return the series of a trajectory, means of blocks; a node never changes, so it is read once."""
    node = orm.load_node(uuid)
    # Each column is a file of its own: no more of them are read than are drawn.
    names = {name: f"thermo_{name}" for name in SERIES}
    if not set(names.values()) <= set(node.get_arraynames()):
        return {}
    return {name: _means(node.get_array(key)) for name, key in names.items()}


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    blocks: Sequence[NDArray[np.float64]] = np.array_split(values, min(POINTS, len(values)) or 1)
    return np.array([block.mean() for block in blocks if len(block)])

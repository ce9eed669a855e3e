"""The ends of the log and the dump of a running segment, however long they are, by one command of its computer.

The command takes ``stat``, ``tail`` and ``grep`` of any Linux, so that it runs beside any LAMMPS; what it reads is
bounded, so that looking costs the same on the first and on the last day of a run.
"""

from __future__ import annotations

import base64
import re
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.dump import DumpError, NotFiniteError, Snapshot, read_dump
from aiida_seireact.formats.halt import STOP_FILE
from aiida_seireact.formats.lammps_settings import DUMP_FILE
from aiida_seireact.formats.thermo import INPUT_WORDS

Columns = dict[str, NDArray[np.float64]]

# 200 rows of our table, which is 20 columns wide.
LOG_BYTES = 65_536
# Of an atom in a frame of ours with velocities, and of what stands before the atoms.
ROW_BYTES, HEADER_BYTES = 96, 1024
_PART = "=== seireact: "
_ROW = re.compile(r"^\s*-\s*\[(.*)\]\s*$")


@dataclass(frozen=True)
class RunTail:
    """What there is to see of a running segment.

    :param rows: the last rows of its thermo table, ``(n_rows,)`` by our names (``step``, ``temp``, ``vol``, …), in
        LAMMPS's metal units; empty before the first one.
    :param frames: its last whole frames, at most two; without those that were not asked for.
    :param is_broken: positions of the last frames are not numbers any more; there are no frames then.
    :param first_step: of the first row of its log; -1 without one.
    :param now: by the clock of its computer, seconds.
    :param written: when its log was last written to; None without a log.
    :param begun: when it began; None where it can't be told.
    :param is_stopping: somebody has asked it to end.
    :param has_ended: LAMMPS came to the end of its input.
    """

    rows: Columns = field(default_factory=dict)
    frames: tuple[Snapshot, ...] = ()
    is_broken: bool = False
    first_step: int = -1
    now: float = 0.0
    written: float | None = None
    begun: float | None = None
    is_stopping: bool = False
    has_ended: bool = False

    @property
    def quiet_seconds(self) -> float | None:
        """Since its log was last written to; None without a log."""
        return None if self.written is None else max(self.now - self.written, 0.0)

    @property
    def last_step(self) -> int:
        """Of the last row, -1 without one."""
        return int(self.rows["step"][-1]) if self.rows else -1


def tail_command(folder: str, *, frames_of: int = 0, log_bytes: int = LOG_BYTES) -> str:
    """Return the command whose output `read_tail` reads.

    :param frames_of: number of atoms of the last frames to bring; 0: none.
    """
    log = files.LAMMPS_LOG
    # The last frame may not be whole yet.
    dump_bytes = 3 * (frames_of * ROW_BYTES + HEADER_BYTES)
    parts = [
        f"cd {shlex.quote(folder)} || exit 1",
        # The begin of the log, where the file system keeps it; else the scheduler's file, which nothing is written to.
        f"echo '{_PART}clock'; date +%s; stat -c '%Y %W' {log} || echo '- -'",
        "stat -c %Y _scheduler-stdout.txt || echo -",
        f"test -e {STOP_FILE} && echo '{_PART}stopping'",
        f"echo '{_PART}head'; grep -m 1 -A 2 '^keywords:' {log}",
        f"echo '{_PART}log'; grep -m 1 '^keywords:' {log}; tail -c {log_bytes} {log}",
    ]
    if frames_of:
        parts.append(f"echo; echo '{_PART}dump'; tail -c {dump_bytes} {DUMP_FILE}")
    # A tail may begin within a letter, which no transport would decode.
    return "{ " + "\n".join(parts) + "\n} 2>/dev/null | LC_ALL=C tr -cd '\\11\\12\\40-\\176'"


def stop_command(folder: str, request: str) -> str:
    """Return the command that puts a stop file into a folder, unless there is one.

    :param request: its content, see `aiida_seireact.formats.halt.stop_request`.
    """
    text = base64.b64encode(request.encode()).decode()
    # LAMMPS sees it whole or not at all.
    new = f".{STOP_FILE}.new"
    return f"cd {shlex.quote(folder)} && echo {text} | base64 -d > {new} && mv -n {new} {STOP_FILE}; rm -f {new}"


def read_tail(output: str) -> RunTail | None:
    """Return what a `tail_command` has found; None if the folder is not there. A dump of another form has no frames."""
    parts = {}
    for part in output.split(_PART)[1:]:
        name, _, text = part.partition("\n")
        parts[name] = text
    if "clock" not in parts:
        return None
    log, is_broken = parts.get("log", ""), False
    frames: tuple[Snapshot, ...] = ()
    try:
        frames = last_frames(parts.get("dump", ""))
    except NotFiniteError:
        is_broken = True
    except DumpError:
        pass
    # What is not there is a dash; a file system that keeps no birth of a file says 0.
    words = [float(word) if word.isdigit() else None for word in (*parts["clock"].split(), *"----")[:4]]
    now, written, born, scheduled = words
    head = last_rows(parts.get("head", ""))
    return RunTail(
        rows=last_rows(log),
        frames=frames,
        is_broken=is_broken,
        first_step=int(head["step"][0]) if head else -1,
        now=now or 0.0,
        written=written,
        begun=None if written is None else born or scheduled,
        is_stopping="stopping" in parts,
        has_ended="\nTotal wall time:" in log,
    )


def last_rows(text: str) -> Columns:
    """Return the rows of the end of a log, in order, the last run's; torn lines at both ends are left out.

    :param text: the line ``keywords: […]`` and the end of a log, which may hold it again.
    """
    names: list[str] = []
    rows: list[list[float]] = []
    for line in text.splitlines():
        if line.startswith("keywords:"):
            found = [word.strip().strip("'\"") for word in line.partition("[")[2].partition("]")[0].split(",")]
            names = [INPUT_WORDS.get(word, word.lower()) for word in found if word.strip()]
            rows = []
        elif (match := _ROW.match(line)) and (row := _numbers(match[1], len(names))):
            rows.append(row)
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return {name: table[:, column].copy() for column, name in enumerate(names)} if rows else {}


def last_frames(text: str) -> tuple[Snapshot, ...]:
    """Return the last two whole frames of the end of a dump, in order; fewer where there are not as many.

    :raises NotFiniteError: one of them holds NaN or infinity.
    :raises DumpError: a dump of another form than ours.
    """
    begin = text.find("ITEM: TIMESTEP\n")
    if begin < 0:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DUMP_FILE
        path.write_text(text[begin:], encoding="utf-8")
        return tuple(read_dump(path, stop_before_truncated=True))[-2:]


def _numbers(text: str, count: int) -> list[float]:
    try:
        # YAML writes .nan, LAMMPS writes nan.
        words = text.lower().replace(".nan", "nan").replace(".inf", "inf").split(",")
        row = [float(word) for word in words if word.strip()]
    except ValueError:
        return []
    return row if len(row) == count else []

"""What a LAMMPS log tells beside its thermo table: how it ended, on how many ranks, how long it took."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from aiida_seireact.formats.thermo import ThermoError, read_thermo

_VERSION = re.compile(r"^LAMMPS \((.+?)\)")
_ATOMS = re.compile(r"^\s*(\d+) atoms\s*$", re.MULTILINE)
_ERROR = re.compile(r"^ERROR(?: on proc \d+)?: (.+?)(?: \(src/.*|\s*$)", re.MULTILINE)
_LOOP = re.compile(r"^Loop time of (\S+) on (\d+) procs for (\d+) steps", re.MULTILINE)
_THREADS = re.compile(r"^\s*using (\d+) OpenMP thread", re.MULTILINE)
_WALL = re.compile(r"^Total wall time:", re.MULTILINE)


@dataclass(frozen=True)
class LogFacts:
    """The facts.

    :param version: as LAMMPS writes it, ``22 Jul 2025 - Update 4``.
    :param n_atoms: of the cell, 0 where the log ends before it is known.
    :param last_step: of the thermo table, -1 without one.
    :param loop_seconds: of all runs, by LAMMPS's clock.
    :param error: LAMMPS's own sentence, None if it met none.
    :param is_whole: LAMMPS came to the end of its input.
    """

    version: str
    n_atoms: int
    last_step: int
    loop_seconds: float
    ranks: int
    threads: int
    error: str | None
    is_whole: bool


def read_log(path: str | Path) -> LogFacts:
    """Read a log, also one that ends anywhere; one that is not there is that of a LAMMPS that never began."""
    source = Path(path)
    text = source.read_text(encoding="utf-8", errors="replace") if source.is_file() else ""
    try:
        last_step = int(read_thermo(source)["Step"][-1])
    except (ThermoError, IndexError):
        last_step = -1
    version, atoms, error = _VERSION.search(text), _ATOMS.search(text), _ERROR.search(text)
    loops = _LOOP.findall(text)
    threads = _THREADS.search(text)
    return LogFacts(
        version=version[1] if version else "",
        n_atoms=int(atoms[1]) if atoms else 0,
        last_step=last_step,
        loop_seconds=sum(float(seconds) for seconds, _, _ in loops),
        ranks=int(loops[-1][1]) if loops else 1,
        threads=int(threads[1]) if threads else 1,
        error=error[1].strip() if error else None,
        is_whole=_WALL.search(text) is not None,
    )

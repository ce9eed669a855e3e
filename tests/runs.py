"""Folders of MD runs as LAMMPS leaves them, made by hand: a log and a dump of any length and any illness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.formats.dump import Snapshot

HEAD = """LAMMPS (22 Jul 2025 - Update 4)
Reading data file ...
---
keywords: ['Step', 'Temp', 'PotEng', 'KinEng', 'TotEng', 'Econserve', 'Press', 'Volume', ]
data:
"""


def log_of(rows: int, every: int = 10, first: int = 0, **last: float) -> str:
    """Return a log of a sound run of 108 atoms that is running.

    :param last: values of the last three rows by their keyword, where they are other ones.
    """
    lines = []
    for index in range(rows):
        row = {"Temp": 300.0 + index % 7, "PotEng": -400.0, "KinEng": 4.0, "TotEng": -396.0, "Econserve": -395.5}
        row |= {"Press": 100.0 * (-1) ** index, "Volume": 5000.0 + index % 5}
        row |= last if index >= rows - 3 else {}
        lines.append(f"  - [{first + index * every}, {', '.join(f'{value:.12g}' for value in row.values())}, ]")
    return HEAD + "\n".join(lines) + "\n"


def dump_of(positions: Sequence[ArrayLike], edge: float, symbol: str = "Li", every: int = 10) -> str:
    """Return a dump of frames of one element in a cube, ``every`` steps from frame to frame."""
    parts = []
    for index, frame in enumerate(positions):
        atoms = np.asarray(frame, dtype=float)
        parts.append(f"ITEM: TIMESTEP\n{index * every}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n")
        parts.append("ITEM: BOX BOUNDS pp pp pp\n" + f"0.0 {edge:.8f}\n" * 3)
        parts.append("ITEM: ATOMS id element xu yu zu\n")
        parts += [f"{number} {symbol} {x:.6f} {y:.6f} {z:.6f}\n" for number, (x, y, z) in enumerate(atoms, 1)]
    return "".join(parts)


def grid(count: int = 3, spacing: float = 3.0) -> np.ndarray:
    """Return the ``(count^3, 3)`` points of a cubic grid."""
    return spacing * np.stack(np.meshgrid(*[np.arange(count)] * 3), axis=-1).reshape(-1, 3)


def write_run(folder: Path, log: str, dump: str = "") -> None:
    """Write log and dump."""
    (folder / "log.lammps").write_text(log)
    if dump:
        (folder / "traj.dump").write_text(dump)


def steps_of(frames: Sequence[Snapshot]) -> list[int]:
    """Return the step of each frame."""
    return [frame.step for frame in frames]

"""What CP2K 2023.1 writes over a REFTRAJ run, read frame by frame.

The parsers of aiida-cp2k 2.1.1 read no stress, and let an electronic structure pass that is not converged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from ase.units import Bohr, GPa, Hartree
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FRAME = "SCF WAVEFUNCTION OPTIMIZATION"
CONVERGED = re.compile(r"\*\*\* SCF run converged in\s+(\d+) steps \*\*\*")
NOT_CONVERGED = "SCF run NOT converged"
ENERGY = re.compile(r"^ ENERGY\| Total FORCE_EVAL \( QS \) energy \[a\.u\.\]:\s+(\S+)\s*$", re.MULTILINE)
FORCES = re.compile(r"^ ATOMIC FORCES in \[a\.u\.\]\n(.*?)^ SUM OF ATOMIC FORCES", re.MULTILINE | re.DOTALL)
STRESS = re.compile(r"^ STRESS\| Analytical stress tensor \[GPa\]\n.*\n(.*\n.*\n.*\n) STRESS\| 1/3 Trace", re.MULTILINE)
VERSION = re.compile(r"^ CP2K\| version string:\s+CP2K version (\S+)", re.MULTILINE)
ABORT = re.compile(r"\[ABORT\](.*?)\n \*{70,}", re.DOTALL)
STEP = re.compile(r"i =\s*(\d+), time =.*E =\s*(\S+)")
FINISHED = "PROGRAM STOPPED IN"
XX_YY_ZZ_YZ_XZ_XY = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
# The comment of the file of positions has ten decimals.
SAME_ENERGY_HARTREE = 2e-10


@dataclass(frozen=True, eq=False)
class Cp2kFrame:
    """One frame that was computed to its end. Units eV, Å; stress in eV/Å³ with ASE's sign and order.

    :param converged: CP2K says so for this frame, and nowhere says the contrary.
    :param energy: the free energy, -TS within; the forces are its slope.
    :param forces: ``(n_atoms, 3)``
    :param stress: ``(6,)``, None where none was asked for.
    :param symbols: ``(n_atoms,)`` of the atoms, as they came back.
    :param positions: ``(n_atoms, 3)``
    :param cell: ``(3, 3)``
    """

    converged: bool
    energy: float
    forces: FloatArray
    stress: FloatArray | None
    symbols: tuple[str, ...]
    positions: FloatArray
    cell: FloatArray


@dataclass(frozen=True, eq=False)
class Cp2kOutput:
    """A run of CP2K.

    :param version: as it tells itself, empty if it did not get so far.
    :param frames: the first frames of the run, up to the last whole one.
    :param abort: what CP2K said when it gave up, None if it did not.
    :param finished: it came to its regular end.
    """

    version: str
    frames: tuple[Cp2kFrame, ...]
    abort: str | None
    finished: bool


def read_output(stdout: str, positions: str = "", cells: str = "") -> Cp2kOutput:
    """Return what a run left.

    A frame counts if it is whole in all three files, and if the energy beside its positions is the one of its block of
    the standard output; the first that does not ends the list, since all that follow could be of other frames.

    :param stdout: standard output.
    :param positions: ``aiida-pos-1.xyz``; empty if there is none.
    :param cells: ``aiida-1.cell``; empty if there is none.
    """
    version, abort = VERSION.search(stdout), ABORT.search(stdout)
    frames = []
    blocks = stdout.split(FRAME)[1:]
    for number, (block, place, cell) in enumerate(zip(blocks, _read_xyz(positions), _read_cells(cells)), start=1):
        frame = _read_frame(block, number, place, cell)
        if frame is None:
            break
        frames.append(frame)
    return Cp2kOutput(
        version=version[1] if version else "",
        frames=tuple(frames),
        abort=_words(abort[1]) if abort else None,
        finished=FINISHED in stdout,
    )


@dataclass(frozen=True, eq=False)
class _Place:
    step: int
    energy: float
    symbols: tuple[str, ...]
    positions: FloatArray


def _read_frame(block: str, number: int, place: _Place, cell: tuple[int, FloatArray]) -> Cp2kFrame | None:
    energies, forces, stress = ENERGY.findall(block), FORCES.search(block), STRESS.search(block)
    if len(energies) != 1 or forces is None or (place.step, cell[0]) != (number, number):
        return None
    try:
        energy = float(energies[0])
        rows = [[float(word) for word in line.split()[3:6]] for line in forces[1].splitlines()[2:] if line.strip()]
        tensor = None
        if stress is not None:
            tensor = np.array([[float(word) for word in line.split()[2:5]] for line in stress[1].splitlines()])
    except ValueError:  # a row of asterisks
        return None
    # Written so that a NaN is no match.
    if not abs(energy - place.energy) <= SAME_ENERGY_HARTREE or len(rows) != len(place.symbols):
        return None
    return Cp2kFrame(
        converged=len(CONVERGED.findall(block)) == 1 and NOT_CONVERGED not in block,
        energy=energy * Hartree,
        forces=np.array(rows, dtype=np.float64).reshape(-1, 3) * (Hartree / Bohr),
        # Printed is the pressure-like sign, positive where the cell is squeezed: the negative of the stress.
        stress=None if tensor is None else -tensor[XX_YY_ZZ_YZ_XZ_XY] * GPa,
        symbols=place.symbols,
        positions=place.positions,
        cell=cell[1],
    )


def _read_xyz(text: str) -> list[_Place]:
    """Return the whole frames of the file of positions; a torn last one is left out."""
    lines, places = text.splitlines(keepends=True), []
    while lines and lines[0].strip().isdigit():
        count = int(lines[0])
        comment, rows = STEP.search(lines[1]) if len(lines) > 1 else None, lines[2 : 2 + count]
        if comment is None or len(rows) < count or not rows[-1].endswith("\n"):
            break
        words = [row.split() for row in rows]
        try:
            positions = np.array([[float(word) for word in row[1:4]] for row in words], dtype=np.float64)
            energy = float(comment[2])
        except ValueError:
            break
        places.append(_Place(int(comment[1]), energy, tuple(row[0] for row in words), positions))
        lines = lines[2 + count :]
    return places


def _read_cells(text: str) -> list[tuple[int, FloatArray]]:
    """Return step and cell of each whole line of the file of cells."""
    cells: list[tuple[int, FloatArray]] = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if line.startswith("#") or not line.endswith("\n") or len(words) != 12:
            continue
        try:
            cells.append((int(words[0]), np.array([float(word) for word in words[2:11]]).reshape(3, 3)))
        except ValueError:
            break
    return cells


def _words(box: str) -> str:
    """Return the message in the box of an abort, without the figure on its left and the frame."""
    lines = [line.rstrip(" *")[9:].strip() for line in box.splitlines()]
    return " ".join(line for line in lines if line)

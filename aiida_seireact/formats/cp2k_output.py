"""What CP2K writes, frame by frame, in its own units. Read as CP2K 2023.1 writes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BEGIN = "SCF WAVEFUNCTION OPTIMIZATION"
CONVERGED = re.compile(r"\*\*\* SCF run converged in +(\d+) steps")
NOT_CONVERGED = "SCF run NOT converged"
ENERGY = re.compile(r"^ *ENERGY\| Total FORCE_EVAL .*: +(\S+)$")
FORCES, END_OF_FORCES = "ATOMIC FORCES in [a.u.]", "SUM OF ATOMIC FORCES"
STRESS = "STRESS| Analytical stress tensor [GPa]"
STRESS_ROW = re.compile(r"^ *STRESS\| +[xyz] +(\S+) +(\S+) +(\S+)$")
STRESS_TITLE = re.compile(r"^ *STRESS\| +x +y +z *$")
VERSION = re.compile(r"CP2K\| version string: +CP2K version +(\S+)")
KIND = re.compile(r"^ *\d+\. Atomic kind: (\w+) ")
END_OF_KINDS = "MOLECULE KIND INFORMATION"
ENDED = "PROGRAM ENDED AT"


@dataclass(frozen=True, eq=False)
class Cp2kFrame:
    """One frame of a job as far as it came.

    :param scf_steps: of a converged SCF; 0 where CP2K does not say that it converged.
    :param not_converged: CP2K says that the SCF did not converge; then it goes on all the same.
    :param energy_ha: ``Total FORCE_EVAL``, the free energy where occupations are smeared.
    :param forces_au: ``(n_atoms, 3)`` Hartree/bohr.
    :param stress_gpa: ``(3, 3)``, positive where the cell is compressed.
    """

    scf_steps: int = 0
    not_converged: bool = False
    energy_ha: float | None = None
    forces_au: FloatArray | None = None
    stress_gpa: FloatArray | None = None

    @property
    def converged(self) -> bool:
        """The positive mark: CP2K says that this frame converged, and nowhere that it did not."""
        return self.scf_steps > 0 and not self.not_converged


@dataclass(frozen=True)
class Cp2kOutput:
    """A whole or torn output.

    :param version: empty where CP2K did not come so far.
    :param frames: those that were begun, in their order; the last may be torn.
    :param kinds_sha256: of basis set and potential of each element, as CP2K prints them: the same under whatever
        name and path.
    :param abort: why CP2K stopped, empty if it did not.
    :param ended: CP2K came to its end.
    """

    version: str = ""
    frames: list[Cp2kFrame] = field(default_factory=list)
    kinds_sha256: dict[str, str] = field(default_factory=dict)
    abort: str = ""
    ended: bool = False


def read_output(text: str) -> Cp2kOutput:
    """Read the standard output of CP2K."""
    version = VERSION.search(text)
    _, *parts = text.split(BEGIN)
    return Cp2kOutput(
        version=version[1] if version else "",
        frames=[_frame(part) for part in parts],
        kinds_sha256=_kinds(text),
        abort=abort_of(text),
        ended=ENDED in text,
    )


def _frame(text: str) -> Cp2kFrame:
    steps, energy = 0, None
    forces: list[list[float]] = []
    stress: list[list[float]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if match := CONVERGED.search(line):
            steps = int(match[1])
        elif match := ENERGY.match(line):
            energy = _number(match[1])
        elif FORCES in line:
            forces = _forces(lines)
        elif STRESS in line:
            stress = _stress(lines)
    return Cp2kFrame(
        scf_steps=steps,
        not_converged=NOT_CONVERGED in text,
        energy_ha=energy,
        forces_au=np.array(forces, dtype=np.float64) if forces else None,
        stress_gpa=np.array(stress, dtype=np.float64) if len(stress) == 3 else None,
    )


def _forces(lines: Iterator[str]) -> list[list[float]]:
    """Return the rows of a table, none if its last line is missing."""
    rows: list[list[float]] = []
    for line in lines:
        if END_OF_FORCES in line:
            return rows
        words = line.split()
        if len(words) == 6 and words[0].isdigit():
            rows.append([_number(word) for word in words[3:]])
    return []


def _stress(lines: Iterator[str]) -> list[list[float]]:
    rows: list[list[float]] = []
    for line in lines:
        if match := STRESS_ROW.match(line):
            rows.append([_number(word) for word in match.groups()])
        elif not STRESS_TITLE.match(line):
            break
        if len(rows) == 3:
            break
    return rows


def _number(word: str) -> float:
    """Return a number; what Fortran could not write (``*****``) is no number, and refused as such."""
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _kinds(text: str) -> dict[str, str]:
    """Return the sha256 of each element's basis set and potential as printed, without the number of its atoms."""
    found: dict[str, list[str]] = {}
    inside: list[str] | None = None
    for line in text.splitlines():
        if match := KIND.match(line):
            inside = found.setdefault(match[1], [])
        elif END_OF_KINDS in line:
            break
        elif inside is not None and (words := line.split()):
            inside.append(" ".join(words))
    return {element: hashlib.sha256("\n".join(lines).encode()).hexdigest() for element, lines in sorted(found.items())}


def abort_of(text: str) -> str:
    """Return what CP2K says in its box of stars when it stops, an empty string if there is none."""
    _, mark, box = text.partition("[ABORT]")
    words = []
    for line in box.splitlines()[1:] if mark else ():
        if set(line.strip()) == {"*"}:
            break
        # Between the stars of the box, right of a drawing; the last line is the place in the source.
        words.append(line.strip()[9:-1])
    return " ".join(" ".join(words).split())


def read_positions(text: str) -> tuple[list[str], FloatArray]:
    """Read the whole frames of ``-pos-1.xyz``.

    :returns: symbols of the atoms, and positions ``(n_frames, n_atoms, 3)`` in Å.
    """
    # A line that is cut looks like a shorter number: only lines with their line feed count.
    rows = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    n_atoms = int(rows[0][0]) if rows and len(rows[0]) == 1 and rows[0][0].isdigit() else 0
    frames: list[list[list[float]]] = []
    symbols: list[str] = []
    for start in range(0, len(rows), n_atoms + 2) if n_atoms else ():
        block = rows[start + 2 : start + 2 + n_atoms]
        if len(block) < n_atoms or any(len(row) != 4 for row in block):
            break
        symbols = [row[0] for row in block]
        frames.append([[_number(word) for word in row[1:]] for row in block])
    return symbols, np.array(frames, dtype=np.float64).reshape(len(frames), n_atoms, 3)


def read_cells(text: str) -> FloatArray:
    """Read the whole lines of ``-1.cell``: cells ``(n_frames, 3, 3)`` in Å, lattice vectors in rows."""
    rows = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    cells = [[_number(word) for word in row[2:11]] for row in rows if len(row) == 12 and row[0].isdigit()]
    return np.array(cells, dtype=np.float64).reshape(-1, 3, 3)

"""MD of pw.x read from its standard output, step by step. Read as pw.x 6.7 writes it.

Its XML is written at the end only, so a run that was killed has none; and of MD it keeps no stresses (up to 7.0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from ase.data import atomic_numbers
from ase.units import GPa
from numpy.typing import NDArray

from aiida_seireact.formats.labels import Label

FloatArray = NDArray[np.float64]

# Those of qe_tools 2.3, by which aiida-quantumespresso converts what it reads (CODATA 2006): with newer ones the energy
# of a step would differ by 1e-7 of itself, 18 µeV an atom of Li, from that of the same frame as a single point.
RYDBERG_EV, BOHR_ANG, RYDBERG_PER_BOHR3_GPA = 13.6056917253, 0.52917720859, 14710.508041157144

VERSION = re.compile(r"Program PWSCF v\.(\S+) starts")
BEGIN = "     Self-consistent Calculation\n"
CONVERGED = re.compile(r"convergence has been achieved in +(\d+) iterations")
NOT_CONVERGED = re.compile(r"convergence NOT achieved after +(\d+) iterations")
ENERGY = re.compile(r"^! +total energy += +(\S+) Ry$", re.MULTILINE)
FORCE = re.compile(r"^ +atom +(\d+) type +\d+ +force = +(\S+) +(\S+) +(\S+)$", re.MULTILINE)
END_OF_FORCES = "Total force ="
STRESS = re.compile(r"total +stress +\(Ry/bohr\*\*3\).*\n((?:.*\n){3})")
POSITIONS = re.compile(r"^ATOMIC_POSITIONS \(angstrom\)\n((?:[A-Z]\S* +\S+ +\S+ +\S+\n)+)", re.MULTILINE)
ENDED = "JOB DONE."
XX_YY_ZZ_YZ_XZ_XY = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))


@dataclass(frozen=True, eq=False)
class PwMd:
    """A whole or torn output.

    :param version: empty where pw.x did not come so far.
    :param labels: of each step that is whole, from the start on, in eV and Å with ASE's sign of the stress; a string
        where pw.x says that its SCF did not converge. That of the start has no positions.
    :param ended: pw.x came to its end.
    """

    version: str = ""
    labels: list[Label | str] = field(default_factory=list)
    ended: bool = False


def read_md(text: str) -> PwMd:
    """Read the standard output of MD. pw.x tells after each step where the atoms go, so positions come one earlier."""
    version = VERSION.search(text)
    _, *parts = text.split(BEGIN)
    labels: list[Label | str] = []
    place: tuple[NDArray[np.int64], FloatArray] | None = None
    for part in parts:
        label = _label(part, place)
        if label is None:
            break
        labels.append(label)
        place = _positions(part)
        if place is None:
            break
    return PwMd(version=version[1] if version else "", labels=labels, ended=ENDED in text)


def _label(part: str, place: tuple[NDArray[np.int64], FloatArray] | None) -> Label | str | None:
    """Return the label of a step, why it has none, or None where the output is torn."""
    if match := NOT_CONVERGED.search(part):
        return f"its electronic structure is not converged after {match[1]} steps"
    energy = ENERGY.search(part)
    if energy is None or END_OF_FORCES not in part:
        return None
    rows = STRESS.search(part)
    return Label(
        energy=_number(energy[1]) * RYDBERG_EV,
        forces=_forces(part) * (RYDBERG_EV / BOHR_ANG),
        stress=None if rows is None else _stress(rows[1]),
        converged=CONVERGED.search(part) is not None,
        numbers=None if place is None else place[0],
        positions=None if place is None else place[1],
    )


def _forces(part: str) -> FloatArray:
    """Return the total forces in Ry/bohr; at high verbosity their contributions follow, atom by atom anew."""
    forces: list[list[float]] = []
    for number, *words in FORCE.findall(part):
        if int(number) != len(forces) + 1:
            break
        forces.append([_number(word) for word in words])
    return np.array(forces, dtype=np.float64).reshape(-1, 3)


def _stress(rows: str) -> FloatArray:
    """Return a stress in eV/Å³, negative where the cell is compressed; pw.x has it the other way."""
    matrix = np.array([[_number(word) for word in row.split()[:3]] for row in rows.splitlines()])
    return np.asarray(-matrix[XX_YY_ZZ_YZ_XZ_XY] * (RYDBERG_PER_BOHR3_GPA * GPa))


def _positions(part: str) -> tuple[NDArray[np.int64], FloatArray] | None:
    """Return atomic numbers and positions of the next step, None where they are not written or cut off."""
    match = POSITIONS.search(part)
    # The line after the table tells that no atom is missing.
    if match is None or not part[match.end() :]:
        return None
    rows = [row.split() for row in match[1].splitlines()]
    numbers = np.array([atomic_numbers.get(row[0].rstrip("0123456789"), 0) for row in rows])
    return numbers, np.array([[_number(word) for word in row[1:4]] for row in rows])


def _number(word: str) -> float:
    """Return a number; what Fortran could not write (``*****``) is no number, and refused as such."""
    try:
        return float(word)
    except ValueError:
        return float("nan")

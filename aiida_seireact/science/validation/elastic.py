"""Elastic constants of a cubic crystal from stresses under small strains, by pymatgen's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.units import GPa
from numpy.typing import ArrayLike, NDArray
from pymatgen.core.elasticity.elastic import ElasticTensor
from pymatgen.core.elasticity.strain import Strain
from pymatgen.core.elasticity.stress import Stress

from aiida_seireact.science.validation.crystals import conventional_cell
from aiida_seireact.science.validation.eos import strained
from aiida_seireact.science.validation.lines import Asked, Evidence, Labels, Line, Pair, Phases, phase_of
from aiida_seireact.science.validation.targets import Measured

FloatArray = NDArray[np.float64]
AMOUNTS = (-0.01, -0.005, 0.005, 0.01)
"""Strains: small enough to be linear, and either sign, so that the next order cancels."""
MODES = ((0, 0), (1, 2))
"""Components of the strain that a cubic crystal needs: along an edge, and in the plane of two edges."""


@dataclass(frozen=True)
class ElasticConstants:
    """Elastic constants of a cubic crystal, GPa."""

    c11: float
    c12: float
    c44: float
    pressure: float = 0.0
    """At zero strain."""

    @property
    def bulk(self) -> float:
        """Bulk modulus, (C11 + 2 C12) / 3."""
        return (self.c11 + 2 * self.c12) / 3

    @property
    def shear(self) -> float:
        """Shear modulus of a polycrystal, mean of Voigt and Reuss (R. Hill, Proc. Phys. Soc. A 65, 349 (1952))."""
        return float(self.tensor.g_vrh)

    @property
    def anisotropy(self) -> float:
        """Zener's ratio, 2 C44 / (C11 − C12); 1 is isotropic."""
        return 2 * self.c44 / (self.c11 - self.c12)

    @property
    def stability(self) -> float:
        """The smallest of C11 − C12, C11 + 2 C12 and C44, GPa: a crystal needs all of them positive.

        These are Born's conditions (F. Mouhat and F.-X. Coudert, Phys. Rev. B 90, 224104 (2014), eq. 7).
        """
        return min(self.c11 - self.c12, self.c11 + 2 * self.c12, self.c44)

    @property
    def tensor(self) -> ElasticTensor:
        """The tensor in the axes of the cube, of which pymatgen knows all the rest."""
        voigt = np.diag([self.c11] * 3 + [self.c44] * 3)
        voigt[:3, :3] += self.c12 * (1 - np.eye(3))
        return ElasticTensor.from_voigt(voigt)


def cubic_cell(atoms: Atoms) -> Atoms:
    """Return the conventional cell of a crystal, its edges along x, y and z, whatever cell of it is given.

    :raises ValueError: the crystal is not cubic.
    """
    cell, system = conventional_cell(atoms)
    if system != "cubic":
        raise ValueError(f"elastic constants are of cubic crystals here, this one is {system}: leave out the line")
    return cell


def deformed(atoms: Atoms, amounts: Sequence[float] = AMOUNTS) -> list[Atoms]:
    """Return the cell itself, then deformed: all amounts of the first of `MODES`, then of the second.

    Fractional coordinates are kept. Atoms at inversion centres, as in bcc, fcc and rock salt, feel no force then and
    the constants are exact; where symmetry leaves atoms free the constants are those of clamped ions, which are larger.

    :param atoms: conventional cell of a cubic crystal, edges along x, y and z.
    """
    cells = [atoms.copy()]
    for mode in MODES:
        for amount in amounts:
            cell = atoms.copy()
            gradient = np.asarray(Strain.from_index_amount(mode, amount).get_deformation_matrix())
            cell.set_cell(atoms.cell.array @ gradient.T, scale_atoms=True)
            cells.append(cell)
    return cells


def elastic_constants(stresses: ArrayLike, amounts: Sequence[float] = AMOUNTS) -> ElasticConstants:
    """Return the constants from the stresses of `deformed` cells.

    They are slopes of the stress, so a crystal that is under some pressure at zero strain has slopes too: they are
    constants in the strict sense at zero pressure.

    :param stresses: ``(1 + 2 * n_amounts, 6)`` eV/Å³, sign and Voigt order of ASE.
    :raises ValueError: a stress that is not a number.
    """
    given = np.asarray(stresses, dtype=float) / GPa
    if not np.isfinite(given).all():
        raise ValueError("some of the stresses are not numbers")
    strains, answers = [], []
    pairs = [(mode, amount) for mode in MODES for amount in amounts]
    for (mode, amount), voigt in zip(pairs, given[1:], strict=True):
        strain, stress = np.asarray(Strain.from_index_amount(mode, amount)), np.asarray(Stress.from_voigt(voigt))
        # The third of a turn about [111] is a symmetry of every cubic crystal, so it gives the other strains for free.
        for turn in range(3):
            axes = np.ix_(np.roll(range(3), turn), np.roll(range(3), turn))
            strains.append(Strain(strain[axes]))
            answers.append(Stress(stress[axes]))
    at_rest = Stress.from_voigt(given[0])
    c = np.asarray(ElasticTensor.from_independent_strains(strains, answers, eq_stress=at_rest).voigt)
    off = c[:3, :3][~np.eye(3, dtype=bool)]
    return ElasticConstants(
        c11=float(np.diag(c)[:3].mean()),
        c12=float(off.mean()),
        c44=float(np.diag(c)[3:].mean()),
        pressure=-float(given[0, :3].mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Elastic(Line):
    """Elastic constants of cubic phases against the labeller, by stresses of the same strained crystals.

    :param phases: names of cubic phases.
    :param quantity: ``constants``: C11, C12 and C44; ``moduli``: of bulk and of a polycrystal's shear; ``stability``:
        see `ElasticConstants.stability`.
    :param volume_ratio: volume at which they are measured, over that of the phase: take that at which the labeller's
        stress is zero. Far from it bcc metals are about to shear: Li by CHGNet has C11 − C12 = 0.16 GPa at the
        published volume, 4.7 at 0.92 of it.
    """

    test: Literal["elastic"] = "elastic"
    phases: tuple[str, ...]
    quantity: Literal["constants", "moduli", "stability"] = "constants"
    volume_ratio: float = 1.0

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases names no phase: elastic constants are of one at least")
        if not self.volume_ratio > 0:
            raise ValueError("volume_ratio is positive")

    def static(self, phases: Phases) -> list[Asked]:
        """Return the deformed cells of each phase."""
        found = []
        for name in self.phases:
            (cell,) = strained(cubic_cell(phase_of(phases, name)), [self.volume_ratio])
            found += [Asked(name, one) for one in deformed(cell)]
        return found

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the numbers of each phase."""
        by_phase: dict[str, list[Pair]] = {}
        for pair in evidence.static:
            by_phase.setdefault(pair.subject, []).append(pair)
        return [number for name, pairs in by_phase.items() for number in self._numbers(name, pairs)]

    def _numbers(self, name: str, pairs: Sequence[Pair]) -> list[Measured]:
        own, why = _found([pair.predicted for pair in pairs], "the model")
        labeller, why_not = _found([pair.reference for pair in pairs], "the labeller")
        pressure = f"at {own.pressure:.2g} GPa" if own is not None and abs(own.pressure) >= 0.005 else ""
        note = "; ".join(part for part in (why, why_not, pressure) if part)
        return [
            Measured(
                subject=name,
                quantity=quantity,
                value=float("nan") if own is None else getattr(own, attribute),
                reference=None if labeller is None else getattr(labeller, attribute),
                unit="GPa",
                frames=(pairs[0].frame_id,),
                note=note,
            )
            for quantity, attribute in _QUANTITIES[self.quantity].items()
        ]


_QUANTITIES = {
    "constants": {"C11": "c11", "C12": "c12", "C44": "c44"},
    "moduli": {"bulk modulus": "bulk", "shear modulus": "shear"},
    "stability": {"smallest of C11 - C12, C11 + 2 C12 and C44": "stability"},
}


def _found(labels: Sequence[Labels], whose: str) -> tuple[ElasticConstants | None, str]:
    stresses = [one.stress for one in labels if one.stress is not None]
    if len(stresses) < len(labels):
        return None, f"{whose} gives no stress"
    try:
        return elastic_constants(stresses), ""
    except ValueError as error:
        return None, f"{whose}: {error}"

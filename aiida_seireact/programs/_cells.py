"""Cells around what a model does not know, cut out of frames that are too large for a labeller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.constraints import FixAtoms
from ase.optimize import FIRE
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.select import CutSettings, SelectJob
from aiida_seireact.programs.potentials import calculator_of
from aiida_seireact.science.contacts import ContactLimits, too_close
from aiida_seireact.science.cutouts import CutoutError, cut_out, densest

# Atoms up to so far outside the core are held too, so that none comes in.
HELD_BEYOND_ANG = 0.5


@dataclass(frozen=True, eq=False)
class Cell:
    """What is given out of a frame.

    :param atoms: the cell itself, or the whole frame where it is not larger.
    :param n_removed: atoms taken out because they met another at the seam.
    :param relaxed: whether its seam was relaxed.
    """

    atoms: Atoms
    n_removed: int = 0
    relaxed: bool = False


def seam_calculator(job: SelectJob, folder: Path) -> BaseCalculator | None:
    """Return who moves the atoms of seams, None if nobody does."""
    if job.potential is None or not any(run.cut and run.cut.relax_steps for run in job.runs.values()):
        return None
    return calculator_of(folder / job.potential.file, job.potential.kind)


def centre_of(atoms: Atoms, unknown: NDArray[np.int64], uncertain: int, settings: CutSettings) -> int:
    """Return the atom around which a cell is cut: amid unknown environments, else the most uncertain atom.

    :param unknown: ``(n,)`` atoms with unknown environments, none where frames are not taken for that.
    :param uncertain: the most uncertain atom.
    """
    if not len(unknown):
        return uncertain
    return densest(atoms.positions, atoms.cell.array, atoms.pbc, unknown, reach_ang=settings.core_ang)


def cell_around(atoms: Atoms, centre: int, settings: CutSettings, calculator: BaseCalculator | None, what: str) -> Cell:
    """Cut a cell around an atom and relax its seam, the core held where it was.

    A relaxation that brings atoms together, or others into the core, is not used: a model that does so is to be mended.

    :param what: which frame, for the sentence that refuses.
    :raises InvalidInput: no room for the core.
    """
    limits = ContactLimits(settings.contact_factor)
    frame = (atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    try:
        found = cut_out(*frame, centre, core_ang=settings.core_ang, edge_ang=settings.edge_ang, limits=limits)
    except CutoutError as error:
        raise InvalidInput(f"{what}: {error}") from error
    cell = Atoms(atoms.numbers[found.atoms], positions=found.positions, cell=found.cell, pbc=atoms.pbc)
    if calculator is None or not found.cut.any():
        return Cell(cell, found.n_removed)
    moved, core_ang = cell.copy(), settings.core_ang
    moved.set_constraint(FixAtoms(mask=_from_centre(cell, found.centre) <= core_ang + HELD_BEYOND_ANG))
    moved.calc = calculator
    FIRE(moved, logfile=None).run(fmax=settings.relax_fmax_ev_per_ang, steps=settings.relax_steps)
    relaxed = Atoms(moved.numbers, positions=moved.positions, cell=moved.cell, pbc=moved.pbc)
    if not np.isfinite(relaxed.positions).all() or _n_near(relaxed, limits) > _n_near(cell, limits):
        return Cell(cell, found.n_removed)
    if (_from_centre(relaxed, found.centre)[~found.core] < core_ang).any():
        return Cell(cell, found.n_removed)
    relaxed.wrap()
    return Cell(relaxed, found.n_removed, relaxed=True)


def _from_centre(atoms: Atoms, centre: int) -> NDArray[np.float64]:
    """Return the distance of each atom's nearest image from the centre, ``(n_atoms,)``."""
    return np.asarray(atoms.get_distances(centre, np.arange(len(atoms)), mic=True))


def _n_near(atoms: Atoms, limits: ContactLimits) -> int:
    return len(too_close(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, limits))

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

from aiida_seireact.formats.jobs.select import CutSettings, SelectJob
from aiida_seireact.formats.phases import load_classifier
from aiida_seireact.programs.potentials import calculator_of
from aiida_seireact.science.contacts import ContactLimits, too_close
from aiida_seireact.science.cutouts import CutoutError, cut_out, densest
from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.labelling import Classifier, assign

# Atoms up to so far outside the core are held too, so that none comes in.
HELD_BEYOND_ANG = 0.5


@dataclass(frozen=True, eq=False)
class Cell:
    """What is given out of a frame.

    :param atoms: the cell, or the whole frame where that is not larger.
    :param centre: the atom of the frame around which it was cut.
    :param n_removed: atoms taken out because they met another at the seam.
    :param relaxed: whether its seam was relaxed.
    """

    atoms: Atoms
    centre: int
    n_removed: int = 0
    relaxed: bool = False


@dataclass(frozen=True, eq=False)
class Cutter:
    """Cuts cells out of frames.

    :param calculator: moves the atoms of a seam; None: they stay where they are.
    :param classifier: tells which environments are unknown, by descriptors of its spec; None: nobody tells.
    """

    calculator: BaseCalculator | None = None
    classifier: tuple[Classifier, DescriptorSpec] | None = None

    @classmethod
    def of_job(cls, job: SelectJob, folder: Path) -> Cutter:
        """Load the model and the classifier of a job, where a run is cut."""
        cuts = [run.cut for run in job.runs.values() if run.cut is not None]
        model, phases = job.potential, job.classifier
        relaxes = model is not None and any(cut.relax_steps for cut in cuts)
        return cls(
            calculator_of(folder / model.file, model.kind) if relaxes and model is not None else None,
            load_classifier(folder / phases) if cuts and phases is not None else None,
        )

    def cut(self, atoms: Atoms, settings: CutSettings, *, uncertain: int | None, amid_unknown: bool) -> Cell:
        """Cut a cell and relax its seam, the core held where it was.

        A relaxation that brings atoms together, or others into the core, is not used: such a model is to be mended.

        :param uncertain: the most uncertain atom, if anybody tells.
        :param amid_unknown: cut where most unknown environments are; else, or without any, around ``uncertain``.
        :raises CutoutError: no room for the core, or no centre.
        :raises DescriptorError: a frame that the classifier's descriptors don't take.
        """
        unknown = self._unknown(atoms) if amid_unknown else np.zeros(0, dtype=np.int64)
        frame = (atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
        if len(unknown):
            centre = densest(atoms.positions, atoms.cell.array, atoms.pbc, unknown, reach_ang=settings.core_ang)
        elif uncertain is not None:
            centre = uncertain
        else:
            raise CutoutError(
                "nothing in the frame is unknown and nobody tells what is uncertain, so a cell has no centre: give gps "
                "or a committee, or take frames whole (cut: null)."
            )
        limits = ContactLimits(settings.contact_factor)
        found = cut_out(*frame, centre, core_ang=settings.core_ang, edge_ang=settings.edge_ang, limits=limits)
        cell = Atoms(atoms.numbers[found.atoms], positions=found.positions, cell=found.cell, pbc=atoms.pbc)
        relaxed = self._relaxed(cell, found.centre, found.core, settings, limits) if found.cut.any() else None
        return Cell(cell if relaxed is None else relaxed, centre, found.n_removed, relaxed is not None)

    def _relaxed(
        self, cell: Atoms, centre: int, core: NDArray[np.bool_], settings: CutSettings, limits: ContactLimits
    ) -> Atoms | None:
        if self.calculator is None or not settings.relax_steps:
            return None
        moved = cell.copy()
        moved.set_constraint(FixAtoms(mask=_from_centre(cell, centre) <= settings.core_ang + HELD_BEYOND_ANG))
        moved.calc = self.calculator
        FIRE(moved, logfile=None).run(fmax=settings.relax_fmax_ev_per_ang, steps=settings.relax_steps)
        relaxed = Atoms(moved.numbers, positions=moved.positions, cell=moved.cell, pbc=moved.pbc)
        if not np.isfinite(relaxed.positions).all() or _n_near(relaxed, limits) > _n_near(cell, limits):
            return None
        if (_from_centre(relaxed, centre)[~core] < settings.core_ang).any():
            return None
        relaxed.wrap()
        return relaxed

    def _unknown(self, atoms: Atoms) -> NDArray[np.int64]:
        """Return the atoms whose environments are unknown, none if nobody tells."""
        if self.classifier is None:
            return np.zeros(0, dtype=np.int64)
        classifier, spec = self.classifier
        points, centres = describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
        labels = assign(classifier.reduction.apply(points), classifier).labels
        return np.asarray(centres[labels == 0])


def _from_centre(atoms: Atoms, centre: int) -> NDArray[np.float64]:
    """Return the distance of each atom's nearest image from the centre, ``(n_atoms,)``."""
    return np.asarray(atoms.get_distances(centre, np.arange(len(atoms)), mic=True))


def _n_near(atoms: Atoms, limits: ContactLimits) -> int:
    return len(too_close(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, limits))

"""What a potential says of frames: one answer for each structure, and NaN with a reason where it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.science.validation.lines import Labels

NO_NUMBER = "energy, forces or stress are no numbers"
"""Why a structure is lost whose answer is NaN: that is the model's fault; an exception may be the machine's."""


@dataclass
class Predictions:
    """Answers by structure id.

    :param lost: reason by structure id, where the potential raised or gave no number.
    :param n_atoms: of all structures that were computed.
    """

    by_structure: dict[str, Labels] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    n_atoms: int = 0

    def columns(self, frames: Frames) -> dict[str, NDArray[np.float64]]:
        """Return ``energy``, ``forces`` and ``stress`` of all frames, as `Frames` holds labels."""
        found = [self.by_structure[structure_id] for structure_id in frames.structure_ids]
        return {
            "energy": np.array([labels.energy for labels in found]),
            "forces": np.concatenate([labels.forces for labels in found]),
            "stress": np.array([np.full(6, np.nan) if labels.stress is None else labels.stress for labels in found]),
        }


def predict(calculator: BaseCalculator, shards: Sequence[Frames], progress: Callable[[str], None]) -> Predictions:
    """Return the answers of a potential on all frames, each structure once.

    :raises InvalidInput: what the potential itself calls unusable, as a species it does not know.
    """
    found = Predictions()
    total = len({structure_id for frames in shards for structure_id in frames.structure_ids})
    for frames in shards:
        for index, structure_id in enumerate(frames.structure_ids):
            if structure_id in found.by_structure:
                continue
            found.n_atoms += int(frames.n_atoms[index])
            labels, reason = answer(calculator, frames.to_atoms(index))
            if reason:
                found.lost[structure_id] = reason
            found.by_structure[structure_id] = labels
            if structure_id in found.lost:
                progress(f"no answer for a frame of {frames.config_type[index]}: {found.lost[structure_id]}")
            if len(found.by_structure) % 25 == 0 or len(found.by_structure) == total:
                progress(f"predicted {len(found.by_structure)} of {total} structures")
    return found


def answer(calculator: BaseCalculator, atoms: Atoms) -> tuple[Labels, str]:
    """Return the answer of a potential on one cell, and why it has none; then energy and forces are NaN.

    :raises InvalidInput: what the potential itself calls unusable, as a species it does not know.
    """
    atoms.calc = calculator
    try:
        labels = Labels(
            energy=float(atoms.get_potential_energy()),
            forces=np.array(atoms.get_forces(), dtype=float),
            stress=np.array(atoms.get_stress(), dtype=float) if atoms.cell.rank == 3 else None,
        )
    except (InvalidInput, MissingPackage):
        raise
    except Exception as error:  # a potential raises whatever its libraries met
        return _no_labels(len(atoms)), f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    values = (labels.energy, labels.forces, 0.0 if labels.stress is None else labels.stress)
    if not all(np.isfinite(value).all() for value in values):
        return labels, NO_NUMBER
    return labels, ""


def _no_labels(n_atoms: int) -> Labels:
    return Labels(float("nan"), np.full((n_atoms, 3), np.nan), np.full(6, np.nan))

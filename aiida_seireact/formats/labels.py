"""Labels of frames by any engine: what identifies a level of theory, what is refused, and how labels become frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import Job

FloatArray = NDArray[np.float64]

# The code plug-ins hand positions and cells on in text of at least nine decimals.
SAME_PLACE_ANG = 1e-6


class AcceptanceSettings(Job):
    """What a label must fulfil beside being whole, finite and converged."""

    stress: bool = Field(True, description="whether a label without a stress is refused")
    max_force_ev_per_ang: float = Field(50.0, gt=0, description="largest force on an atom, eV/Å")
    max_force_by_type: dict[str, float] = Field({}, description="the same for config types that need another limit")


@dataclass(frozen=True, eq=False)
class Label:
    """What an engine gave for one frame. Units eV, Å; stress in eV/Å³ with ASE's sign and order xx yy zz yz xz xy.

    :param energy: the energy the forces belong to; the free energy where occupations are smeared.
    :param forces: ``(n_atoms, 3)`` in the order of the frame.
    :param converged: the positive mark of convergence that the engine left; never a default.
    :param stress: ``(6,)``, None where the engine gives none or it is not to be used.
    :param energy_e0: extrapolated to zero smearing, where the engine gives it.
    :param numbers: ``(n_atoms,)`` atomic numbers that the engine computed, where it tells.
    :param positions: ``(n_atoms, 3)`` positions it computed, wrapped or not, where it tells.
    :param cell: ``(3, 3)`` the cell it computed, where it tells.
    """

    energy: float
    forces: FloatArray
    converged: bool
    stress: FloatArray | None = None
    energy_e0: float | None = None
    numbers: NDArray[np.int64] | None = field(default=None)
    positions: FloatArray | None = field(default=None)
    cell: FloatArray | None = field(default=None)


def level_hash(identity: Mapping[str, Any]) -> str:
    """Return the sha256 of all that decides the labels of a level of theory, as canonical JSON.

    :param identity: engine, program and version, settings, hashes of potentials; no path, date or host.
    """
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def refusal(frames: Frames, index: int, label: Label, settings: AcceptanceSettings) -> str | None:
    """Return why a label is not taken, None if it is: a label needs positive evidence.

    :param index: the frame that was sent.
    """
    first, last = int(frames.offsets[index]), int(frames.offsets[index + 1])
    if not label.converged:
        return "its electronic structure is not converged"
    if label.numbers is not None and not np.array_equal(label.numbers, frames.numbers[first:last]):
        return "its atoms came back in another order, or are others"
    if label.forces.shape != (last - first, 3):
        return f"it has forces of shape {label.forces.shape} for {last - first} atoms"
    if label.cell is not None and np.abs(label.cell - frames.cells[index]).max() > SAME_PLACE_ANG:
        return "its cell came back changed"
    if label.positions is not None:
        fractions = np.linalg.solve(frames.cells[index].T, (label.positions - frames.positions[first:last]).T).T
        moved = np.abs((fractions - np.round(fractions)) @ frames.cells[index]).max()
        if moved > SAME_PLACE_ANG:
            return f"its atoms came back moved by {moved:.1e} Å"
    if settings.stress and label.stress is None:
        return "it has no stress"
    if label.stress is not None and label.stress.shape != (6,):
        return f"its stress has the shape {label.stress.shape}, not (6,)"
    for name in ("energy", "forces", "stress", "energy_e0"):
        value = getattr(label, name)
        if value is not None and not np.isfinite(value).all():
            return f"its {name} is not a number"
    largest = float(np.linalg.norm(label.forces, axis=1).max())
    limit = settings.max_force_by_type.get(str(frames.config_type[index]), settings.max_force_ev_per_ang)
    if largest > limit:
        return f"the force on an atom is {largest:.1f} eV/Å, allowed up to {limit:g} eV/Å"
    return None


def join_labels(
    frames: Frames,
    labels: Sequence[Label | str],
    settings_hash: str,
    settings: AcceptanceSettings,
) -> tuple[Frames | None, list[dict[str, Any]]]:
    """Return the frames whose labels are taken, with them, and index, structure id and reason of all others.

    :param labels: one for each frame; a string is the reason why there is none.
    :returns: None in place of frames where not one label is taken.
    """
    taken: list[tuple[int, Label]] = []
    failures: list[dict[str, Any]] = []
    for index, label in enumerate(labels):
        reason = label if isinstance(label, str) else refusal(frames, index, label, settings)
        if reason is None:
            assert isinstance(label, Label)
            taken.append((index, label))
        else:
            failures.append({"index": index, "structure_id": frames.structure_ids[index], "reason": reason})
    if not taken:
        return None, failures
    good = [label for _, label in taken]
    extrapolated = [label.energy_e0 for label in good if label.energy_e0 is not None]
    # Without `stress` no label keeps one, even where the engine gave some.
    stresses = [label.stress for label in good if label.stress is not None and settings.stress]
    return replace(
        frames.select([index for index, _ in taken]),
        energy=np.array([label.energy for label in good], dtype=np.float64),
        forces=np.concatenate([np.asarray(label.forces, dtype=np.float64) for label in good]),
        stress=np.array(stresses, dtype=np.float64) if stresses else None,
        energy_e0=np.array(extrapolated, dtype=np.float64) if len(extrapolated) == len(good) else None,
        settings_hash=settings_hash,
    ), failures


def difference_of_levels(low: Frames, high: Frames) -> tuple[Frames, dict[str, int]]:
    """Return the structures that both levels of theory labelled, with labels high − low, and what was left out.

    The level of theory of the difference is made of both, so it meets neither of them in a dataset. The order is that
    of ``high``, the origin of a frame too.

    :returns: frames, and how many structures ``only_low`` and ``only_high`` have.
    :raises FramesError: unlabelled frames, one level given twice, or no structure in common.
    """
    for name, frames in (("low", low), ("high", high)):
        if not frames.is_labelled:
            raise FramesError(f"The frames of the {name} level carry no labels: label them first.")
    if low.settings_hash == high.settings_hash:
        raise FramesError(
            f"Both levels of theory are {low.settings_hash[:12]}: a delta set needs the labels of two levels."
        )
    place = {structure_id: index for index, structure_id in reversed(list(enumerate(low.structure_ids)))}
    mine = [index for index, structure_id in enumerate(high.structure_ids) if structure_id in place]
    left_out = {
        "only_low": len(set(place) - set(high.structure_ids)),
        "only_high": len(high) - len(mine),
    }
    if not mine:
        raise FramesError("No structure has labels of both levels: label the same frames at both.")
    one = low.select([place[high.structure_ids[index]] for index in mine])
    other = high.select(mine)
    assert one.energy is not None
    assert one.forces is not None
    assert other.energy is not None
    assert other.forces is not None
    return replace(
        other,
        energy=other.energy - one.energy,
        forces=other.forces - one.forces,
        stress=None if one.stress is None or other.stress is None else other.stress - one.stress,
        energy_e0=None if one.energy_e0 is None or other.energy_e0 is None else other.energy_e0 - one.energy_e0,
        settings_hash=level_hash({"delta": {"low": low.settings_hash, "high": high.settings_hash}}),
    ), left_out

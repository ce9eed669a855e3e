"""Errors of predicted energies, forces and stresses, overall and per config type. Arrays in, numbers
out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.units import GPa
from numpy.typing import ArrayLike, NDArray

ALL = "all"
"""The row of `errors_by_type` over all frames."""


def rmse(difference: ArrayLike) -> float:
    """Return the root mean square of differences of any shape."""
    return float(np.sqrt(np.mean(np.square(np.asarray(difference, dtype=float)))))


def mae(difference: ArrayLike) -> float:
    """Return the mean absolute value of differences of any shape."""
    return float(np.mean(np.abs(np.asarray(difference, dtype=float))))


def errors_by_type(
    config_types: Sequence[str] | NDArray[np.str_],
    offsets: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    reference: Mapping[str, ArrayLike],
) -> dict[str, dict[str, float]]:
    """Return config type -> errors, the types in alphabetical order and the row `ALL` last.

    A row has ``n_frames``, ``n_atoms``, ``energy_{rmse,mae}_mev_per_atom`` (each frame counts once),
    ``force_{rmse,mae}_ev_per_ang`` over the components, ``force_rms_ev_per_ang``, the root mean square of
    the reference components that makes a force error readable, and ``stress_{rmse,mae}_gpa`` over the six
    components.

    :param config_types: ``(n_frames,)``
    :param offsets: ``(n_frames + 1,)``; frame i owns the rows ``offsets[i]:offsets[i + 1]`` of the forces.
    :param predicted: ``energy`` of whole cells ``(n_frames,)`` in eV, ``forces`` ``(n_atoms_total, 3)`` in
        eV/Å, ``stress`` ``(n_frames, 6)`` in eV/Å³, Voigt order of ASE.
    :param reference: the same of the labels.
    :raises ValueError: no frames, a config type named like the row `ALL`, or shapes that don't fit.
    """
    bounds = np.asarray(offsets, dtype=np.int64)
    sizes = np.diff(bounds)
    types = np.asarray(config_types, dtype=str)
    if not len(sizes):
        raise ValueError("There are no frames to compare.")
    if types.shape != sizes.shape:
        raise ValueError(f"There are {len(types)} config types for {len(sizes)} frames.")
    if ALL in types:
        raise ValueError(f"'{ALL}' is the row over all frames and cannot name a config type.")
    shapes = {"energy": (len(sizes),), "forces": (int(bounds[-1]), 3), "stress": (len(sizes), 6)}
    difference = {}
    for name, shape in shapes.items():
        found, label = np.asarray(predicted[name], dtype=float), np.asarray(reference[name], dtype=float)
        if found.shape != shape or label.shape != shape:
            raise ValueError(f"The {name} have shapes {found.shape} and {label.shape}, but these frames need {shape}.")
        difference[name] = found - label
    energy = 1000 * difference["energy"] / sizes
    stress = difference["stress"] / GPa
    forces = np.asarray(reference["forces"], dtype=float)

    table = {}
    for name in [*sorted(set(types.tolist())), ALL]:
        frames = (types == name) | (name == ALL)
        atoms = np.repeat(frames, sizes)
        table[name] = {
            "n_frames": int(frames.sum()),
            "n_atoms": int(atoms.sum()),
            "energy_rmse_mev_per_atom": rmse(energy[frames]),
            "energy_mae_mev_per_atom": mae(energy[frames]),
            "force_rmse_ev_per_ang": rmse(difference["forces"][atoms]),
            "force_mae_ev_per_ang": mae(difference["forces"][atoms]),
            "force_rms_ev_per_ang": rmse(forces[atoms]),
            "stress_rmse_gpa": rmse(stress[frames]),
            "stress_mae_gpa": mae(stress[frames]),
        }
    return table

"""The supercell of one plane that fits on a given supercell of another, rows parallel where that costs little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from aiida_seireact.science.structures.matching import (
    SLACK,
    Ints,
    Match,
    as_matrix,
    describe,
    percent,
    plane_name,
    reduced,
    row_angles,
    search,
    upwards,
    within,
)
from aiida_seireact.science.structures.orient import Unit

ALIGNED_DEG = 1.0
"""Rows nearer than this are parallel: a shear shares its angle out to both."""
TWIST_GAIN = 0.02
"""A supercell of any size fits in some direction or other: without this much less strain, rows stay parallel."""


def fit(
    cell: Sequence[Sequence[int]],
    a: Unit,
    b: Unit,
    *,
    max_strain: float = 0.05,
    twist_gain: float = TWIST_GAIN,
    max_row_angle_deg: float | None = None,
) -> Match:
    """Return the supercell of B that strains least on a given supercell of A; rows parallel, unless a twist gains much.

    :param cell: supercell of A, in rows; it is kept as it is.
    :param twist_gain: so much less a twisted supercell must be strained to be taken.
    :param max_row_angle_deg: largest angle between rows, see `Match`; None: any.
    :raises ValueError: none is within `max_strain`; the sentence tells the nearest.
    """
    given = np.array(cell, dtype=np.int64)
    aligned = _aligned(given, a, b, ALIGNED_DEG if max_row_angle_deg is None else min(ALIGNED_DEG, max_row_angle_deg))
    if aligned and aligned.strain <= min(max_strain, twist_gain) + SLACK:
        return aligned
    shortest = reduced(given[None], a.in_plane)
    area = abs(round(float(np.linalg.det(given.astype(float)))))
    strain = min(max_strain, 0.01)
    while not (found := within(search({area: shortest}, a, b, strain), max_row_angle_deg)) and strain < 0.45:
        strain = min(strain * 1.5, 0.45)
    if not found:
        raise ValueError(
            f"no supercell of {plane_name(b)} fits {area * a.area:.0f} Å² of {plane_name(a)}: take a larger one"
        )
    best = min(found, key=lambda item: (round(item.strain, 6), item.twist_deg))
    if best.strain > max_strain + SLACK:
        raise ValueError(
            f"no supercell of {plane_name(b)} fits the given one of {plane_name(a)} below {percent(max_strain)}; the "
            f"nearest is strained by {percent(best.strain)}: raise max_strain to {upwards(best.strain):g}, or take a "
            "larger one"
        )
    if aligned and aligned.strain <= min(max_strain, best.strain + twist_gain) + SLACK:
        return aligned
    # Back from the reduced vectors of A to those given.
    back = np.rint(given @ np.linalg.inv(np.array(best.matrix_a, dtype=np.float64))).astype(np.int64)
    return _kept(given, back @ np.array(best.matrix_b), a, b)


def orientation(cell_a: Sequence[Sequence[int]], cell_b: Sequence[Sequence[int]], a: Unit, b: Unit) -> dict[str, float]:
    """Return how two supercells that lie on each other are turned: ``twist_deg`` and ``row_angle_deg`` of `Match`."""
    found = describe(np.array(cell_a, dtype=np.int64), np.array(cell_b, dtype=np.int64), a, b)
    return {"twist_deg": found.twist_deg, "row_angle_deg": found.row_angle_deg}


def _kept(cell_a: Ints, cell_b: Ints, a: Unit, b: Unit) -> Match:
    """Tell all of a match, with the vectors as they are."""
    return replace(describe(cell_a, cell_b, a, b), matrix_a=as_matrix(cell_a), matrix_b=as_matrix(cell_b))


def _aligned(cell: Ints, a: Unit, b: Unit, within_deg: float) -> Match | None:
    """Return the supercell of B that strains least on one of A among those with parallel rows."""
    angles = np.unique((row_angles(a)[:, None] - row_angles(b)[None, :]).round(6) % 360.0)
    turns = np.radians(np.concatenate([angles, angles + 180.0]))
    back = np.array([[np.cos(turns), -np.sin(turns)], [np.sin(turns), np.cos(turns)]]).transpose(2, 0, 1)
    near = np.rint(cell @ a.in_plane @ back @ np.linalg.inv(b.in_plane)).astype(np.int64)
    steps = np.array(list(product((-1, 0, 1), repeat=4)), dtype=np.int64).reshape(-1, 2, 2)
    rows = np.unique((near[:, None] + steps[None]).reshape(-1, 4), axis=0)[::-1].reshape(-1, 2, 2)
    rows = rows[rows[:, 0, 0] * rows[:, 1, 1] > rows[:, 0, 1] * rows[:, 1, 0]]
    stretches = np.linalg.svd(np.linalg.inv(rows @ b.in_plane) @ (cell @ a.in_plane), compute_uv=False)
    strains = np.abs(stretches - 1).max(axis=1).round(6)
    best: Match | None = None
    for index in np.argsort(strains, kind="stable"):
        if best is not None and strains[index] > round(best.strain, 6):
            break
        item = _kept(cell, rows[index], a, b)
        if item.row_angle_deg <= within_deg + 1e-6 and (best is None or item.twist_deg < best.twist_deg):
            best = item
    return best

"""How far the structure of a model's MD is from that of reference MD: partial radial distribution functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis import partial_rdf

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RdfDistance:
    """Two partial radial distribution functions.

    :param distance: share of the pairs within reach that are at other distances: 0 the same, 1 nothing in common.
    :param floor: the same between the two halves of the reference, in time: what it can't tell apart itself.
    :param r_ang: ``(n_bins,)``
    :param g: ``(n_bins,)`` of the model.
    :param g_reference: ``(n_bins,)``
    """

    distance: float
    floor: float
    r_ang: FloatArray
    g: FloatArray
    g_reference: FloatArray


def rdfs(
    positions: ArrayLike,
    numbers: ArrayLike,
    cells: ArrayLike,
    pair: tuple[str, str],
    *,
    r_max_ang: float = 6.0,
    n_bins: int = 60,
) -> tuple[FloatArray, FloatArray]:
    """Return g(r) of each frame, by `science.analysis.partial_rdf`: ``(n_bins,)`` and ``(n_frames, n_bins)``.

    :param positions: ``(n_frames, n_atoms, 3)`` Å.
    :param cells: ``(n_frames, 3, 3)`` Å, periodic.
    """
    both = (atomic_numbers[pair[0]], atomic_numbers[pair[1]])
    found = [
        partial_rdf(places, numbers, cell, (True, True, True), both, r_max_ang=r_max_ang, n_bins=n_bins)
        for places, cell in zip(np.asarray(positions), np.asarray(cells), strict=True)
    ]
    return found[0][0], np.array([g for _, g in found])


def distance_between(r_ang: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Return ∫ |g_a − g_b| r² dr / ∫ (g_a + g_b) r² dr, from 0, the same, to 1, no overlap.

    ``g r²`` is the density of pairs by distance, so it is the dissimilarity of Bray and Curtis (Ecol. Monogr. 27, 325
    (1957)) of the two counts of pairs; of equal counts the total variation distance.

    :param r_ang: ``(n_bins,)`` evenly spaced.
    :raises ValueError: neither has a pair within reach.
    """
    weight = np.square(np.asarray(r_ang, dtype=float))
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    total = float(((a + b) * weight).sum())
    if not total > 0:
        raise ValueError("there is no pair within reach: take a larger r_max_ang")
    return float((np.abs(a - b) * weight).sum() / total)


def compare_rdfs(r_ang: ArrayLike, model: ArrayLike, reference: ArrayLike) -> RdfDistance:
    """Return how far the mean g(r) of a model's frames is from that of reference frames.

    :param model: ``(n_frames, n_bins)``, in order of time.
    :param reference: the same of the reference, four frames or more.
    :raises ValueError: fewer frames.
    """
    of_model, of_reference = np.asarray(model, dtype=float), np.asarray(reference, dtype=float)
    if not len(of_model) or len(of_reference) < 4:
        raise ValueError(f"{len(of_reference)} reference frames and {len(of_model)} of the model: needs 4 and 1")
    half = len(of_reference) // 2
    g, g_reference = of_model.mean(axis=0), of_reference.mean(axis=0)
    return RdfDistance(
        distance=distance_between(r_ang, g, g_reference),
        floor=distance_between(r_ang, of_reference[:half].mean(axis=0), of_reference[half:].mean(axis=0)),
        r_ang=np.asarray(r_ang, dtype=float),
        g=g,
        g_reference=g_reference,
    )

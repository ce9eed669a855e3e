"""Distances around the centres of a group: distributions by element, and where the first shell ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.discovery.surroundings import Surroundings

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_SMOOTH_ANG = 0.08
"""Distributions are smoothed by this before a minimum is looked for: bins are noisy."""


@dataclass(frozen=True)
class Cutoff:
    """End of a first shell, Å, and how it was found."""

    radius_ang: float
    how: str


def distance_counts(
    frame: Surroundings, centres: ArrayLike, elements: Sequence[int], r_max_ang: float, n_bins: int
) -> IntArray:
    """Count the atoms of each element by distance from some centres, ``(n_elements, n_bins)``."""
    _, neighbour, vectors = frame.within(centres, r_max_ang)
    bins = np.minimum((np.linalg.norm(vectors, axis=1) / r_max_ang * n_bins).astype(np.int64), n_bins - 1)
    kinds = frame.numbers[neighbour]
    return np.stack([np.bincount(bins[kinds == element], minlength=n_bins) for element in elements])


def radii(r_max_ang: float, n_bins: int) -> FloatArray:
    """Return the centres of the bins of `distance_counts`."""
    return (np.arange(n_bins) + 0.5) * r_max_ang / n_bins


def distribution(counts: ArrayLike, n_centres: float, density_per_ang3: float, r_max_ang: float) -> FloatArray:
    """Return g(r) about some centres: the density of an element over its mean in the whole cell.

    In a cell of several phases it does not tend to 1 but to what the phase holds over that mean.

    :param counts: ``(n_bins,)`` of one element.
    """
    values = np.asarray(counts, dtype=np.float64)
    edges = np.linspace(0.0, r_max_ang, len(values) + 1)
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    return np.asarray(values / (max(n_centres, 1) * density_per_ang3 * shells))


def first_shell(g: ArrayLike, r_max_ang: float, *, shortest_ang: float = 1.5) -> Cutoff | None:
    """Find the first minimum of a distribution behind its first peak; in a wide gap its middle.

    The first peak is the first local maximum that reaches half of the highest one within 4.5 Å; the minimum is looked
    for up to 1.5 times its distance.

    :param g: ``(n_bins,)`` from 0 to `r_max_ang`.
    :returns: None where nothing lies within 4.5 Å.
    """
    values = np.asarray(g, dtype=np.float64)
    r = radii(r_max_ang, len(values))
    width = r[1] - r[0]
    offsets = np.arange(-int(3 * _SMOOTH_ANG / width) - 1, int(3 * _SMOOTH_ANG / width) + 2) * width
    kernel = np.exp(-0.5 * (offsets / _SMOOTH_ANG) ** 2)
    smooth = np.convolve(values, kernel / kernel.sum(), mode="same")
    inner = (r >= shortest_ang) & (r <= min(4.5, r_max_ang / 1.5))
    highest = smooth[inner].max() if inner.any() else 0.0
    if highest <= 0:
        return None
    middle = smooth[1:-1]
    tops = np.flatnonzero((middle >= smooth[:-2]) & (middle >= smooth[2:])) + 1
    tops = tops[inner[tops] & (smooth[tops] >= 0.5 * highest)]
    if not len(tops):
        return None
    top = int(tops[0])
    behind = np.flatnonzero((r > r[top]) & (r <= 1.5 * r[top]))
    low = smooth[behind].min()
    flat = behind[smooth[behind] <= low + 0.01 * smooth[top]]
    # The first stretch of the gap only.
    flat = flat[: int(np.argmax(np.diff(flat) > 1)) + 1] if (np.diff(flat) > 1).any() else flat
    radius = float(r[flat].mean())
    return Cutoff(radius, f"first minimum of g(r), peak at {r[top]:.2f} Å, g {low:.2g} there")


def coordination(
    frame: Surroundings, centres: ArrayLike, cutoffs_ang: Mapping[int, float], *, most: int = 15
) -> IntArray:
    """Count the centres by how many neighbours of each element lie within its cutoff, ``(n_elements, most + 1)``.

    Rows follow `cutoffs_ang`; the last column holds all that have more.
    """
    rows = np.asarray(centres, dtype=np.int64)
    first, neighbour, vectors = frame.within(rows, max(cutoffs_ang.values()))
    distances, kinds = np.linalg.norm(vectors, axis=1), frame.numbers[neighbour]
    found = []
    for element, cutoff in cutoffs_ang.items():
        near = first[(kinds == element) & (distances <= cutoff)]
        each = np.bincount(near, minlength=len(rows))
        found.append(np.bincount(np.minimum(each, most), minlength=most + 1))
    return np.stack(found)

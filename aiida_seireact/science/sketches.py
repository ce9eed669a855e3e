"""Distances between more vectors than memory holds: a short sketch of each tells which need not be fetched.

Let P be an orthonormal basis of a few directions, a and b two vectors, and a⊥ what is left of a beside P. Then
|a − b|² = |Pa − Pb|² + |a⊥ − b⊥|² ≥ |Pa − Pb|² + (|a⊥| − |b⊥|)², whatever the basis is: a bound, not an estimate. With
the principal components of a sample it is close, since descriptors of one material vary along few directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rows = Callable[[NDArray[np.int64]], FloatArray]
"""Gives ``(n, n_parts, n_features)`` of vectors by their indices ``(n,)``, from memory or from a file."""

DIRECTIONS = 8
SAMPLE = 256
BLOCK = 256


def in_blocks(indices: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield indices ``(n,)`` in blocks small enough to fetch their vectors."""
    for start in range(0, len(indices), BLOCK):
        yield indices[start : start + BLOCK]


def part_distances(vectors: FloatArray, to: FloatArray) -> FloatArray:
    """Return the Euclidean distances ``(n, n_parts)`` of the parts of vectors to those of one.

    :param vectors: ``(n, n_parts, n_features)``; :param to: ``(n_parts, n_features)``.
    """
    return np.asarray(np.linalg.norm(vectors - to[None], axis=2))


class Sketches:
    """Sketches of many vectors: 9 numbers a part, its length, and the spread of each part over all.

    :param rows: gives the vectors; they are gone through twice.
    :param count: how many there are.
    """

    def __init__(self, rows: Rows, count: int) -> None:
        self.rows = rows
        everybody = np.arange(count)
        sample = rows(np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64)))
        n_parts, n_features = sample.shape[1:]
        total = np.zeros((n_parts, n_features))
        for some in in_blocks(everybody):
            total += rows(some).sum(axis=0)
        mean = total / count
        bases = [_directions(sample[:, part] - mean[part]) for part in range(n_parts)]
        self.lengths: FloatArray = np.empty((count, n_parts))
        self._sketches = np.zeros((count, n_parts, DIRECTIONS + 1))
        squares = np.zeros(n_parts)
        for some in in_blocks(everybody):
            vectors = rows(some)
            self.lengths[some] = np.linalg.norm(vectors, axis=2)
            away = vectors - mean
            squares += (away**2).sum(axis=(0, 2))
            for part, basis in enumerate(bases):
                along = away[:, part] @ basis.T
                self._sketches[some, part, : len(basis)] = along
                self._sketches[some, part, -1] = np.linalg.norm(away[:, part] - along @ basis, axis=1)
        self._sizes = np.linalg.norm(self._sketches, axis=2)
        self.spread: FloatArray = np.sqrt(squares / count)
        """Root mean square distance of each part from its mean, ``(n_parts,)``."""

    def at_least(self, one: int, others: NDArray[np.int64]) -> FloatArray:
        """Return what the distances of the parts of ``others`` to those of ``one`` are at least, ``(n, n_parts)``."""
        bounds = np.linalg.norm(self._sketches[others] - self._sketches[one], axis=2)
        # Rounding must not make a bound of what is none.
        return np.asarray(np.maximum(bounds - 1e-9 * (self._sizes[others] + self._sizes[one]), 0.0))


def _directions(away: FloatArray) -> FloatArray:
    """Return at most `DIRECTIONS` orthonormal principal directions of a sample ``(n, n_features)``."""
    _, _, directions = np.linalg.svd(away, full_matrices=False)
    return np.asarray(directions[:DIRECTIONS])

"""How crystalline the surroundings of a group are: does what a centre sees recur, unturned, at other centres near it?

That is what a crystal is, whichever it is. Two surroundings are compared by the overlap of their atoms as Gaussians,
without regard to elements (a mixed crystal is one), and the same with one of them turned at random says what a glass
of the same distances would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from aiida_seireact.science.discovery.surroundings import Surroundings

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RADIUS_ANG, REACH_ANG = 5.0, 10.0
_WIDTH_ANG, _WAVES, _BEST = 0.8, 128, 4


@dataclass(frozen=True)
class Crystallinity:
    """Mean over centres of (c − c₀) / (1 − c₀).

    c is the mean overlap of a centre's surroundings (5 Å, width 0.8 Å) with those of the 4 most alike centres within
    10 Å, c₀ the same with each of those turned at random. A crystal at rest has 1, an isotropic glass 0.

    :param value: NaN where there were too few centres.
    :param n_centres: it is the mean of.
    """

    value: float
    n_centres: int


class Recurrence:
    """Measures how crystalline places of one frame are; what was described once is kept for the next group.

    :param frame: that reaches 10 Å.
    :param others: ``(m,)`` rows of the atoms that centres are compared with, such as all atoms of their element.
    """

    def __init__(self, frame: Surroundings, others: ArrayLike, *, seed: int = 0) -> None:
        self._frame = frame
        self._allowed = np.zeros(len(frame.numbers), dtype=bool)
        self._allowed[np.asarray(others, dtype=np.int64)] = True
        self._rng = np.random.default_rng(seed)
        self._waves = self._rng.normal(scale=1.0 / _WIDTH_ANG, size=(_WAVES, 3)).astype(np.float32)
        self._turns = Rotation.random(0)
        self._place = np.full(len(frame.numbers), -1)
        self._straight = np.zeros((0, 2 * _WAVES), dtype=np.float32)
        self._turned = self._straight

    def crystallinity(self, centres: ArrayLike, *, most: int = 40) -> Crystallinity:
        """Measure the places of some centres.

        :param centres: ``(n,)`` rows of atoms; at most `most` are drawn.
        """
        rows = np.asarray(centres, dtype=np.int64)
        if len(rows) > most:
            rows = np.sort(self._rng.choice(rows, most, replace=False))
        first, neighbour, _ = self._frame.within(rows, REACH_ANG)
        kept = self._allowed[neighbour] & (neighbour != rows[first])
        pairs = np.unique(np.stack([first[kept], neighbour[kept]], axis=1), axis=0)
        if not len(pairs):
            return Crystallinity(float("nan"), 0)
        self._describe(np.unique(np.concatenate([rows, pairs[:, 1]])))
        values = []
        for number, row in enumerate(rows):
            others = pairs[pairs[:, 0] == number, 1]
            if len(others) >= _BEST:
                c, c0 = self._best(row, others, self._straight), self._best(row, others, self._turned)
                # NaN: one of them has nothing around it, such as an atom adrift in a void.
                if np.isfinite(c) and c0 < 1.0:
                    values.append((c - c0) / (1.0 - c0))
        return Crystallinity(float(np.mean(values)) if values else float("nan"), len(values))

    def _best(self, row: int, others: IntArray, described: NDArray[np.float32]) -> float:
        """Return the mean overlap with the most alike ones, which the described ones find and all distances measure."""
        alike = described[self._place[others]] @ self._straight[self._place[row]]
        chosen = others[np.argsort(alike)[-_BEST:]]
        first, _, vectors = self._frame.within(np.concatenate([[row], chosen]), RADIUS_ANG)
        parts = [vectors[first == number] for number in range(_BEST + 1)]
        weights = [_weight(part) for part in parts]
        alone = [_overlap(part, weight, part, weight) for part, weight in zip(parts, weights, strict=True)]
        found = []
        for number, other in enumerate(chosen, start=1):
            part = parts[number]
            if described is self._turned:
                part = self._turns[int(self._place[other])].apply(part)
            size = np.sqrt(alone[0] * alone[number])
            found.append(_overlap(parts[0], weights[0], part, weights[number]) / size if size > 0 else np.nan)
        return float(np.mean(found))

    def _describe(self, wanted: IntArray) -> None:
        """Describe surroundings as vectors whose product is nearly their overlap, as they are and turned at random.

        The mean of cos k·(r − r') over Gaussian k is a Gaussian of r − r' (random Fourier features, Rahimi and Recht,
        NIPS 20 (2007)).
        """
        rows = wanted[self._place[wanted] < 0]
        if not len(rows):
            return
        self._place[rows] = len(self._straight) + np.arange(len(rows))
        first, _, vectors = self._frame.within(rows, RADIUS_ANG)
        weight = _weight(vectors).astype(np.float32)
        turns = Rotation.random(len(rows), random_state=int(self._rng.integers(2**31)))
        self._turns = Rotation.concatenate([self._turns, turns]) if len(self._turns) else turns
        turned = turns[first].apply(vectors) if len(first) else vectors
        self._straight = np.concatenate([self._straight, self._features(first, vectors, weight, len(rows))])
        self._turned = np.concatenate([self._turned, self._features(first, turned, weight, len(rows))])

    def _features(
        self, first: IntArray, vectors: FloatArray, weight: NDArray[np.float32], n: int
    ) -> NDArray[np.float32]:
        phase = vectors.astype(np.float32) @ self._waves.T
        features = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
        # Rows of a sparse matrix are the centres: one product sums what is around each.
        sums = np.asarray(csr_matrix((weight, (first, np.arange(len(first)))), shape=(n, len(first))) @ features)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(np.divide(sums, length, out=np.zeros_like(sums), where=length > 0), dtype=np.float32)


def _weight(vectors: FloatArray) -> FloatArray:
    """Let atoms fade towards the end of the surroundings, so that none comes or goes at once."""
    return np.asarray((1.0 - (np.linalg.norm(vectors, axis=1) / RADIUS_ANG) ** 2) ** 2)


def _overlap(first: FloatArray, weight: FloatArray, second: FloatArray, other: FloatArray) -> float:
    return float(weight @ np.exp(-cdist(first, second, "sqeuclidean") / (2 * _WIDTH_ANG**2)) @ other)


def tetrahedrality(vectors: ArrayLike) -> FloatArray:
    """Return 1 − 3/8 Σ (cos ψ + 1/3)² over the six angles of four neighbours, ``(n,)``; NaN with fewer than four.

    1 for a tetrahedron, 0 on average at random (Errington and Debenedetti, Nature 409, 318 (2001)).

    :param vectors: ``(n, 4, 3)`` to the neighbours, NaN where there is none.
    """
    places = np.asarray(vectors, dtype=np.float64)
    unit = places / np.linalg.norm(places, axis=2, keepdims=True)
    cosines = np.einsum("nad,nbd->nab", unit, unit)
    i, j = np.triu_indices(4, k=1)
    return np.asarray(1.0 - 0.375 * ((cosines[:, i, j] + 1.0 / 3.0) ** 2).sum(axis=1))

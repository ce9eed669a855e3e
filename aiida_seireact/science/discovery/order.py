"""How crystalline the surroundings of a group are: does what a centre sees recur, unturned, at other centres near it?

That is what a crystal is, whichever it is. Two surroundings are compared by the overlap of their atoms as Gaussians,
without regard to elements (a mixed crystal is one), and the same with one of them turned at random says what a glass
of the same distances would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from aiida_seireact.science.discovery.surroundings import Surroundings

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RADIUS_ANG, REACH_ANG = 5.0, 10.0
_WIDTH_ANG, _WAVES, _BEST = 0.8, 256, 4


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


def crystallinity(
    frame: Surroundings, centres: ArrayLike, others: ArrayLike, *, most: int = 40, seed: int = 0
) -> Crystallinity:
    """Measure how crystalline the places of some centres are.

    :param frame: that reaches 10 Å.
    :param centres: ``(n,)`` rows of atoms; at most `most` are drawn.
    :param others: ``(m,)`` rows of the atoms they are compared with, such as all atoms of their element.
    """
    rng = np.random.default_rng(seed)
    rows = np.asarray(centres, dtype=np.int64)
    if len(rows) > most:
        rows = np.sort(rng.choice(rows, most, replace=False))
    allowed = np.zeros(len(frame.numbers), dtype=bool)
    allowed[np.asarray(others, dtype=np.int64)] = True
    first, neighbour, _ = frame.within(rows, REACH_ANG)
    kept = allowed[neighbour] & (neighbour != rows[first])
    pairs = np.unique(np.stack([first[kept], neighbour[kept]], axis=1), axis=0)
    if not len(pairs):
        return Crystallinity(float("nan"), 0)
    known, place = np.unique(np.concatenate([rows, pairs[:, 1]]), return_inverse=True)
    own, compared = place[: len(rows)], place[len(rows) :]
    waves = rng.normal(scale=1.0 / _WIDTH_ANG, size=(_WAVES, 3))
    straight, turned = _described(frame, known, waves, Rotation.random(len(known), random_state=seed))
    values = []
    for centre in range(len(rows)):
        mine = compared[pairs[:, 0] == centre]
        if len(mine) < _BEST:
            continue
        overlap, chance = straight[mine] @ straight[own[centre]], turned[mine] @ straight[own[centre]]
        c, c0 = (float(np.sort(part)[-_BEST:].mean()) for part in (overlap, chance))
        values.append((c - c0) / (1.0 - c0))
    return Crystallinity(float(np.mean(values)) if values else float("nan"), len(values))


def _described(
    frame: Surroundings, rows: IntArray, waves: FloatArray, turns: Rotation
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the surroundings of atoms as vectors whose product is the overlap, as they are and turned.

    The mean of cos k·(r − r') over Gaussian k is a Gaussian of r − r' (random Fourier features, Rahimi and Recht,
    NIPS 20 (2007)).
    """
    first, _, vectors = frame.within(rows, RADIUS_ANG)
    weight = ((1.0 - (np.linalg.norm(vectors, axis=1) / RADIUS_ANG) ** 2) ** 2).astype(np.float32)
    found = []
    for places in (vectors, turns[first].apply(vectors) if len(first) else vectors):
        phase = (places @ waves.T).astype(np.float32)
        features = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) * weight[:, None]
        sums = np.zeros((len(rows), 2 * len(waves)), dtype=np.float32)
        # Pairs of a centre follow each other; a centre without neighbours stays zero.
        starts = np.flatnonzero(np.diff(first, prepend=-1))
        if len(starts):
            sums[first[starts]] = np.add.reduceat(features, starts, axis=0)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        found.append(np.divide(sums, length, out=np.zeros_like(sums), where=length > 0))
    return found[0], found[1]


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

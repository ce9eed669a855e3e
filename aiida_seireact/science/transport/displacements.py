"""Mean squared displacements and their cross terms over all time origins, by fast Fourier transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, InMemory, PathBlocks

WORDS_AT_A_TIME = 1 << 19
"""Numbers of a transform."""


def centre_of_mass_path(positions: ArrayLike, masses: ArrayLike) -> FloatArray:
    """Return the centre of mass of all atoms in each frame, ``(n_frames, 3)``.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)``.
    :param masses: ``(n_atoms,)``.
    """
    weights = np.asarray(masses, dtype=np.float64)
    path = np.einsum("tad,a->td", np.asarray(positions, dtype=np.float64), weights / weights.sum())
    return np.asarray(path, dtype=np.float64)


def drift_of(blocks: PathBlocks, masses: ArrayLike) -> FloatArray:
    """Return the path of the centre of mass, ``(n_frames, 3)``, of atoms that come in blocks.

    :param masses: of all atoms, ``(n_atoms,)``.
    :raises ValueError: no block.
    """
    of = np.asarray(masses, dtype=np.float64)
    total: FloatArray | None = None
    weight = 0.0
    for atoms, paths in blocks:
        part = np.einsum("tad,a->td", paths, of[atoms], dtype=np.float64)
        total = part if total is None else total + part
        weight += float(of[atoms].sum())
    if total is None:
        raise ValueError("There is no atom to take the centre of mass of.")
    return np.asarray(total / weight)


def displacement_products(
    first: ArrayLike, second: ArrayLike, *, n_lags: int | None = None, summed: bool = False
) -> FloatArray:
    """Return ``⟨(x(t + m) − x(t)) (y(t + m) − y(t))⟩`` over all origins t, for each lag m.

    O(T log T) (Calandrini et al., École thématique de la SFN 12, 201 (2011), §4.2, with two signals).

    :param first: x, ``(n_frames, ...)``.
    :param second: y, of the same shape.
    :param n_lags: lags from 0 on; None: all.
    :param summed: sum over the second axis, the atoms, which is faster than summing what is returned.
    :returns: ``(n_lags, ...)``, without the second axis if `summed`.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n_frames = len(x)
    n_lags = n_frames if n_lags is None else min(n_lags, n_frames)
    # Displacements from the mean keep the difference of large numbers below small.
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    padded = 1 << (2 * n_frames - 1).bit_length()
    transform = np.fft.rfft(x, n=padded, axis=0)
    other = transform if first is second else np.fft.rfft(y, n=padded, axis=0)
    power, products = (transform * other.conj()).real, x * y
    if summed:
        power, products = power.sum(axis=1), products.sum(axis=1)
    # The real part of the cross spectrum holds both orders of x and y, each by half.
    correlation = 2.0 * np.fft.irfft(power, n=padded, axis=0)[:n_lags]
    before = np.concatenate([np.zeros_like(products[:1]), np.cumsum(products, axis=0)])
    lags = np.arange(n_lags)
    # All origins but the last m, and all but the first m.
    ends = before[n_frames - lags] + before[-1] - before[lags]
    found = (ends - correlation) / (n_frames - lags).reshape(-1, *([1] * (products.ndim - 1)))
    found[0] = 0.0
    return np.asarray(found)


def mean_squared_displacement(positions: ArrayLike, *, drift: ArrayLike | None = None, chunk: int = 512) -> FloatArray:
    """Return the windowed mean squared displacement, averaged over atoms and time origins.

    ``MSD_d(m) = ⟨|x_d(t + m) − x_d(t)|²⟩``, see :func:`displacement_products`.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)``, Å, equally spaced in time.
    :param drift: ``(n_frames, 3)`` path to subtract, such as :func:`centre_of_mass_path` of the whole cell
        (not of the species alone: that would hide its own collective motion).
    :param chunk: atoms transformed at a time; bounds the memory.
    :returns: ``(n_frames, 3)``, Å², one column a direction; row ``m`` is a lag of ``m`` frames.
    :raises ValueError: no frame, no atom or another shape.
    """
    return np.asarray(msd_of_time_blocks(InMemory(positions, chunk), n_blocks=1, drift=drift)[0])


def msd_of_time_blocks(
    blocks: PathBlocks,
    *,
    n_blocks: int,
    chosen: ArrayLike | None = None,
    drift: ArrayLike | None = None,
    n_lags: int | None = None,
) -> FloatArray:
    """Return the mean squared displacement within each of equal stretches of time; the oldest rest is left out.

    :param blocks: paths, a block of atoms at a time.
    :param n_blocks: stretches of time.
    :param chosen: ``(n_atoms,)`` bool: the atoms that are followed; None: all.
    :param drift: ``(n_frames, 3)`` Å to subtract; None: nothing.
    :param n_lags: lags from 0 on; None: all of a stretch.
    :returns: ``(n_blocks, n_lags, 3)`` Å².
    :raises ValueError: no atom, or stretches of fewer than two frames where there are several.
    """
    total: FloatArray | None = None
    n_atoms = 0
    keep = None if chosen is None else np.asarray(chosen, dtype=bool)
    for atoms, paths in blocks:
        followed = paths if keep is None else paths[:, keep[atoms]]
        if not followed.shape[1]:
            continue
        stretches = time_blocks(len(paths), n_blocks)
        # Transforms of few atoms at a time stay in the cache.
        few = max(1, WORDS_AT_A_TIME // (6 * (stretches[0].stop - stretches[0].start)))
        for start in range(0, followed.shape[1], few):
            part = []
            for stretch in stretches:
                path = followed[stretch, start : start + few].astype(np.float64)
                if drift is not None:
                    path -= np.asarray(drift, dtype=np.float64)[stretch, None]
                part.append(displacement_products(path, path, n_lags=n_lags, summed=True))
            total = np.stack(part) if total is None else total + np.stack(part)
        n_atoms += followed.shape[1]
    if total is None:
        raise ValueError("there is no atom to follow")
    return np.asarray(np.maximum(total, 0.0) / n_atoms)


def time_blocks(n_frames: int, n_blocks: int) -> list[slice]:
    """Return equal stretches of time that end with the last frame.

    :raises ValueError: fewer than two frames a stretch where there are several.
    """
    length = n_frames // n_blocks
    if n_blocks > 1 and length < 2:
        raise ValueError(f"{n_frames} frames can't be cut into {n_blocks} stretches of time")
    return [slice(start, start + length) for start in range(n_frames - n_blocks * length, n_frames, length)]

"""Mean squared displacement and the drift of the whole cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def centre_of_mass_path(positions: ArrayLike, masses: ArrayLike) -> FloatArray:
    """Return the centre of mass of all atoms in each frame, ``(n_frames, 3)``.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)``.
    :param masses: ``(n_atoms,)``.
    """
    weights = np.asarray(masses, dtype=np.float64)
    path = np.einsum("tad,a->td", np.asarray(positions, dtype=np.float64), weights / weights.sum())
    return np.asarray(path, dtype=np.float64)


def mean_squared_displacement(positions: ArrayLike, *, drift: ArrayLike | None = None, chunk: int = 512) -> FloatArray:
    """Return the windowed mean squared displacement, averaged over atoms and time origins.

    ``MSD_d(m) = ⟨|x_d(t + m) − x_d(t)|²⟩`` by fast Fourier transform, O(T log T) for each atom
    (Calandrini et al., École thématique de la SFN 12, 201 (2011), §4.2).

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)``, Å, equally spaced in time.
    :param drift: ``(n_frames, 3)`` path to subtract, such as :func:`centre_of_mass_path` of the whole cell
        (not of the species alone: that would hide its own collective motion).
    :param chunk: atoms transformed at a time; bounds the memory.
    :returns: ``(n_frames, 3)``, Å², one column a direction; row ``m`` is a lag of ``m`` frames.
    :raises ValueError: no frame, no atom or another shape.
    """
    paths = np.asarray(positions)
    if paths.ndim != 3 or paths.shape[2] != 3 or 0 in paths.shape:
        raise ValueError(f"Positions have shape {paths.shape}, expected (n_frames, n_atoms, 3).")
    n_frames, n_atoms, _ = paths.shape
    common = np.zeros((n_frames, 3)) if drift is None else np.asarray(drift, dtype=np.float64)
    total = np.zeros((n_frames, 3))
    padded = 1 << (2 * n_frames - 1).bit_length()
    for start in range(0, n_atoms, chunk):
        path = paths[:, start : start + chunk].astype(np.float64) - common[:, None]
        # Displacements from the mean keep the difference of large numbers below small.
        path -= path.mean(axis=0)
        transform = np.fft.rfft(path, n=padded, axis=0)
        power = (transform.real**2 + transform.imag**2).sum(axis=1)
        correlation = np.fft.irfft(power, n=padded, axis=0)[:n_frames]
        squares = (path**2).sum(axis=1)
        before = np.concatenate([np.zeros((1, 3)), np.cumsum(squares, axis=0)])
        lags = np.arange(n_frames)
        # Sum over origins of x²(t) + x²(t + m): all origins but the last m, and all but the first m.
        ends = before[n_frames - lags] + before[-1] - before[lags]
        total += ends - 2.0 * correlation
    total[0] = 0.0
    return np.asarray(np.maximum(total, 0.0) / (np.arange(n_frames, 0, -1)[:, None] * n_atoms))

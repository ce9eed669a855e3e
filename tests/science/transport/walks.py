"""Atoms whose transport is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def brownian(d, *, n_frames=300, n_atoms=10, dt=1.0, seed=0):
    """Brownian motion of coefficient d, Å²/ps, ``(n_frames, n_atoms, 3)``."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(scale=np.sqrt(2 * d * dt), size=(n_frames, n_atoms, 3)), axis=0)


def hopping(d, *, n_frames=300, n_atoms=300, dt=33.0, hop=3.0, rattle=0.3, seed=0):
    """Atoms that rattle on sites and hop seldom, along one axis at a time."""
    rng = np.random.default_rng(seed)
    frames, atoms = np.nonzero(rng.random((n_frames, n_atoms)) < 6 * d * dt / hop**2)
    steps = np.zeros((n_frames, n_atoms, 3))
    steps[frames, atoms, rng.integers(3, size=len(frames))] = hop * rng.choice([-1, 1], size=len(frames))
    return np.cumsum(steps, axis=0) + rng.normal(scale=rattle, size=steps.shape)


def fractional(hurst, *, n_frames=256, n_atoms=50, seed=0):
    """Fractional Brownian motion, MSD = 3 t^(2 H), from the Cholesky factor of its increments."""
    k = np.arange(n_frames)
    correlation = 0.5 * (np.abs(k + 1.0) ** (2 * hurst) - 2 * k ** (2 * hurst) + np.abs(k - 1.0) ** (2 * hurst))
    factor = np.linalg.cholesky(correlation[np.abs(k[:, None] - k)])
    noise = np.random.default_rng(seed).normal(size=(n_frames, n_atoms * 3))
    return np.cumsum(factor @ noise, axis=0).reshape(n_frames, n_atoms, 3)


def markov_groups(rates, *, n_frames=400, n_atoms=400, seed=0):
    """Two groups that are left at constant rates per frame, ``(n_frames, n_atoms)``."""
    rng = np.random.default_rng(seed)
    now = rng.integers(2, size=n_atoms)
    found = []
    for _ in range(n_frames):
        found.append(now.copy())
        now = np.where(rng.random(n_atoms) < np.asarray(rates)[now], 1 - now, now)
    return np.array(found)


def seeds(n) -> Iterator[int]:
    """Seeds that no other test hangs on."""
    return iter(range(1000, 1000 + n))

"""Which atoms belong to a phase or slab when a window begins, and how long they stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray

NOWHERE = -1
"""Group of an atom that is in none."""


def slab_of(z_fraction: ArrayLike, n_slabs: int) -> IntArray:
    """Return the slab of each height, counted from the lower face of the cell.

    :param z_fraction: fractional coordinates along z, any shape, wrapped or not.
    """
    wrapped = np.asarray(z_fraction, dtype=np.float64) % 1.0
    return np.minimum((wrapped * n_slabs).astype(np.int64), n_slabs - 1)


def combined(phase: ArrayLike, slab: ArrayLike, n_slabs: int) -> IntArray:
    """Return one group for each phase and slab: ``phase * n_slabs + slab``; nowhere where either is.

    :param phase: indices, negative: none.
    :param slab: indices of the same shape, negative: none.
    """
    phases, slabs = np.asarray(phase, dtype=np.int64), np.asarray(slab, dtype=np.int64)
    return np.where((phases < 0) | (slabs < 0), NOWHERE, phases * n_slabs + slabs)


@dataclass(frozen=True)
class Residence:
    """How long members stay.

    :param survival: ``(n_groups, n_lags)``: of the members at t0, the share that has stayed without a break; NaN for
        a group without members.
    :param returning: the same, for members that are there again, wherever they were between.
    :param n_members: ``(n_groups,)`` members at an origin, in the mean.
    :param n_exits: ``(n_groups,)`` leavings that were seen.
    """

    survival: FloatArray
    returning: FloatArray
    n_members: FloatArray
    n_exits: IntArray

    def time(self, interval: float) -> FloatArray:
        """Return the mean time that members stay, in units of `interval`: time in the group over exits from it.

        The maximum-likelihood estimate where leaving has a constant rate; runs that end within the group count.
        Infinite where nobody left.

        :param interval: between frames.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self._at_risk / self.n_exits * interval)

    _at_risk: FloatArray


def residence(groups: ArrayLike, n_groups: int, n_lags: int) -> Residence:
    """Return how long atoms stay in their group, over all time origins.

    :param groups: ``(n_frames, n_atoms)`` at evenly spaced frames; negative: none.
    :param n_groups: number of groups.
    :param n_lags: lags from 0 on, at most `n_frames`.
    :raises ValueError: another shape, or more lags than frames.
    """
    of = np.asarray(groups)
    if of.ndim != 2 or not 1 <= n_lags <= len(of):
        raise ValueError(f"groups of shape {of.shape} have no {n_lags} lags; expected (n_frames, n_atoms).")
    stayed = np.zeros((n_groups, n_lags))
    back = np.zeros_like(stayed)
    origins = np.zeros_like(stayed)
    unbroken = of.copy()
    for lag in range(n_lags):
        began = of[: len(of) - lag]
        if lag:
            # What has stayed up to the lag before, and is there now.
            unbroken = np.where(of[lag:] == began, unbroken[:-1], NOWHERE)
        origins[:, lag] = _counted(began, n_groups)
        stayed[:, lag] = _counted(unbroken, n_groups)
        back[:, lag] = _counted(np.where(of[lag:] == began, began, NOWHERE), n_groups)
    at_risk = _counted(of[:-1], n_groups)
    exits = at_risk - _counted(np.where(of[1:] == of[:-1], of[:-1], NOWHERE), n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival, returning = stayed / origins, back / origins
    return Residence(survival, returning, origins[:, 0] / len(of), exits, at_risk.astype(np.float64))


def stay(groups: Iterable[IntArray], n_groups: int) -> tuple[FloatArray, FloatArray]:
    """Return how many of the members of the first frame stay, and how many are there (again), frame by frame.

    :param groups: ``(n_atoms,)`` of each frame of a window; one is held at a time.
    :returns: two arrays ``(n_groups, n_frames)``, atoms; column 0 is all members.
    """
    began: IntArray | None = None
    unbroken = np.zeros(0, dtype=np.int64)
    stayed, there = [], []
    for of in groups:
        if began is None:
            began, unbroken = of, of
        unbroken = np.where(of == began, unbroken, NOWHERE)
        stayed.append(_counted(unbroken, n_groups))
        there.append(_counted(np.where(of == began, began, NOWHERE), n_groups))
    return np.array(stayed, dtype=np.float64).T, np.array(there, dtype=np.float64).T


def _counted(groups: IntArray, n_groups: int) -> IntArray:
    return np.bincount(groups[groups >= 0].ravel(), minlength=n_groups)[:n_groups]

"""Tracer diffusion from mean squared displacements, with an error that covers the truth as often as it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis import centre_of_mass_path, mean_squared_displacement

FloatArray = NDArray[np.float64]
CM2_PER_S = 1e-4
"""One Å²/ps in cm²/s."""
FIT = (0.1, 0.5)
"""Lags of a block that the slope is fitted to, over its length: rattling is over, and enough origins are left."""


@dataclass(frozen=True)
class Diffusion:
    """Tracer diffusion of a species.

    :param d_ang2_per_ps: None where no diffusion was seen.
    :param error_ang2_per_ps: standard error of the mean of the blocks; None as `d_ang2_per_ps`.
    :param msd_ang2: at the longest lag that was fitted, `lag_ps`.
    :param n_blocks: blocks that the error is from.
    """

    d_ang2_per_ps: float | None
    error_ang2_per_ps: float | None
    msd_ang2: float
    lag_ps: float
    n_blocks: int

    @property
    def d_cm2_per_s(self) -> float | None:
        """The same in cm²/s."""
        return None if self.d_ang2_per_ps is None else self.d_ang2_per_ps * CM2_PER_S

    @property
    def error_cm2_per_s(self) -> float | None:
        """The same in cm²/s."""
        return None if self.error_ang2_per_ps is None else self.error_ang2_per_ps * CM2_PER_S


def tracer_diffusion(
    positions: ArrayLike,
    times_ps: ArrayLike,
    *,
    species: ArrayLike,
    masses: ArrayLike | None = None,
    n_blocks: int = 5,
    msd_min_ang2: float = 3.0,
) -> Diffusion:
    """Return D = slope of the MSD / 6, and its standard error from blocks of the run.

    The run is cut into blocks of equal length; each gives a slope over the lags `FIT` of the MSD averaged over atoms
    and origins. The blocks' displacements are independent where the motion has no longer memory than a block, so the
    standard deviation of their slopes over √n is the error of the mean (Flyvbjerg and Petersen, J. Chem. Phys. 91,
    461 (1989)). Below `msd_min_ang2` atoms rattle in their cages, and a slope would be a number without a meaning.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)`` Å, equally spaced in time.
    :param times_ps: ``(n_frames,)``
    :param species: ``(n_atoms,)`` bool: the atoms that are followed.
    :param masses: ``(n_atoms,)`` u: the path of the centre of mass of all is left out; None: of nothing.
    :param msd_min_ang2: mean squared displacement at the longest lag from which on it is called diffusion; the
        default is about the square of half a jump between Li sites.
    :raises ValueError: blocks of fewer than 10 frames, other spacing, or none of the species.
    """
    paths, times, chosen = np.asarray(positions), np.asarray(times_ps, dtype=float), np.asarray(species, dtype=bool)
    if not chosen.any():
        raise ValueError("there is no atom of the species")
    length = len(paths) // n_blocks
    if n_blocks < 2 or length < 10:
        raise ValueError(
            f"{len(paths)} frames in {n_blocks} blocks: an error needs 2 blocks or more of at least 10 frames"
        )
    spacing = np.diff(times)
    if not (spacing > 0).all() or np.ptp(spacing) > 1e-6 * spacing.mean():
        raise ValueError("the frames are not equally spaced in time")
    drift = None if masses is None else centre_of_mass_path(paths, masses)
    lags = np.arange(max(1, round(FIT[0] * length)), max(3, round(FIT[1] * length)) + 1)
    curves = []
    for start in range(len(paths) - n_blocks * length, len(paths), length):
        block = slice(start, start + length)
        path = None if drift is None else drift[block]
        curves.append(mean_squared_displacement(paths[block][:, chosen], drift=path).sum(axis=1)[lags])
    after = lags * float(spacing.mean())
    slopes = np.array([np.polyfit(after, curve, 1)[0] for curve in curves]) / 6
    msd, mean = float(np.mean([curve[-1] for curve in curves])), float(slopes.mean())
    if msd < msd_min_ang2 or mean <= 0:
        return Diffusion(None, None, msd, float(after[-1]), n_blocks)
    return Diffusion(mean, float(slopes.std(ddof=1) / np.sqrt(n_blocks)), msd, float(after[-1]), n_blocks)

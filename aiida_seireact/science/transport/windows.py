"""Displacements in windows that begin at chosen times, by what an atom was when the window began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray, PathBlocks
from aiida_seireact.science.transport.diffusion import of_curves
from aiida_seireact.science.transport.estimates import DiffusionEstimate
from aiida_seireact.science.transport.weights import FIT

IN_PLANE, OUT_OF_PLANE, ALL = (0, 1), (2,), (0, 1, 2)


@dataclass(frozen=True)
class Windows:
    """Sums over the members of each group at the beginning of each window.

    :param lags: in frames, from 0.
    :param counts: ``(n_windows, n_groups, n_species)`` members.
    :param squares: ``(n_windows, n_groups, n_species, n_lags, 3)`` Å², squared displacements, summed.
    :param collective: of the same shape, Å: displacements, summed.
    """

    lags: IntArray
    counts: IntArray
    squares: FloatArray
    collective: FloatArray

    def msd(self, group: int, species: int, directions: tuple[int, ...] = ALL) -> FloatArray:
        """Return the mean squared displacement over all windows, ``(n_lags,)`` Å²; NaN without members."""
        total, n = self.squares[:, group, species].sum(axis=0), self.counts[:, group, species].sum()
        return np.asarray(total[:, list(directions)].sum(axis=1) / n if n else np.full(len(self.lags), np.nan))

    def diffusion(
        self,
        group: int,
        species: int,
        interval_ps: float,
        *,
        directions: tuple[int, ...] = ALL,
        fit: tuple[float, float] = FIT,
    ) -> DiffusionEstimate | None:
        """Return the coefficient of the members, its error from the spread between windows; None without members.

        Windows must not overlap, else the error is too small.

        :param interval_ps: between two lags.
        :param directions: columns that are summed.
        """
        counts = self.counts[:, group, species]
        if not counts.any():
            return None
        summed = self.squares[:, group, species][:, :, list(directions)].sum(axis=2)
        curves = summed / np.maximum(counts, 1)[:, None]
        # A window of one origin: as long as its lags. The fit covers what the lags cover.
        return of_curves(
            curves, interval_ps, n_frames=len(self.lags), n_directions=len(directions), weights=counts,
            fit=(fit[0], min(2 * fit[1], (len(self.lags) - 1) / len(self.lags))),
        )  # fmt: skip


def windowed(
    blocks: PathBlocks,
    *,
    origins: ArrayLike,
    length: int,
    groups: ArrayLike,
    n_groups: int,
    species: ArrayLike,
    n_species: int,
    every: int = 1,
    drift: ArrayLike | None = None,
) -> Windows:
    """Return displacements after chosen times, of atoms by their group at that time (SCIENCE.md §1.6).

    :param blocks: paths, Å, a block of atoms at a time.
    :param origins: frames that windows begin at, ``(n_windows,)``.
    :param length: frames of a window after its origin.
    :param groups: ``(n_windows, n_atoms)`` phase, slab or both at each origin; negative: the atom is left out.
    :param n_groups: number of groups.
    :param species: ``(n_atoms,)`` index of each atom's species; negative: left out.
    :param n_species: number of species.
    :param every: frames between two lags; what is held grows with their number.
    :param drift: ``(n_frames, 3)`` Å, path of the centre of mass of the cell; None: nothing is subtracted.
    :raises ValueError: a window that ends after the run, or shapes that don't fit.
    """
    begins = np.asarray(origins, dtype=np.int64)
    member, kind = np.asarray(groups), np.asarray(species)
    if length < 1 or member.shape != (len(begins), len(kind)):
        raise ValueError(f"groups of shape {member.shape}, expected (n_windows, n_atoms) = {len(begins), len(kind)}.")
    shape, lags = (len(begins), n_groups, n_species), np.arange(0, length + 1, every)
    counts = np.zeros(shape, dtype=np.int64)
    squares, collective = np.zeros((*shape, len(lags), 3)), np.zeros((*shape, len(lags), 3))
    for atoms, paths in blocks:
        if len(begins) and (begins.min() < 0 or begins.max() + length >= len(paths)):
            raise ValueError(
                f"a window from frame {begins.max()} on over {length} frames ends after the run of {len(paths)} frames"
            )
        for window, begin in enumerate(begins.tolist()):
            inside = (member[window, atoms] >= 0) & (kind[atoms] >= 0)
            if not inside.any():
                continue
            cell = member[window, atoms[inside]] * n_species + kind[atoms[inside]]
            moved = paths[begin + lags][:, inside].astype(np.float64)
            if drift is not None:
                moved -= np.asarray(drift, dtype=np.float64)[begin + lags, None]
            moved -= moved[0].copy()
            for which in np.unique(cell).tolist():
                group, of = divmod(which, n_species)
                chosen = moved[:, cell == which]
                counts[window, group, of] += chosen.shape[1]
                squares[window, group, of] += np.einsum("tad,tad->td", chosen, chosen)
                collective[window, group, of] += chosen.sum(axis=1)
    return Windows(lags, counts, squares, collective)

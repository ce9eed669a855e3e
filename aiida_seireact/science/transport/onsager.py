"""Onsager transport coefficients with cross terms, conductivity and Haven ratio, with errors from stretches of time.

``L_ij = lim d/dt ⟨ΔR_i · ΔR_j⟩ / (6 V k T)``, where R_i is the sum of the paths of species i in the frame of the
centre of mass (Fong, Self, McCloskey and Persson, Macromolecules 54, 2575 (2021), eq. 11, counted in atoms, not mol).
The flux of i is ``J_i = −Σ_j L_ij ∇μ_j``, atoms/(Å² ps), with μ in eV. Unit of L: 1/(eV Å ps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray
from aiida_seireact.science.transport.collective import in_centre_of_mass, products_of_time_blocks
from aiida_seireact.science.transport.estimates import Estimate, mean_of
from aiida_seireact.science.transport.units import BOLTZMANN_EV_PER_K, S_PER_CM
from aiida_seireact.science.transport.weights import FIT, fitted_lags, noise_of, slope_weights
from aiida_seireact.science.transport.windows import Windows

N_BLOCKS = 10
"""A cell has one collective path a species: its error needs more stretches than that of many atoms."""


@dataclass(frozen=True)
class Onsager:
    """Transport coefficients, 1/(eV Å ps).

    :param replicates: ``(n_replicates, n_species, n_species)``, one matrix of each stretch or window.
    :param weights: ``(n_replicates,)``; None: equal.
    """

    replicates: FloatArray
    weights: FloatArray | None = None

    @property
    def matrix(self) -> FloatArray:
        """The mean, ``(n_species, n_species)``, symmetric."""
        return np.asarray(np.average(self.replicates, axis=0, weights=self.weights))

    @property
    def error(self) -> FloatArray:
        """Its standard error, ``(n_species, n_species)``; NaN from one replicate."""
        n = self.replicates.shape[1]
        found = np.full((n, n), np.nan)
        for i, j in np.ndindex(n, n):
            error = self.estimate(i, j).error
            found[i, j] = np.nan if error is None else error
        return found

    def estimate(self, i: int, j: int) -> Estimate:
        """Return one coefficient with its error."""
        return mean_of(self.replicates[:, i, j], self.weights)

    def conductivity(self, charges: ArrayLike) -> Estimate:
        """Return the ionic conductivity ``e² Σ z_i z_j L_ij``, S/cm.

        :param charges: formal charges ``(n_species,)``, e.
        """
        z = np.asarray(charges, dtype=np.float64)
        return mean_of(np.einsum("i,nij,j->n", z, self.replicates, z) * S_PER_CM, self.weights)

    def sum_rule(self, masses: ArrayLike) -> FloatArray:
        """Return ``Σ_i M_i L_ij`` over ``Σ_i M_i |L_ij|`` for each j: 0 to rounding for a whole cell.

        :param masses: ``(n_species,)`` u of one atom.
        """
        m = np.asarray(masses, dtype=np.float64)
        scale = m @ np.abs(self.matrix)
        return np.asarray(m @ self.matrix / np.where(scale > 0, scale, 1.0))


def onsager(
    paths: ArrayLike,
    interval_ps: float,
    *,
    counts: ArrayLike,
    masses: ArrayLike,
    volume_ang3: float,
    temperature_k: float,
    n_blocks: int = N_BLOCKS,
    fit: tuple[float, float] = FIT,
    directions: tuple[int, ...] = (0, 1, 2),
) -> Onsager:
    """Return the coefficients of a whole cell, for which ``Σ_i M_i L_ij = 0``.

    :param paths: collective paths of **all** species, ``(n_frames, n_species, 3)`` Å, evenly spaced.
    :param counts: ``(n_species,)`` atoms.
    :param masses: ``(n_species,)`` u of one atom.
    :param volume_ang3: of the cell, the mean of the run.
    :param temperature_k: of the run, in the mean.
    :param n_blocks: stretches of time that the error is from.
    :param fit: first and last lag over the length of a stretch.
    :param directions: columns that are averaged, ``(0, 1)`` for transport in the plane across z.
    :raises ValueError: stretches of fewer than 10 frames.
    """
    moved = in_centre_of_mass(paths, counts, masses)
    length = len(moved) // n_blocks
    if n_blocks < 2 or length < 10:
        raise ValueError(
            f"{len(moved)} frames in {n_blocks} blocks: an error needs 2 blocks or more of at least 10 frames"
        )
    lags = fitted_lags(length, fit)
    products = products_of_time_blocks(moved, n_blocks, int(lags[-1]) + 1)[:, lags][..., list(directions)].sum(axis=-1)
    return _of_products(products, lags, length, 2 * len(directions) * interval_ps, volume_ang3, temperature_k)


def haven(own: Onsager, coefficients: ArrayLike, counts: ArrayLike, charges: ArrayLike, *, volume_ang3: float,
          temperature_k: float) -> Estimate:  # fmt: skip
    """Return Haven's ratio: the conductivity of atoms that move each for itself (Nernst–Einstein) over the true one.

    Both of the same stretches of time, so the error is the jackknife's over them: it holds what they share.

    :param own: of the cell, or of some species of it.
    :param coefficients: self-diffusion ``(n_replicates, n_species)`` Å²/ps of the same stretches.
    :param counts: ``(n_species,)`` atoms.
    :param charges: ``(n_species,)`` e.
    :raises ValueError: other numbers of stretches.
    """
    z, n = np.asarray(charges, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    each = np.asarray(coefficients, dtype=np.float64) @ (n * z**2) / (volume_ang3 * BOLTZMANN_EV_PER_K * temperature_k)
    whole = np.einsum("i,nij,j->n", z, own.replicates, z)
    if len(each) != len(whole):
        raise ValueError(f"{len(each)} stretches of self-diffusion, {len(whole)} of the conductivity")
    count = len(whole)
    left_out = (each.sum() - each) / (whole.sum() - whole)
    error = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    return Estimate(float(each.sum() / whole.sum()), error, count)


@dataclass(frozen=True)
class PartOnsager:
    """Transport coefficients of a part of the cell.

    :param coefficients: of a phase times its volume, Å²/(eV ps); of a slab 1/(eV Å ps).
    :param members: number of members that they are of; both are proportional to it.
    :param n_windows: windows that had any.
    """

    coefficients: Onsager
    members: float
    n_windows: int


def onsager_of_windows(
    windows: Windows,
    group: int,
    interval_ps: float,
    *,
    volume_ang3: float | None,
    temperature_k: float,
    fit: tuple[float, float] = FIT,
    directions: tuple[int, ...] = (0, 1, 2),
) -> PartOnsager | None:
    """Return the coefficients of the atoms that were in a phase or slab when a window began; None without members.

    What a window gives is proportional to its members, ``L V = Σ ⟨ΔR_i · ΔR_j⟩ / (6 k T t)``. So it is told for each
    member, windows weigh by their members (as in :meth:`Windows.diffusion`), and the mean is multiplied by a number of
    members: ``L V = N · Σ_w P_w / Σ_w N_w``. For a phase N is the mean of the windows **that have any**: it is L V of
    the phase while it is there, not the mean of the run. A slab is there always, so N is the mean of **all** windows.
    The error is that of the ratio of sums: how unlike members move, not how their number changes.

    The members are a part of the cell that exchanges momentum and atoms with the rest: ``Σ_i M_i L_ij`` need not be 0,
    and the coefficients mean little over windows much longer than members stay (:func:`membership.residence`).

    :param windows: displacements in the frame of the centre of mass **of the cell**, windows that don't overlap.
    :param volume_ang3: of a slab; None for a phase, which has no faces: then L times its volume is told.
    :param fit: first and last lag over twice the length of a window, as a window has one origin.
    """
    counts = windows.counts[:, group].sum(axis=1)
    there = counts > 0
    if not there.any():
        return None
    n_lags = len(windows.lags)
    lags = fitted_lags(n_lags, (fit[0], min(2 * fit[1], (n_lags - 1) / n_lags)))
    moved = windows.collective[there, group][:, :, lags][..., list(directions)]
    each = np.einsum("wild,wjld->wlij", moved, moved) / counts[there, None, None, None]
    members = float(counts[there].mean() if volume_ang3 is None else counts.mean())
    found = _of_products(
        members * each, lags, n_lags, 2 * len(directions) * interval_ps, volume_ang3 or 1.0, temperature_k,
        counts[there].astype(np.float64),
    )  # fmt: skip
    return PartOnsager(found, members, int(there.sum()))


def _of_products(
    products: FloatArray,
    lags: IntArray,
    n_frames: int,
    divisor: float,
    volume_ang3: float,
    temperature_k: float,
    counts: FloatArray | None = None,
) -> Onsager:
    """Return the slopes of ``(n_replicates, n_lags, n_species, n_species)``, all with the same weights of the lags.

    Other weights for each pair would break ``Σ_i M_i L_ij = 0``.

    :param counts: ``(n_replicates,)`` how much each replicate counts; None: equal.
    """
    own = np.average(np.einsum("rlii->rli", products), axis=0, weights=counts)
    # Each species by its own scale, or the largest one would choose for all.
    scale = np.maximum(own[-1], 1e-300 + 1e-12 * own[-1].max())
    weights, _ = slope_weights(lags, n_frames, noise_of((own / scale).mean(axis=1), lags))
    slopes = np.einsum("l,rlij->rij", weights, products) / divisor
    return Onsager(slopes / (volume_ang3 * BOLTZMANN_EV_PER_K * temperature_k), counts)

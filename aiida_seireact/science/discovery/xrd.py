"""Powder diffraction of a weighted subset of a large frame, by Fourier transform of its density on a grid.

pymatgen's XRDCalculator goes through all pairs of atom and reflection: seconds for 1,500 atoms, hopeless for a frame
of a simulation. Here each element's atoms are spread on a grid by cubic B-splines, transformed once, and the
spreading is divided out again (as in smooth particle mesh Ewald, Essmann et al., J. Chem. Phys. 103, 8577 (1995)).
Cells of any shape; form factors and the factor of Lorentz and polarisation are pymatgen's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray
from scipy.fft import next_fast_len, rfftn

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
COPPER_ANG = 1.54184
_ORDER = 4
_CHUNK = 50_000


@dataclass(frozen=True, eq=False)
class Reflections:
    """What a powder scatters, by length of the scattering vector.

    :param q: ``(n,)`` |q| = 4π sin θ / λ, 1/Å, ascending.
    :param intensity: ``(n,)`` |F|² summed over the reciprocal vectors of that length, over the square of the
        weight of all atoms: the same for a cell and its supercells.
    """

    q: FloatArray
    intensity: FloatArray


def q_of(two_theta_deg: ArrayLike, wavelength_ang: float = COPPER_ANG) -> FloatArray:
    """Return |q| in 1/Å at a scattering angle."""
    return np.asarray(4 * np.pi * np.sin(np.radians(np.asarray(two_theta_deg, dtype=float)) / 2) / wavelength_ang)


class ReciprocalGrid:
    """The reciprocal vectors of a cell up to a length, for several subsets of a frame.

    :param cell: ``(3, 3)`` Å with a volume.
    :param q_max: end of the range, 1/Å; 4.8 is 2θ = 72° of Cu Kα.
    :param grid_per_period: points of the grid for each half period of the shortest wave, at least 1. The amplitude at
        `q_max` is off by at most 1/(2g − 1)⁴: 1.2 % for 2, 0.16 % for 3.
    :raises ValueError: a cell without volume.
    """

    def __init__(self, cell: ArrayLike, *, q_max: float = 4.8, grid_per_period: float = 2.0) -> None:
        lattice = np.asarray(cell, dtype=np.float64)
        if abs(float(np.linalg.det(lattice))) < 1e-6:
            raise ValueError("A diffraction pattern needs a cell with a volume.")
        self._inverse = np.linalg.inv(lattice)
        self._q_max = q_max
        # Index h of a vector of length q is at most q · |a| / 2π, and n points tell h up to n / 2 apart.
        least = q_max * np.linalg.norm(lattice, axis=1) / np.pi
        self._shape = tuple(max(8, _even(int(np.ceil(grid_per_period * n)))) for n in least)
        nx, ny, nz = self._shape
        axes = [np.fft.fftfreq(nx, 1 / nx), np.fft.fftfreq(ny, 1 / ny), np.arange(nz // 2 + 1, dtype=np.float64)]
        vectors = sum(
            2 * np.pi * part.reshape([-1 if k == axis else 1 for k in range(3)])[..., None] * self._inverse[:, axis]
            for axis, part in enumerate(axes)
        )
        q = np.linalg.norm(np.asarray(vectors), axis=-1)
        del vectors
        self._inside = np.flatnonzero((q > 1e-6) & (q <= q_max))
        self._lengths = q.ravel()[self._inside]
        place = np.unravel_index(self._inside, q.shape)
        # One of each pair ±q is there, but for the planes at the ends, where both are.
        ends = (place[2] == 0) | (2 * place[2] == nz)
        self._multiplicity = np.where(ends, 1.0, 2.0)
        self._spread = np.ones(len(self._lengths))
        for part, index, n in zip(axes, place, self._shape, strict=True):
            self._spread *= (np.sinc(part / n) ** _ORDER)[index]

    def reflections(
        self,
        positions: ArrayLike,
        numbers: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        ordered_only: bool = False,
        bin_per_ang: float = 0.002,
    ) -> Reflections:
        """Return the scattering of the frame, or of a weighted part of it.

        :param positions: ``(n_atoms, 3)`` Å; :param numbers: ``(n_atoms,)``
        :param weights: ``(n_atoms,)`` share of each atom in the subset; None: all.
        :param ordered_only: leave out what the atoms would scatter without any order, Σ (w f)² for each vector: between
            the peaks of a large frame that is all there is, of a cell of few atoms it is part of the peaks.
        :param bin_per_ang: vectors of a length are gathered in bins of this width.
        :raises ValueError: no weight at all.
        """
        kinds = np.asarray(numbers, dtype=np.int64)
        share = np.ones(len(kinds)) if weights is None else np.asarray(weights, dtype=np.float64)
        total = float(share.sum())
        if total <= 0:
            raise ValueError("No atom is in the subset whose diffraction pattern is asked for.")
        fractions = (np.asarray(positions, dtype=np.float64) @ self._inverse) % 1.0
        amplitude = np.zeros(len(self._lengths), dtype=np.complex128)
        alone = np.zeros(len(self._lengths))
        for element in np.unique(kinds[share > 0]):
            mine = (kinds == element) & (share > 0)
            factor = form_factor(int(element), self._lengths)
            density = _spread(fractions[mine], share[mine], self._shape)
            amplitude += factor * rfftn(density.astype(np.float32)).ravel()[self._inside]
            alone += factor**2 * float((share[mine] ** 2).sum())
        values = (np.abs(amplitude / self._spread) ** 2 - (alone if ordered_only else 0.0)) * self._multiplicity
        bins = (self._lengths / bin_per_ang).astype(np.int64)
        n_bins = int(self._q_max / bin_per_ang) + 1
        strength = np.bincount(bins, weights=values / total**2, minlength=n_bins)
        count = np.bincount(bins, minlength=n_bins)
        mean = np.bincount(bins, weights=self._lengths, minlength=n_bins)
        there = count > 0
        return Reflections(q=mean[there] / count[there], intensity=strength[there].astype(np.float64))


def pattern(
    found: Reflections,
    two_theta_deg: ArrayLike,
    *,
    wavelength_ang: float = COPPER_ANG,
    fwhm_deg: float = 0.6,
    scale: float = 1.0,
    b_ang2: float = 0.0,
) -> FloatArray:
    """Return a powder pattern: reflections with the factor of Lorentz and polarisation, each a Gaussian.

    :param two_theta_deg: ``(n,)`` equally spaced.
    :param scale: stretch of the crystal: 1.01 puts its reflections where a lattice 1 % longer has them.
    :param b_ang2: factor of Debye and Waller, ``exp(−2 B sin²θ/λ²)``, for crystals at rest.
    :returns: ``(n,)``, not below 0.
    """
    angles = np.asarray(two_theta_deg, dtype=np.float64)
    sine = found.q / scale * wavelength_ang / (4 * np.pi)
    kept = (sine > 0) & (sine < 1)
    theta = np.arcsin(sine[kept])
    heights = found.intensity[kept] * np.exp(-2 * b_ang2 * (sine[kept] / wavelength_ang) ** 2)
    heights = heights * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    places = np.degrees(2 * theta)
    width = angles[1] - angles[0]
    # On the grid of angles, linearly shared between two neighbours, then blurred by one convolution.
    at = (places - angles[0]) / width
    low = np.floor(at).astype(np.int64)
    curve = np.zeros(len(angles) + 2)
    for index, part in ((low, low + 1 - at), (low + 1, at - low)):
        fits = (index >= 0) & (index < len(angles))
        curve += np.bincount(index[fits], weights=(heights * part)[fits], minlength=len(curve))
    sigma = fwhm_deg / 2.3548
    reach = int(np.ceil(4 * sigma / width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * width / sigma) ** 2)
    return np.asarray(np.maximum(np.convolve(curve[:-2], kernel, mode="full")[reach : reach + len(angles)], 0.0))


def similarity(first: ArrayLike, second: ArrayLike) -> float:
    """Return the correlation (Pearson) of two patterns, 0 where one is flat."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0


def form_factor(number: int, q: ArrayLike) -> FloatArray:
    """Return the atomic form factor at |q| in 1/Å, from pymatgen's table."""
    coefficients = np.asarray(_table()[chemical_symbols[number]])
    s2 = (np.asarray(q, dtype=np.float64) / (4 * np.pi)) ** 2
    decay = (coefficients[:, 0] * np.exp(-s2[..., None] * coefficients[:, 1])).sum(axis=-1)
    return np.asarray(number - 41.78214 * s2 * decay)


@lru_cache(maxsize=1)
def _table() -> dict[str, list[list[float]]]:
    from pymatgen.analysis.diffraction.xrd import ATOMIC_SCATTERING_PARAMS

    return dict(ATOMIC_SCATTERING_PARAMS)


def _even(number: int) -> int:
    """Return the next even number that transforms fast."""
    found = next_fast_len(number, real=True)
    while found % 2:
        found = next_fast_len(found + 1, real=True)
    return int(found)


def _spread(fractions: FloatArray, weights: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Spread atoms on a grid by cubic B-splines, four points along each axis."""
    sizes = np.array(shape)
    grid = np.zeros(int(sizes.prod()))
    for start in range(0, len(fractions), _CHUNK):
        places = fractions[start : start + _CHUNK] * sizes
        low = np.floor(places).astype(np.int64)
        t = places - low
        splines = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        x, y, z = np.moveaxis((low[None] + np.arange(-1, 3)[:, None, None]) % sizes, -1, 0)
        a, b, c = np.moveaxis(splines, -1, 0)
        index = ((x[:, None, None] * sizes[1] + y[None, :, None]) * sizes[2] + z[None, None]).ravel()
        part = (a[:, None, None] * b[None, :, None] * c[None, None] * weights[start : start + _CHUNK]).ravel()
        if len(index) > len(grid) / 4:
            grid += np.bincount(index, weights=part, minlength=len(grid))
        else:
            np.add.at(grid, index, part)
    return grid.reshape(shape)

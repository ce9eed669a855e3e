"""Powder diffraction of a weighted subset of a large frame, by Fourier transform of its density on a grid.

pymatgen's XRDCalculator goes through all pairs of atom and reflection: seconds for 1,500 atoms, hopeless for a frame
of a simulation. Here each element's atoms are spread on a grid by cubic B-splines, transformed once, and the
spreading is divided out again (as in smooth particle mesh Ewald, Essmann et al., J. Chem. Phys. 103, 8577 (1995)).
Cells of any shape; form factors and the factor of Lorentz and polarisation are pymatgen's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray
from scipy.fft import fft, next_fast_len, rfft

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
COPPER_ANG = 1.54184
_ORDER = 4
_CHUNK = 10_000
"""Atoms spread at a time: 64 points each."""
_WORDS = 1 << 24
"""Points of the density that are held at a time."""


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
        # Only indices up to there are kept of each transform; half of the third axis, as the density is real.
        x, y, z = (min(int(n / 2), size // 2 - 1) for n, size in zip(least, self._shape, strict=True))
        self._indices = (np.r_[0 : x + 1, -x:0], np.r_[0 : y + 1, -y:0], np.arange(z + 1))
        self._rows = [self._row(index) for index in self._indices[1]]

    def _row(self, index: int) -> tuple[IntArray, FloatArray]:
        """Return which vectors of one second index lie in the range: their place in (first, third), and lengths."""
        first, _, third = self._indices
        vectors = (
            2
            * np.pi
            * (
                first[:, None, None] * self._inverse[:, 0]
                + index * self._inverse[:, 1]
                + third[None, :, None] * self._inverse[:, 2]
            )
        )
        q = np.linalg.norm(vectors, axis=-1).ravel()
        place = np.flatnonzero((q > 1e-6) & (q <= self._q_max))
        return place, q[place]

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
        amplitudes = [np.zeros(len(place), dtype=np.complex64) for place, _ in self._rows]
        alone: dict[int, float] = {}
        for element in np.unique(kinds[share > 0]).tolist():
            mine = (kinds == element) & (share > 0)
            alone[element] = float((share[mine] ** 2).sum())
            for amplitude, waves, (place, lengths) in zip(
                amplitudes, self._waves(fractions[mine], share[mine]), self._rows, strict=True
            ):
                amplitude += form_factor(element, lengths) * waves[place]
        n_bins = int(self._q_max / bin_per_ang) + 1
        strength, count, mean = np.zeros(n_bins), np.zeros(n_bins, dtype=np.int64), np.zeros(n_bins)
        first, second, third = self._sharpness()
        for amplitude, (place, lengths), sharp in zip(amplitudes, self._rows, second, strict=True):
            x, z = np.divmod(place, len(third))
            values = np.abs(amplitude / (sharp * first[x] * third[z])) ** 2
            if ordered_only:
                values -= sum(weight * form_factor(element, lengths) ** 2 for element, weight in alone.items())
            # One of each pair ±q is there, but for the plane z = 0, where both are.
            values *= np.where(z == 0, 1.0, 2.0) / total**2
            bins = (lengths / bin_per_ang).astype(np.int64)
            strength += np.bincount(bins, weights=values, minlength=n_bins)
            count += np.bincount(bins, minlength=n_bins)
            mean += np.bincount(bins, weights=lengths, minlength=n_bins)
        there = count > 0
        return Reflections(q=mean[there] / count[there], intensity=strength[there].astype(np.float64))

    def _sharpness(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what spreading has taken from the waves of each index, along each axis."""
        first, second, third = (
            np.sinc(index / size) ** _ORDER for index, size in zip(self._indices, self._shape, strict=True)
        )
        return first, second, third

    def _waves(self, fractions: FloatArray, weights: FloatArray) -> Iterator[NDArray[np.complex64]]:
        """Transform the density of some atoms; yield the waves of each second index, (first, third), flat.

        The density is made and transformed by slabs across the first axis, and never whole.
        """
        nx, ny, nz = self._shape
        first, second, third = self._indices
        kept = np.empty((nx, len(second), len(third)), dtype=np.complex64)
        thickness = min(nx, max(8, _WORDS // (ny * nz)))
        planes = np.floor(fractions[:, 0] * nx).astype(np.int64)
        order = np.argsort(planes, kind="stable")
        planes, fractions, weights = planes[order], fractions[order], weights[order]
        for begin in range(0, nx, thickness):
            end = min(begin + thickness, nx)
            near = _reaching(planes, begin, end, nx)
            density = _spread(fractions[near], weights[near], self._shape, begin, end)
            half = rfft(density.astype(np.float32), axis=2)[:, :, third]
            kept[begin:end] = fft(half, axis=1, overwrite_x=True)[:, second]
        for place in range(len(second)):
            yield fft(kept[:, place], axis=0)[first].ravel()


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


def _reaching(planes: IntArray, begin: int, end: int, size: int) -> IntArray:
    """Return which atoms spread on to planes of a slab, from one plane before their own to two after it.

    :param planes: ``(n,)`` own plane of each, ascending; :param size: planes in all, periodic.
    """
    if end - begin + 3 >= size:
        return np.arange(len(planes))
    spans = [(begin - 2, end + 1), (begin - 2 + size, size), (0, end + 1 - size)]
    cuts = [(max(low, 0), min(high, size)) for low, high in spans]
    found = [np.arange(*np.searchsorted(planes, cut)) for cut in cuts if cut[0] < cut[1]]
    return np.concatenate(found)


def _spread(fractions: FloatArray, weights: FloatArray, shape: tuple[int, ...], begin: int, end: int) -> FloatArray:
    """Spread atoms on a slab of a grid by cubic B-splines, four points along each axis.

    :param begin: first plane of the slab across the first axis, :param end: the one behind its last.
    :returns: ``(end - begin, ny, nz)``.
    """
    sizes = np.array(shape)
    grid = np.zeros((end - begin) * int(sizes[1:].prod()))
    for start in range(0, len(fractions), _CHUNK):
        places = fractions[start : start + _CHUNK] * sizes
        low = np.floor(places).astype(np.int64)
        t = places - low
        splines = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        x, y, z = np.moveaxis((low[None] + np.arange(-1, 3)[:, None, None]) % sizes, -1, 0)
        a, b, c = np.moveaxis(splines, -1, 0)
        inside = (x >= begin) & (x < end)
        x, a = np.where(inside, x - begin, 0), np.where(inside, a, 0.0)
        index = ((x[:, None, None] * sizes[1] + y[None, :, None]) * sizes[2] + z[None, None]).ravel()
        part = (a[:, None, None] * b[None, :, None] * c[None, None] * weights[start : start + _CHUNK]).ravel()
        if len(index) > len(grid) / 4:
            grid += np.bincount(index, weights=part, minlength=len(grid))
        else:
            np.add.at(grid, index, part)
    return grid.reshape(end - begin, *shape[1:])

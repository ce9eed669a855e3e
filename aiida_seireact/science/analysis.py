"""What a reactive trajectory shows: PS4, distributions, displacements, profiles, interphase thickness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

PHOSPHORUS, SULFUR, CHLORINE = 15, 16, 17
FloatArray = NDArray[np.float64]


def intact_ps4(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, *, cutoff_ang: float = 2.6
) -> NDArray[np.bool_]:
    """Tell which phosphorus atoms are the centre of an intact PS4 tetrahedron.

    A PS4 is intact when the four nearest neighbours of its P, of any element, are all S and within the cutoff
    (Ding et al., arXiv:2506.10944, 2.6 Å).

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)``, any shape and size, rows are lattice vectors.
    :param pbc: ``(3,)``.
    :returns: ``(n_P,)`` in the order of the P atoms.
    """
    places = np.asarray(positions, dtype=np.float64)
    elements = np.asarray(numbers)
    phosphorus = np.flatnonzero(elements == PHOSPHORUS)
    if not len(phosphorus):
        return np.zeros(0, dtype=bool)
    periodic = np.asarray(pbc, dtype=bool)
    lattice = np.asarray(complete_cell(np.asarray(cell, dtype=np.float64)), dtype=np.float64)
    wrapped, images, owner = with_images(places, lattice, periodic, cutoff_ang)
    distances, nearest = cKDTree(images).query(
        wrapped[phosphorus], k=5, distance_upper_bound=np.nextafter(cutoff_ang, np.inf)
    )
    found = np.isfinite(distances[:, 1:])
    # cKDTree marks a neighbour it did not find by an index one past the end.
    kinds = np.append(elements[owner], 0)[nearest[:, 1:]]
    return np.asarray((found & (kinds == SULFUR)).all(axis=1))


def partial_rdf(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    pair: tuple[int, int],
    *,
    r_max_ang: float = 8.0,
    n_bins: int = 160,
) -> tuple[FloatArray, FloatArray]:
    """Return the partial radial distribution function of one frame.

    ``g(r) = V n_ab(r) / (N_a N_b 4 π r² dr)`` with all periodic images counted, those of an atom itself
    too, so that a cell and its supercells have the same g; an ideal gas has 1 (for ``a = b``, 1 − 1/N).

    :param pair: atomic numbers ``(a, b)``.
    :returns: centres of the bins ``(n_bins,)``, Å, and g ``(n_bins,)``.
    :raises ValueError: a frame without volume or periodicity, or without one of the elements.
    """
    places, elements = np.asarray(positions, dtype=np.float64), np.asarray(numbers)
    lattice, periodic = np.asarray(cell, dtype=np.float64), np.asarray(pbc, dtype=bool)
    volume = abs(float(np.linalg.det(lattice)))
    if not periodic.all() or volume < 1e-6:
        raise ValueError("A radial distribution function needs a cell that is periodic in all directions.")
    first, second = (np.flatnonzero(elements == number) for number in pair)
    if not len(first) or not len(second):
        missing = pair[0] if not len(first) else pair[1]
        raise ValueError(f"The frame holds no atom of atomic number {missing}: the pair {pair} has no g(r).")
    wrapped, images, owner = with_images(places, lattice, periodic, r_max_ang)
    edges = np.linspace(0.0, r_max_ang, n_bins + 1)
    counts = cKDTree(wrapped[first]).count_neighbors(
        cKDTree(images[elements[owner] == pair[1]]), edges, cumulative=True
    )
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    g = np.diff(counts) * volume / (len(first) * len(second) * shells)
    return (edges[1:] + edges[:-1]) / 2, np.asarray(g, dtype=np.float64)


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


def z_fractions(positions: ArrayLike, cell: ArrayLike, origin: ArrayLike = (0.0, 0.0, 0.0)) -> FloatArray:
    """Return where atoms lie along the third lattice vector, ``(n_atoms,)`` in [0, 1)."""
    relative = np.asarray(positions, dtype=np.float64) - np.asarray(origin, dtype=np.float64)
    fractions = (relative @ np.linalg.inv(np.asarray(cell, dtype=np.float64)))[:, 2] % 1.0
    return np.asarray(np.where(fractions >= 1.0, 0.0, fractions))


def height_along_z(cell: ArrayLike) -> float:
    """Return the height of the cell over the plane of its first two lattice vectors, Å."""
    a, b, c = np.asarray(cell, dtype=np.float64)
    normal = np.cross(a, b)
    return float(abs(c @ normal) / np.linalg.norm(normal))


def profile_along_z(fractions: ArrayLike, labels: ArrayLike, n_labels: int, n_bins: int) -> NDArray[np.int64]:
    """Count atoms by label and slab, ``(n_labels, n_bins)``.

    :param fractions: places along z in [0, 1), any shape.
    :param labels: label 0 … n_labels − 1 of each, same shape.
    """
    slabs = np.minimum((np.ravel(fractions) * n_bins).astype(np.int64), n_bins - 1)
    cells = np.ravel(labels).astype(np.int64) * n_bins + slabs
    return np.bincount(cells, minlength=n_labels * n_bins).reshape(n_labels, n_bins)


@dataclass(frozen=True)
class Thickness:
    """Thickness of the two interphases of a Li | electrolyte | Li cell, Å, at the lower and upper side."""

    lower_ang: float
    upper_ang: float


def thickness_to_outermost(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    *,
    cutoff_ang: float = 2.6,
    min_metal_ang: float = 4.0,
) -> Thickness | None:
    """Measure from the outermost intact PS4 to the outermost S, P or Cl on both sides (arXiv:2506.10944).

    The Li metal is the widest stretch along z without S, P and Cl, so the cell may be cut anywhere. In an
    unreacted cell the thickness is not zero but the distance from the last P to the last anion beyond it.

    :param cutoff_ang: P–S distance of an intact PS4, see :func:`intact_ps4`.
    :param min_metal_ang: a narrower stretch is no metal any more, and the thickness not defined.
    :returns: None where the definition ends: no intact PS4, or no stretch of metal.
    """
    elements, places = np.asarray(numbers), np.asarray(positions, dtype=np.float64)
    intact = intact_ps4(places, elements, cell, pbc, cutoff_ang=cutoff_ang)
    if not intact.any():
        return None
    height = height_along_z(cell)
    z = z_fractions(places, cell) * height
    others = np.sort(z[np.isin(elements, (PHOSPHORUS, SULFUR, CHLORINE))])
    gaps = np.diff(others, append=others[0] + height)
    widest = int(np.argmax(gaps))
    if gaps[widest] < min_metal_ang:
        return None
    start = others[(widest + 1) % len(others)]
    width = height - gaps[widest]
    centres = (z[elements == PHOSPHORUS][intact] - start) % height
    # The lowest atom itself may come out one rounding below the start, hence at the far end.
    centres = np.where(centres > width + 1e-6, 0.0, centres)
    return Thickness(lower_ang=float(centres.min()), upper_ang=float(width - centres.max()))


def thickness_of_profile(
    profile: ArrayLike, height_ang: float, *, metal: int, electrolyte: int, threshold: float = 0.5
) -> float:
    """Sum the length along z, Å, where neither Li metal nor electrolyte fills half; both sides together.

    A slab counts when ``1 − f_Li − f_SE > threshold``, with fractions of the Li environments in the slab.
    Slabs without any environment are left out. Our own definition, which exists at any time: the one of
    :func:`thickness_to_outermost` ends with the last PS4, and its outermost atom is one atom.

    :param profile: counts ``(n_labels, n_bins)`` of :func:`profile_along_z`.
    :param metal: row of Li metal; ``electrolyte``: row of the electrolyte.
    """
    counts = np.asarray(profile, dtype=np.float64)
    total = counts.sum(axis=0)
    other = np.divide(total - counts[metal] - counts[electrolyte], total, out=np.zeros_like(total), where=total > 0)
    return float((other > threshold).sum() * height_ang / counts.shape[1])

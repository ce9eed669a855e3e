"""Descriptors of local environments: the ACE power spectrum B2, in the form FLARE computes it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class DescriptorError(ValueError):
    """A structure or a setting that has no descriptors; the message says why."""


@dataclass(frozen=True)
class DescriptorSpec:
    """Everything the numbers depend on: descriptors of unlike specs must never be compared.

    Defaults: the cutoff and l_max of Ding et al. (arXiv:2506.10944) for FLARE, n_max 4 instead of 9, which
    separates the phases as well at a fifth of the length.

    :param species: element symbols, in the order of the channels.
    :param cutoff_ang: neighbours up to this distance, Å.
    :param n_max: radial functions for each species.
    :param l_max: highest angular momentum, at most 3.
    :param centre: element whose environments are described.
    """

    species: tuple[str, ...] = ("Li", "P", "S", "Cl")
    cutoff_ang: float = 6.0
    n_max: int = 4
    l_max: int = 3
    centre: str = "Li"

    def __post_init__(self) -> None:
        unknown = [symbol for symbol in self.species if symbol not in atomic_numbers]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise DescriptorError(f"Species must be different element symbols, not {list(self.species)}.")
        if self.centre not in self.species:
            raise DescriptorError(f"The centre {self.centre} is not among the species {list(self.species)}.")
        if not self.cutoff_ang > 0 or self.n_max < 1 or not 0 <= self.l_max <= 3:
            raise DescriptorError(
                "A descriptor needs cutoff_ang > 0, n_max ≥ 1 and l_max from 0 to 3, not "
                f"{self.cutoff_ang}, {self.n_max} and {self.l_max}."
            )

    @property
    def n_features(self) -> int:
        """Length of one descriptor."""
        channels = len(self.species) * self.n_max
        return channels * (channels + 1) // 2 * (self.l_max + 1)

    @property
    def content_hash(self) -> str:
        """Hash of the settings and of the form of the descriptor."""
        form = {"form": "b2 chebyshev quadratic /1", **self.to_dict()}
        return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings, ready for JSON."""
        return {**asdict(self), "species": list(self.species)}


def real_harmonics(x: Any, y: Any, z: Any, l_max: int) -> list[Any]:
    """Orthonormal real spherical harmonics up to l = 3 of unit vectors: one ``(n,)`` for each of (l_max + 1)².

    :param x, y, z: ``(n,)`` arrays of numpy or tensors of torch.
    """
    pi = np.pi
    columns = [0 * x + math.sqrt(1 / (4 * pi))]
    if l_max >= 1:
        c1 = math.sqrt(3 / (4 * pi))
        columns += [c1 * y, c1 * z, c1 * x]
    if l_max >= 2:
        c2 = math.sqrt(15 / (4 * pi))
        columns += [
            c2 * x * y,
            c2 * y * z,
            math.sqrt(5 / (16 * pi)) * (3 * z**2 - 1),
            c2 * x * z,
            c2 / 2 * (x**2 - y**2),
        ]
    if l_max >= 3:
        c3, c31, c32 = math.sqrt(35 / (32 * pi)), math.sqrt(21 / (32 * pi)), math.sqrt(105 / (4 * pi))
        columns += [
            c3 * y * (3 * x**2 - y**2),
            c32 * x * y * z,
            c31 * y * (5 * z**2 - 1),
            math.sqrt(7 / (16 * pi)) * z * (5 * z**2 - 3),
            c31 * x * (5 * z**2 - 1),
            c32 / 2 * z * (x**2 - y**2),
            c3 * x * (x**2 - 3 * y**2),
        ]
    return columns


def chebyshev_polynomials(x: Any, count: int) -> list[Any]:
    """Return T_0 to T_(count − 1) of ``x``, an array of numpy or a tensor of torch."""
    polynomials = [0 * x + 1, x]
    while len(polynomials) < count:
        polynomials.append(2 * x * polynomials[-1] - polynomials[-2])
    return polynomials[:count]


def _radial(distances: FloatArray, spec: DescriptorSpec) -> FloatArray:
    """Chebyshev polynomials of r/r_c times the quadratic cutoff (r − r_c)², ``(n, n_max)``."""
    polynomials = np.stack(chebyshev_polynomials(distances / spec.cutoff_ang, spec.n_max), axis=1)
    return np.asarray(polynomials * ((distances - spec.cutoff_ang) ** 2)[:, None])


def _channels(numbers: NDArray[Any], species: Sequence[str]) -> NDArray[np.int64]:
    table = np.full(max(len(chemical_symbols), int(numbers.max(initial=0)) + 1), -1)
    table[[atomic_numbers[symbol] for symbol in species]] = np.arange(len(species))
    channels = table[numbers]
    if (channels < 0).any():
        unknown = sorted({chemical_symbols[number] for number in numbers[channels < 0].tolist()})
        raise DescriptorError(
            f"The structure holds {', '.join(unknown)}, but the descriptors know only {', '.join(species)}: "
            "add the species to the spec (of references and trajectory alike)."
        )
    return np.asarray(channels)


def b2_descriptors(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    spec: DescriptorSpec,
    *,
    chunk: int = 1024,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Compute the B2 (ACE ν = 2, power spectrum) descriptors around the atoms of the spec's centre element.

    With ``c[s, n, l, m] = Σ_j T_n(r_j / r_c) (r_j − r_c)² Y_lm(r̂_j)`` over neighbours ``j`` of species ``s``,
    ``B2[(s n) ≤ (s' n'), l] = Σ_m c[s, n, l, m] c[s', n', l, m]``, equal to FLARE's ``B2("chebyshev",
    "quadratic")`` (Vandermause et al., Nat. Commun. 13, 5183 (2022); Drautz, Phys. Rev. B 99, 014104 (2019)).

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)``; :param pbc: ``(3,)``.
    :param chunk: centres computed at a time; bounds the memory.
    :returns: descriptors ``(n_centres, n_features)`` and the atom index of each centre ``(n_centres,)``.
    :raises DescriptorError: an unknown species, NaN, or no atom of the centre element.
    """
    places = np.asarray(positions, dtype=np.float64)
    elements = np.asarray(numbers)
    lattice = np.asarray(complete_cell(np.asarray(cell, dtype=np.float64)))
    if not (np.isfinite(places).all() and np.isfinite(lattice).all()):
        raise DescriptorError("Positions or cell hold NaN or infinity, so there are no descriptors.")
    channels = _channels(elements, spec.species)
    centres = np.flatnonzero(elements == atomic_numbers[spec.centre])
    if not len(centres):
        raise DescriptorError(f"The structure holds no {spec.centre}, whose environments are asked for.")

    # Imported here: programs that only name a spec need not have it.
    from matscipy.neighbours import neighbour_list

    i, j, d, vector = neighbour_list(
        "ijdD", positions=places, cell=lattice, pbc=np.asarray(pbc, dtype=bool), cutoff=float(spec.cutoff_ang)
    )
    if len(d) and d.min() < 1e-9:
        raise DescriptorError(f"Atoms {i[d.argmin()]} and {j[d.argmin()]} lie on each other.")
    # The list is sorted by its first atom, so the neighbours of a run of centres are runs of rows.
    first = np.searchsorted(i, np.arange(len(places) + 1))
    n_species, n_lm = len(spec.species), (spec.l_max + 1) ** 2
    upper = np.triu_indices(n_species * spec.n_max)
    found = np.empty((len(centres), spec.n_features), dtype=np.float32)
    for start in range(0, len(centres), chunk):
        some = centres[start : start + chunk]
        counts = first[some + 1] - first[some]
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(first[some] - starts[:-1], counts) + np.arange(starts[-1])
        slot = np.repeat(np.arange(len(some)), counts) * n_species + channels[j[rows]]
        order = np.argsort(slot, kind="stable")
        rows, slot = rows[order], slot[order]
        radial = _radial(d[rows], spec)
        x, y, z = (vector[rows] / d[rows][:, None]).T
        angular = np.stack(real_harmonics(x, y, z, spec.l_max), axis=1)
        edges = (radial[:, :, None] * angular[:, None, :]).reshape(len(rows), spec.n_max * n_lm)
        expansion = np.zeros((len(some) * n_species, spec.n_max * n_lm))
        begins = np.flatnonzero(np.diff(slot, prepend=-1))
        if len(begins):
            expansion[slot[begins]] = np.add.reduceat(edges, begins, axis=0)
        c = expansion.reshape(len(some), n_species * spec.n_max, n_lm)
        block = found[start : start + chunk].reshape(len(some), -1, spec.l_max + 1)
        for ell in range(spec.l_max + 1):
            part = c[:, :, ell**2 : (ell + 1) ** 2]
            block[:, :, ell] = (part @ part.transpose(0, 2, 1))[:, upper[0], upper[1]]
    return found, centres


def mean_descriptors(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, spec: DescriptorSpec
) -> FloatArray:
    """Return the B2 descriptors averaged over the atoms of each species, ``(n_species, n_features)``.

    One matrix for a frame, whatever its size: frames of one run are compared by it. The centre of the spec is not used;
    a species of which there is no atom has zeros.

    :raises DescriptorError: as :func:`b2_descriptors`.
    """
    present = set(np.unique(np.asarray(numbers)).tolist())
    means = np.zeros((len(spec.species), spec.n_features))
    for row, symbol in enumerate(spec.species):
        if atomic_numbers[symbol] in present:
            found, _ = b2_descriptors(positions, numbers, cell, pbc, replace(spec, centre=symbol))
            means[row] = found.mean(axis=0, dtype=np.float64)
    return means

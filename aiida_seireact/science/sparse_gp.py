"""A sparse Gaussian process on B2 descriptors: what it is made of, and its predictions by automatic differentiation.

Trained by FLARE (:mod:`aiida_seireact.programs._flare_gp`), evaluated here many times faster: FLARE's C++ forms the
gradient of each descriptor, automatic differentiation only that of the energy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import complete_cell
from numpy.typing import NDArray

from aiida_seireact.science.sparse_gp_torch import Tensors

FloatArray = NDArray[np.float64]

FORM = "sparse gp, b2 chebyshev quadratic, normalised dot product /1"


class SparseGPError(ValueError):
    """A Gaussian process that is none, or a structure it has no prediction for; the message says why."""


@dataclass(frozen=True, eq=False)
class SparseGP:
    """A trained sparse Gaussian process of local energies (Vandermause et al., Nat. Commun. 13, 5183 (2022)).

    With the normalised descriptor ``d`` of an atom and the rows ``D`` of its species,
    ``k = sigma² (D d)^power``, its energy is ``k · alpha`` and its variance ``sigma² − |inverse_cholesky k|²``.

    :param species: element symbols, in the order of the channels of the descriptor.
    :param cutoff_ang: neighbours up to this distance, Å.
    :param n_max: radial functions for each species.
    :param l_max: highest angular momentum, at most 3.
    :param power: of the kernel.
    :param sigma: signal standard deviation of an atom's energy, eV.
    :param noises: ``(3,)`` of the energy of a cell (eV), of forces (eV/Å) and of the stress (eV/Å³).
    :param jitter: added to the diagonal of the kernel matrix, eV².
    :param energies_ev: ``(n_species,)`` energy of a single atom that predictions are added to, eV.
    :param descriptors: for each species ``(n_s, n_features)`` normalised descriptors of its sparse environments.
    :param alpha: for each species ``(n_s,)`` weights, 1/eV.
    :param inverse_cholesky: for each species ``(n_s, n_s)``, inverse of the lower Cholesky factor of its kernel
        matrix with jitter, 1/eV.
    :param frame_ids: frames learned, in this order.
    :param sparse_atoms: for each frame the atoms whose environments were taken.
    :param settings_hash: level of theory of the labels.
    """

    species: tuple[str, ...]
    cutoff_ang: float
    n_max: int
    l_max: int
    power: int
    sigma: float
    noises: tuple[float, float, float]
    jitter: float
    energies_ev: FloatArray
    descriptors: tuple[FloatArray, ...]
    alpha: tuple[FloatArray, ...]
    inverse_cholesky: tuple[FloatArray, ...]
    frame_ids: tuple[str, ...]
    sparse_atoms: tuple[tuple[int, ...], ...]
    settings_hash: str

    def __post_init__(self) -> None:
        if not self.species or set(self.species) - set(atomic_numbers) or len(set(self.species)) != len(self.species):
            raise SparseGPError(f"Species must be different element symbols, not {list(self.species)}.")
        numbers = (self.cutoff_ang, self.sigma, *self.noises, self.jitter)
        if not (np.isfinite(numbers).all() and min(numbers[:-1]) > 0 and self.jitter >= 0 and len(self.noises) == 3):
            raise SparseGPError(
                f"Cutoff, sigma and three noises must be positive, the jitter not negative: {list(numbers)} are not."
            )
        if self.n_max < 1 or not 0 <= self.l_max <= 3 or self.power < 1:
            raise SparseGPError(
                f"n_max and power must be at least 1 and l_max 0 to 3, not {self.n_max}, {self.power} and {self.l_max}."
            )
        if len(self.frame_ids) != len(self.sparse_atoms) or len(set(self.frame_ids)) != len(self.frame_ids):
            raise SparseGPError(
                f"{len(set(self.frame_ids))} different frames with {len(self.sparse_atoms)} lists of atoms: "
                "each frame is learned once and has one."
            )
        counts = [len(part) for part in self.alpha]
        n_species = len(self.species)
        expected: dict[str, list[tuple[int, ...]]] = {
            "energies_ev": [(n_species,)],
            "alpha": [(n,) for n in counts] if len(counts) == n_species else [()] * n_species,
            "descriptors": [(n, self.n_features) for n in counts],
            "inverse_cholesky": [(n, n) for n in counts],
        }
        for name, shapes in expected.items():
            value = getattr(self, name)
            parts = [value] if name == "energies_ev" else list(value)
            found = [part.shape for part in parts]
            if found != shapes or any(part.dtype != np.float64 for part in parts):
                raise SparseGPError(f"{name} must be float64 of the shapes {shapes}, not {found}.")
            if not all(np.isfinite(part).all() for part in parts):
                raise SparseGPError(f"{name} holds NaN or infinity.")
        if sum(len(atoms) for atoms in self.sparse_atoms) != self.n_sparse:
            raise SparseGPError(
                f"{self.n_sparse} sparse environments, but the frames give "
                f"{sum(len(atoms) for atoms in self.sparse_atoms)}."
            )

    @property
    def n_features(self) -> int:
        """Length of one descriptor."""
        channels = len(self.species) * self.n_max
        return channels * (channels + 1) // 2 * (self.l_max + 1)

    @property
    def n_sparse(self) -> int:
        """Sparse environments of all species."""
        return sum(len(part) for part in self.alpha)

    @property
    def settings(self) -> dict[str, Any]:
        """Return all that predictions depend on beside the arrays, ready for JSON."""
        return {
            "species": list(self.species),
            "cutoff_ang": self.cutoff_ang,
            "n_max": self.n_max,
            "l_max": self.l_max,
            "power": self.power,
            "sigma": self.sigma,
            "noises": list(self.noises),
            "jitter": self.jitter,
        }

    @property
    def content_hash(self) -> str:
        """sha256 of all that predictions depend on; not of the names of the frames."""
        digest = hashlib.sha256(json.dumps({"form": FORM, **self.settings}, sort_keys=True).encode())
        for part in (self.energies_ev, *self.descriptors, *self.alpha, *self.inverse_cholesky):
            array = np.ascontiguousarray(part, dtype="<f8")
            digest.update(str(array.shape).encode() + array.tobytes())
        return digest.hexdigest()


class SparseGPCalculator(Calculator):
    """Energy, forces, stress and local uncertainty of a :class:`SparseGP`, all at once, in double precision.

    Beside ASE's, ``results`` has ``stds`` ``(n_atoms,)``: the standard deviation of each atom's energy relative to
    the signal's, ``sign(v) √|v| / sigma``, from 0 (known) to 1 (never seen), as FLARE's variance type "local"; and
    ``neighbours`` ``(n_atoms,)``: how many there are within the cutoff.

    An atom with no neighbour has no energy beyond its species' own and, unlike in FLARE, where it is 0 and
    the atom never noticed, the standard deviation 1.

    :param gp: the process.
    :raises SparseGPError: in :meth:`calculate`: unknown species, NaN, or two atoms in one place.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "stds"]  # noqa: RUF012

    def __init__(self, gp: SparseGP) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.gp = gp
        self._tensors = Tensors(gp)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] | None = None,
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute everything with one pass forward and one backward."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.atoms is None:
            raise SparseGPError("There is no structure to predict for: give atoms.")
        self.results = self._predict(self.atoms)

    def _predict(self, atoms: Atoms) -> dict[str, Any]:
        import torch

        channels = species_channels(self.gp.species, atoms.numbers)
        i, j, vectors = _neighbours(atoms, self.gp.cutoff_ang)
        edges = torch.from_numpy(vectors).requires_grad_()
        energy, deviations = self._tensors.predict(i, channels[j], edges, channels)
        (gradient,) = torch.autograd.grad(energy, edges)
        forces = torch.zeros((len(atoms), 3), dtype=torch.float64)
        forces.index_add_(0, torch.from_numpy(i), gradient).index_add_(0, torch.from_numpy(j), -gradient)
        total = float(energy.detach()) + float(self.gp.energies_ev[channels].sum())
        results = {
            "energy": total,
            "free_energy": total,
            "forces": forces.numpy(),
            "stds": deviations,
            "neighbours": np.bincount(i, minlength=len(atoms)),
        }
        if atoms.cell.rank == 3:
            virial = vectors.T @ gradient.numpy()
            stress = (virial + virial.T) / (2 * atoms.get_volume())
            results["stress"] = stress.flat[[0, 4, 8, 5, 2, 1]]
        return results


def standard_deviations(gp: SparseGP, atoms: Atoms, *, chunk: int = 64) -> FloatArray:
    """Return the standard deviation of each atom's energy relative to the signal's, ``(n_atoms,)``.

    The ``stds`` of :class:`SparseGPCalculator` without forces.

    :param chunk: atoms computed at a time; bounds the memory.
    :raises SparseGPError: unknown species, NaN, or two atoms in one place.
    """
    import torch

    tensors = Tensors(gp)
    channels = species_channels(gp.species, atoms.numbers)
    i, j, vectors = _neighbours(atoms, gp.cutoff_ang)
    # The list is sorted by its first atom, so the neighbours of a run of atoms are a run of rows.
    first = np.searchsorted(i, np.arange(len(atoms) + 1))
    found = np.empty(len(atoms))
    with torch.no_grad():
        for start in range(0, len(atoms), chunk):
            stop = min(start + chunk, len(atoms))
            rows = slice(first[start], first[stop])
            edges = torch.from_numpy(vectors[rows])
            found[start:stop] = tensors.predict(i[rows] - start, channels[j[rows]], edges, channels[start:stop])[1]
    return found


def species_channels(species: Sequence[str], numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each atom the index of its species, ``(n_atoms,)``.

    :raises SparseGPError: an atom of another species; the message names it.
    """
    table: Mapping[int, int] = {atomic_numbers[symbol]: index for index, symbol in enumerate(species)}
    unknown = sorted({chemical_symbols[number] for number in set(numbers.tolist()) - set(table)})
    if unknown:
        raise SparseGPError(
            f"The structure holds {', '.join(unknown)}, but the Gaussian process knows only {', '.join(species)}: "
            "train one on all species of the system."
        )
    return np.array([table[number] for number in numbers.tolist()], dtype=np.int64)


def _neighbours(atoms: Atoms, cutoff_ang: float) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return first and second atom ``(n_pairs,)`` and the vector between them ``(n_pairs, 3)``, Å, sorted by first."""
    from matscipy.neighbours import neighbour_list

    cell = np.asarray(complete_cell(atoms.cell.array))
    if not (np.isfinite(atoms.positions).all() and np.isfinite(cell).all()):
        raise SparseGPError("Positions or cell hold NaN or infinity, so there is no prediction.")
    i, j, vectors = neighbour_list("ijD", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=float(cutoff_ang))
    on_top = np.flatnonzero((vectors**2).sum(axis=1) < 1e-12)
    if len(on_top):
        raise SparseGPError(f"Atoms {i[on_top[0]]} and {j[on_top[0]]} lie on each other.")
    return i.astype(np.int64), j.astype(np.int64), np.ascontiguousarray(vectors, dtype=np.float64)

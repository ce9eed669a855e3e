"""FLARE's sparse Gaussian process in C++: what learns and fits, behind an interface without its traps."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from aiida_seireact.formats import lammps_leg
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPError, species_channels
from aiida_seireact.science.sparse_gp_torch import EMPTY_NORM

FloatArray = NDArray[np.float64]

# FLARE's stress is the negative of ASE's, in the order xx xy xz yy yz zz.
FLARE_ORDER = (0, 5, 4, 1, 3, 2)


class FlareGP:
    """A Gaussian process that learns labelled frames one by one.

    FLARE's C++ keeps no more than the address of the kernel: a process whose kernel was collected gives wrong numbers
    without a word, and so does a ``deepcopy`` of its Python wrapper (mir-flare 1.4.0). Here the kernel lives as long
    as this object, of which there are no copies: :meth:`export` gives the numbers, :meth:`rebuild` a second process.

    :param settings: descriptor, kernel, noises, bounds of their fit.
    :param species: element symbols, in the order of the channels of the descriptor.
    :param energies_ev: energy of a single atom of each species, subtracted before learning, eV.
    :raises InvalidInput: a species that is no element, or without energy.
    :raises MissingPackage: FLARE is not installed; the message has the command.
    """

    def __init__(self, settings: GpSettings, species: Sequence[str], energies_ev: Mapping[str, float]) -> None:
        core = _flare()
        fits = set(species) <= set(atomic_numbers) and set(species) <= set(energies_ev)
        if not species or not fits or len(set(species)) != len(species):
            raise InvalidInput(
                "A Gaussian process needs different elements and the energy of an atom of each: "
                f"{list(species)} with energies of {sorted(energies_ev)} does not fit."
            )
        self.settings = settings
        self.species = tuple(species)
        self.energies_ev = np.array([energies_ev[symbol] for symbol in species], dtype=np.float64)
        self.frame_ids: list[str] = []
        self.sparse_atoms: list[tuple[int, ...]] = []
        self._new_structure = core.Structure
        self._kernels = [core.NormalizedDotProduct(settings.sigma, settings.power)]
        form = [len(species), settings.n_max, settings.l_max]
        self._descriptors = [core.B2("chebyshev", "quadratic", [0.0, settings.cutoff_ang], [], form)]
        noises = (settings.noise_energy_ev, settings.noise_force_ev_per_ang, settings.noise_stress_ev_per_ang3)
        self._gp = core.SparseGP(self._kernels, *noises)

    @classmethod
    def rebuild(cls, gp: SparseGP, settings: GpSettings, frames: Mapping[str, Atoms]) -> FlareGP:
        """Return the process that ``gp`` was exported from, ready to learn on.

        :param settings: those it was made with; sigma and noises are those of ``gp``, which may have been fitted.
        :param frames: labelled frames by id, at least those that ``gp`` has learned.
        :raises InvalidInput: other settings of the descriptor or kernel, a frame that is missing, or labels that do
            not fit.
        """
        for name in ("cutoff_ang", "n_max", "l_max", "power"):
            if getattr(gp, name) != getattr(settings, name):
                raise InvalidInput(
                    f"The Gaussian process was made with {name} {getattr(gp, name)}, the settings say "
                    f"{getattr(settings, name)}: learn on with the settings it was begun with, or begin anew."
                )
        missing = [frame_id for frame_id in gp.frame_ids if frame_id not in frames]
        if missing:
            raise InvalidInput(
                f"{len(missing)} of the {len(gp.frame_ids)} frames that the Gaussian process has learned are not among "
                f"the labels, {missing[0]} first: give all labels it has seen."
            )
        fitted = {
            "sigma": gp.sigma,
            "noise_energy_ev": gp.noises[0],
            "noise_force_ev_per_ang": gp.noises[1],
            "noise_stress_ev_per_ang3": gp.noises[2],
        }
        energies_ev = dict(zip(gp.species, gp.energies_ev.tolist(), strict=True))
        again = cls(settings.model_copy(update=fitted), gp.species, energies_ev)
        for frame_id, environments in zip(gp.frame_ids, gp.sparse_atoms, strict=True):
            again._learn(frames[frame_id], frame_id, environments)
        again._gp.update_matrices_QR()
        return again

    def __copy__(self) -> NoReturn:
        raise TypeError("A FlareGP can't be copied, since FLARE's copies give wrong numbers: use export and rebuild.")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__copy__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A FlareGP can't be pickled, since it is a process in C++: use export and rebuild.")

    @property
    def n_sparse(self) -> int:
        """Sparse environments of all species."""
        return int(self._gp.n_sparse)

    @property
    def sigma(self) -> float:
        """Signal standard deviation of an atom's energy, eV."""
        return float(self._gp.hyperparameters[0])

    @property
    def noises(self) -> tuple[float, float, float]:
        """Of the energy of a cell (eV), of forces (eV/Å) and of the stress (eV/Å³)."""
        energy, force, stress = (float(value) for value in self._gp.hyperparameters[1:])
        return energy, force, stress

    def learn(self, atoms: Atoms, frame_id: str, environments: Iterable[int]) -> tuple[int, ...]:
        """Learn the labels of a frame, and take some of its environments as sparse points.

        :param atoms: fully periodic, with energy, forces and stress as results of its calculator.
        :param environments: indices of atoms; those without neighbours, which no kernel knows, are left out.
        :returns: the atoms taken, ascending.
        :raises InvalidInput: a label missing or not finite, a frame learned before, another species, no such atom, or
            no environment at all when the process has none.
        """
        taken = self._learn(atoms, frame_id, environments)
        self._gp.update_matrices_QR()
        return taken

    def _learn(self, atoms: Atoms, frame_id: str, environments: Iterable[int]) -> tuple[int, ...]:
        """Learn a frame, but leave the weights as they were."""
        if frame_id in self.frame_ids:
            raise InvalidInput(f"Frame {frame_id} was learned before: a frame is learned once.")
        energy, forces, stress = _labels(atoms, frame_id)
        asked = sorted({int(index) for index in environments})
        if asked and not 0 <= asked[0] <= asked[-1] < len(atoms):
            raise InvalidInput(f"Frame {frame_id} has atoms 0 to {len(atoms) - 1}: {asked} are not all among them.")
        structure = self._describe(atoms)
        present = self._present(structure)
        taken = tuple(index for index in asked if present[index])
        # FLARE's prediction without any sparse point is a segmentation fault.
        if not taken and not self.n_sparse:
            raise InvalidInput(f"Frame {frame_id} is the first, so atoms with neighbours must be learned of it.")
        own = self.energies_ev[species_channels(self.species, atoms.numbers)].sum()
        structure.energy = np.array([[energy - own]])
        structure.forces = forces.ravel()
        structure.stresses = -stress[list(FLARE_ORDER)]
        # -1: forces of all atoms; the noises are taken as they are.
        self._gp.add_training_structure(structure, [-1], 1.0, 1.0, 1.0)
        if taken:
            self._gp.add_specific_environments(structure, taken)
        self.frame_ids.append(frame_id)
        self.sparse_atoms.append(taken)
        return taken

    def standard_deviations(self, atoms: Atoms) -> FloatArray:
        """Return the standard deviation of each atom's energy relative to the signal's, ``(n_atoms,)``.

        The same numbers as :func:`aiida_seireact.science.sparse_gp.standard_deviations` of the exported process, and
        1 where there is no neighbour.

        :raises InvalidInput: another species, NaN, or a cell that is not fully periodic.
        """
        if not self.n_sparse:
            return np.ones(len(atoms))
        structure = self._describe(atoms)
        variance = _by_atom(structure, self._gp.compute_cluster_uncertainties(structure)[0])
        deviation = np.sign(variance) * np.sqrt(np.abs(variance)) / self.sigma
        return np.where(self._present(structure), deviation, 1.0)

    def optimise(self) -> float:
        """Fit sigma and the noises within their bounds to the largest marginal likelihood of the labels.

        :returns: the log likelihood reached.
        :raises ProgramFailed: the likelihood is not finite at any point tried; sigma and noises are as before.
        """

        def negative(hyperparameters: FloatArray) -> tuple[float, FloatArray]:
            self._gp.set_hyperparameters(hyperparameters)
            value = -self._gp.compute_likelihood_gradient_stable(True)
            return value, -np.array(self._gp.likelihood_gradient)

        before = np.array(self._gp.hyperparameters)
        self._gp.precompute_KnK()
        found = minimize(
            negative,
            before,
            method="L-BFGS-B",
            jac=True,
            bounds=self.settings.bounds,
            options={"gtol": 1e-4, "maxiter": self.settings.optimise_iterations},
        )
        if not (np.isfinite(found.x).all() and np.isfinite(found.fun)):
            self._gp.set_hyperparameters(before)
            raise ProgramFailed(
                f"The fit of sigma and noises to {len(self.frame_ids)} frames failed ({found.message}): "
                "look at the labels, or leave optimise_at empty."
            )
        self._gp.set_hyperparameters(found.x)
        return -float(found.fun)

    def write_lammps(self, folder: Path) -> None:
        """Write what `pair_style flare` and `compute flare/std/atom` read, by FLARE's own writers.

        Of four species with the descriptor of the paper that is 340 MB of text.
        """
        self._gp.write_mapping_coefficients(str(folder / lammps_leg.PAIR), "seireact", 0)
        self._gp.write_L_inverse(str(folder / lammps_leg.INVERSE), "seireact")
        self._gp.write_sparse_descriptors(str(folder / lammps_leg.DESCRIPTORS), "seireact")

    def export(self, settings_hash: str) -> SparseGP:
        """Return the numbers of the process, to predict with or to rebuild it from.

        :param settings_hash: level of theory of the labels learned.
        :raises InvalidInput: nothing was learned.
        """
        if not self.n_sparse:
            raise InvalidInput("The Gaussian process has learned nothing: there is nothing to export.")
        sparse = self._gp.sparse_descriptors[0]
        kernel, weights, jitter = np.array(self._gp.Kuu), np.array(self._gp.alpha), float(self._gp.Kuu_jitter)
        descriptors, alpha, inverse_cholesky = [], [], []
        start = 0
        # FLARE's matrices are ordered by species, and within one by the order of learning.
        for number in range(len(self.species)):
            norms = np.array(sparse.descriptor_norms[number]).reshape(-1, 1)
            block = slice(start, start + len(norms))
            start += len(norms)
            rows = np.array(sparse.descriptors[number])
            descriptors.append(rows / norms)
            alpha.append(weights[block])
            inverse_cholesky.append(_inverse_cholesky(kernel[block, block] + jitter * np.eye(len(norms))))
        try:
            return SparseGP(
                species=self.species,
                cutoff_ang=self.settings.cutoff_ang,
                n_max=self.settings.n_max,
                l_max=self.settings.l_max,
                power=self.settings.power,
                sigma=self.sigma,
                noises=self.noises,
                jitter=jitter,
                energies_ev=self.energies_ev,
                descriptors=tuple(descriptors),
                alpha=tuple(alpha),
                inverse_cholesky=tuple(inverse_cholesky),
                frame_ids=tuple(self.frame_ids),
                sparse_atoms=tuple(self.sparse_atoms),
                settings_hash=settings_hash,
            )
        except SparseGPError as error:
            raise ProgramFailed(f"What FLARE learned can't be used: {error} Look at the labels and bounds.") from error

    def _describe(self, atoms: Atoms) -> Any:
        """Return FLARE's structure with descriptors and their gradients, 24 bytes a neighbour and feature."""
        channels = species_channels(self.species, atoms.numbers)
        if not (atoms.pbc.all() and atoms.cell.rank == 3):
            raise InvalidInput("FLARE takes every cell as periodic along all three vectors: give such a one.")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise InvalidInput("Positions or cell hold NaN or infinity, so there are no descriptors.")
        return self._new_structure(
            atoms.cell.array, channels.tolist(), atoms.positions, self.settings.cutoff_ang, self._descriptors
        )

    def _present(self, structure: Any) -> NDArray[np.bool_]:
        """Tell which atoms have a descriptor, hence a kernel, ``(n_atoms,)``."""
        return _by_atom(structure, np.concatenate(structure.descriptors[0].descriptor_norms)) >= EMPTY_NORM


def _flare() -> Any:
    """Return FLARE's C++ module."""
    try:
        return importlib.import_module("flare.bffs.sgp._C_flare")
    except ImportError as error:
        raise MissingPackage(
            f"Learning on the fly needs mir-flare ({error}), which is compiled from its source: run `make install` in "
            "the repository of aiida-seireact, or `pip install --no-deps` the wheel it leaves in "
            "~/.cache/aiida-seireact."
        ) from error


def _by_atom(structure: Any, values: FloatArray) -> FloatArray:
    """Return ``values``, which FLARE orders by species, in the order of the atoms."""
    order = np.concatenate(structure.descriptors[0].atom_indices)
    found = np.empty(len(values))
    found[order] = values
    return found


def _labels(atoms: Atoms, frame_id: str) -> tuple[float, FloatArray, FloatArray]:
    """Return energy, forces and stress of a frame in ASE's units and signs."""
    results = {} if atoms.calc is None else atoms.calc.results
    missing = [name for name in ("energy", "forces", "stress") if results.get(name) is None]
    if missing:
        # A process of forces alone can't be rebuilt, and its pressure is made up (mir-flare 1.4.0).
        raise InvalidInput(
            f"Frame {frame_id} has no {' and no '.join(missing)}: the Gaussian process learns from energy, forces and "
            "stress together, so label it with a calculator that gives all three."
        )
    shapes = {"energy": (), "forces": (len(atoms), 3), "stress": (6,)}
    arrays = {name: np.array(results[name], dtype=np.float64) for name in shapes}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise InvalidInput(
                f"The {name} of frame {frame_id} must be finite numbers of shape {shape}: label it anew."
            )
    return float(arrays["energy"]), arrays["forces"], arrays["stress"]


def _inverse_cholesky(matrix: FloatArray) -> FloatArray:
    """Return the inverse of the lower Cholesky factor."""
    try:
        factor = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ProgramFailed(
            f"The kernel matrix of {len(matrix)} environments is not positive: two of them are all but the same. "
            "Raise learn_threshold."
        ) from None
    return np.asarray(solve_triangular(factor, np.eye(len(matrix)), lower=True))

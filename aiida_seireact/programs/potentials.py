"""A calculator of ASE for any potential file of this project, and what several of them say of the same frames.

For single points on some thousand atoms: scorecards, committees, reference runs. Long MD is LAMMPS's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.geometry import complete_cell
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.model import CompiledCard, ModelFileError, read_compiled_card, read_package_card
from aiida_seireact.formats.sgp import SgpError, load_gp
from aiida_seireact.programs._fix_external import check_model
from aiida_seireact.programs._gpu import require_gpu
from aiida_seireact.science.sparse_gp import SparseGPCalculator

PACKAGES = ("allegro-package", "nequip-package")
KINDS = (*PACKAGES, "allegro-compiled", "sgp")


def calculator_of(path: str | Path, kind: str, *, device: str = "cpu") -> BaseCalculator:
    """Return a calculator of ASE with energy (eV), forces (eV/Å) and stress (eV/Å³, ASE's sign and order).

    Loading a package runs the code in it; `data.potential` nodes are made of our own jobs or by the user's hand.

    :param kind: one of `KINDS`, as on the card of a potential. Packages run without compilation (eager), compiled files
        of the targets ``ase`` and ``pair_allegro`` as they are, a Gaussian process in double precision; of the last,
        ``results["stds"]`` is what it does not know.
    :param device: ``cpu`` or ``cuda``, for packages; a compiled file has its own.
    :raises InvalidInput: a kind without calculator, a file that is not whole or not for this machine.
    :raises MissingPackage: nequip or torch is not installed.
    """
    path = Path(path)
    if kind in PACKAGES:
        return _of_package(path, device)
    if kind == "allegro-compiled":
        return _of_compiled(path)
    if kind == "sgp":
        try:
            return SparseGPCalculator(load_gp(path))
        except (SgpError, OSError) as error:
            raise InvalidInput(str(error)) from error
        except ImportError as error:
            raise _lacking(error) from error
    raise InvalidInput(f"ASE has no calculator for a potential of kind {kind!r}: it has them for {', '.join(KINDS)}.")


def committee_forces(calculators: Sequence[BaseCalculator], images: Iterable[Atoms]) -> list[NDArray[np.float64]]:
    """Return for each image the forces that each calculator gives, ``(n_members, n_atoms, 3)``, eV/Å.

    `science.uncertainty.committee_deviation` makes a number of them.

    :param calculators: of `calculator_of`; loaded once, used for all images.
    """
    found = []
    for atoms in images:
        of_members = []
        for calculator in calculators:
            image = atoms.copy()
            image.calc = calculator
            of_members.append(np.array(image.get_forces(), dtype=np.float64))
        found.append(np.stack(of_members))
    return found


def load_nequip(path: Path, *, compiled: bool, device: str = "cpu") -> Calculator:
    """Return nequip's own calculator of a package, or of a file compiled for the target ``ase``.

    :raises MissingPackage: nequip is not installed.
    """
    try:
        from nequip.integrations.ase import NequIPCalculator
    except ImportError as error:
        raise _lacking(error) from error
    # nequip 0.19 has no public name for loading a package into a calculator.
    load = NequIPCalculator.from_compiled_model if compiled else NequIPCalculator._from_saved_model
    with _double_precision():
        calculator: Calculator = load(str(path), device=device, chemical_species_to_atom_type_map=True)
    compute: Any = calculator.calculate

    def calculate(*arguments: Any, **keywords: Any) -> None:
        with _double_precision():
            compute(*arguments, **keywords)

    calculator.calculate = calculate  # type: ignore[method-assign]
    return calculator


@contextmanager
def _double_precision() -> Iterator[None]:
    """Let torch make double precision by default, as nequip wants it, and then again what it made before.

    nequip sets that for the whole process, where other models, CHGNet for one, then fail for want of single precision.
    """
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _lacking(error: ImportError) -> MissingPackage:
    return MissingPackage(f"This potential needs a package ({error}): pip install 'aiida-seireact[train]'.")


def _of_package(path: Path, device: str) -> BaseCalculator:
    if device == "cuda":
        require_gpu("device cuda computes on a GPU", "take device cpu")
    try:
        read_package_card(path)
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    return load_nequip(path, compiled=False, device=device)


def _of_compiled(path: Path) -> BaseCalculator:
    try:
        target = read_compiled_card(path).target
    except ModelFileError as error:
        raise InvalidInput(str(error)) from error
    if target == "pair_allegro":
        return PairAllegroCalculator(path)
    try:
        card = check_model(path, [], target="ase")
    except ImportError as error:
        raise _lacking(error) from error
    return load_nequip(path, compiled=True, device=card.device)


class PairAllegroCalculator(Calculator):
    """A model compiled for LAMMPS (target ``pair_allegro``), asked by ASE: the very file that production runs.

    The images of atoms beyond the cell are made here, as LAMMPS makes ghosts, and their forces are given back to the
    atoms they are images of.

    :param path: the compiled file.
    :raises InvalidInput: not for this torch, processor or GPU.
    :raises MissingPackage: torch is not installed.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        try:
            import torch

            self.card: CompiledCard = check_model(path, [])
        except ImportError as error:
            raise _lacking(error) from error
        try:
            self._model: Any = torch._inductor.aoti_load_package(str(path))
        except Exception as error:  # torch raises whatever the loader met
            raise InvalidInput(
                f"{path.name} can't be loaded by torch {torch.__version__} ({str(error).splitlines()[0]}): compile the "
                "package again on this machine with seireact-compile."
            ) from error

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] | None = None,
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute everything at once.

        :raises InvalidInput: a species that the model does not know.
        """
        import torch

        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        places, edges, owner = with_images(self.atoms, self.card.r_max_ang)
        symbols = self.atoms.get_chemical_symbols()
        unknown = sorted(set(symbols) - set(self.card.species))
        if unknown:
            raise InvalidInput(f"The model knows {', '.join(self.card.species)} only, not {', '.join(unknown)}.")
        types = np.array([self.card.species.index(symbol) for symbol in symbols], dtype=np.int64)[owner]
        device = torch.device(self.card.device)
        given = (torch.from_numpy(array).to(device) for array in (places, edges, types))
        energies, forces, virial = (value.detach().cpu().numpy().astype(np.float64) for value in self._model(*given))
        n_atoms = len(self.atoms)
        total = np.zeros((n_atoms, 3))
        np.add.at(total, owner, forces)
        # Only the atoms of the cell have neighbours, so only they have the energy of an environment.
        energies = energies.reshape(-1)[:n_atoms]
        energy = float(energies.sum())
        self.results = {"energy": energy, "free_energy": energy, "energies": energies, "forces": total}
        if self.atoms.cell.rank == 3:
            self.results["stress"] = full_3x3_to_voigt_6_stress(-virial.reshape(3, 3) / self.atoms.get_volume())


def with_images(atoms: Atoms, cutoff_ang: float) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return atoms with their images within the cutoff, pairs between them, and whose image each is.

    :return: positions ``(n_atoms + n_images, 3)``, Å, the atoms first; pairs ``(2, n_pairs)``, the first of a pair an
        atom of the cell; owners ``(n_atoms + n_images,)``.
    """
    from matscipy.neighbours import neighbour_list

    cell = np.asarray(complete_cell(atoms.cell.array))
    first, second, shifts = neighbour_list(
        "ijS", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=float(cutoff_ang)
    )
    keys = np.column_stack([second, shifts]).astype(np.int64)
    outside = shifts.any(axis=1)
    images, place = np.unique(keys[outside], axis=0, return_inverse=True)
    partner = second.astype(np.int64)
    partner[outside] = len(atoms) + place.reshape(-1)
    places = np.concatenate([atoms.positions, atoms.positions[images[:, 0]] + images[:, 1:] @ cell])
    owner = np.concatenate([np.arange(len(atoms), dtype=np.int64), images[:, 0]])
    return places, np.stack([first.astype(np.int64), partner]), owner

"""DeePMD npy sets: ``type.raw``, ``type_map.raw``, ``set.*/{coord,box,energy,force,virial}.npy``, and their signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.labels import Label
from aiida_seireact.formats.outside import Found, Run

VOIGT = [0, 4, 8, 5, 2, 1]


def read_deepmd(folder: Path) -> list[Run]:
    """Return the frames of all systems under a folder, each of its sets a run.

    Units of DeePMD are eV, Å and eV/Å. Its virial is −volume × stress in ASE's sign, where tension is positive.

    :raises FramesError: no system, atoms whose elements are not told, or an array that is not whole.
    """
    systems = sorted(path.parent for path in folder.rglob("type.raw"))
    if not systems:
        raise FramesError(f"There is no type.raw under {folder}: give the folder of a DeePMD system or one above it.")
    return [run for system in systems for run in _system(system, folder)]


def _system(system: Path, root: Path) -> list[Run]:
    name = str(system.relative_to(root))
    if not (system / "type_map.raw").exists():
        raise FramesError(f"{name} has no type_map.raw, so the elements of its types are unknown: write one a line.")
    sets = sorted(path for path in system.glob("set.*") if path.is_dir())
    if not sets:
        raise FramesError(f"{name} has no folder set.*: convert raw files with DeePMD's raw_to_set first.")
    if any((path / "real_atom_types.npy").exists() for path in sets):
        raise FramesError(f"{name} is of the mixed type, which is not read: write it with dpdata as deepmd/npy.")
    symbols = (system / "type_map.raw").read_text(encoding="utf-8").split()
    unknown = sorted(set(symbols) - set(atomic_numbers))
    if unknown:
        raise FramesError(f"{name}/type_map.raw names {unknown[0]!r}, which is no element.")
    types = np.atleast_1d(np.loadtxt(system / "type.raw", dtype=int))
    if types.min(initial=0) < 0 or types.max(initial=0) >= len(symbols):
        raise FramesError(f"{name}/type.raw has types that type_map.raw does not name.")
    numbers = np.array([atomic_numbers[symbol] for symbol in symbols])[types]
    periodic = not (system / "nopbc").exists()
    return [Run(f"{name}/{path.name}", _set(path, f"{name}/{path.name}", numbers, periodic)) for path in sets]


def _set(folder: Path, name: str, numbers: NDArray[np.int64], periodic: bool) -> list[Found]:
    n_atoms = len(numbers)
    coord = _array(folder, name, "coord", 3 * n_atoms)
    if coord is None:
        raise FramesError(f"{name} has no coord.npy.")
    box = _array(folder, name, "box", 9, len(coord))
    energy, force = (
        _array(folder, name, "energy", 1, len(coord)),
        _array(folder, name, "force", 3 * n_atoms, len(coord)),
    )
    virial = _array(folder, name, "virial", 9, len(coord))
    if periodic and box is None:
        raise FramesError(f"{name} has no box.npy, though the system is periodic: add it, or a file nopbc.")
    found = []
    for index in range(len(coord)):
        atoms = Atoms(numbers, positions=coord[index].reshape(n_atoms, 3), pbc=periodic)
        if periodic and box is not None:
            atoms.cell = box[index].reshape(3, 3)
        stress = None
        if virial is not None and periodic:
            stress = -0.5 * (virial[index] + virial[index].reshape(3, 3).T.ravel())[VOIGT] / atoms.get_volume()
        missing = [label for label, array in (("energy", energy), ("forces", force)) if array is None]
        if energy is None or force is None:
            found.append(Found(atoms, f"it has no {' and no '.join(missing)}: label it first"))
            continue
        label = Label(
            energy=float(energy[index, 0]), forces=force[index].reshape(n_atoms, 3), converged=True, stress=stress
        )
        found.append(Found(atoms, label))
    return found


def _array(folder: Path, name: str, kind: str, width: int, n_frames: int | None = None) -> NDArray[np.float64] | None:
    """Return an array of a set as ``(n_frames, width)``, None if there is no such file."""
    path = folder / f"{kind}.npy"
    if not path.exists():
        return None
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FramesError(f"{name}/{kind}.npy is not a whole array ({error}): copy it again.") from error
    if values.size % width or (n_frames is not None and values.size != n_frames * width):
        wanted = "a multiple of " if n_frames is None else f"{n_frames} × "
        raise FramesError(f"{name}/{kind}.npy has {values.size} numbers, expected {wanted}{width}: copy it again.")
    return np.asarray(values.reshape(-1, width), dtype=np.float64)

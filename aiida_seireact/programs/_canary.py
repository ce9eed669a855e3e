"""The canary: how far a Gaussian process is off on labels it has not learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.science.metrics import rmse

PER_ATOM = ("frame", "md_step", "std", "force_error", "force_norm")


def measure(calculator: Any, images: Sequence[Atoms]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Compare predictions with labels.

    :param calculator: gives energy, forces, stress and ``results["stds"]``, ``(n_atoms,)``.
    :param images: labelled frames.
    :returns: a row for each frame: ``md_step``, ``n_atoms``, ``energy_error_mev_per_atom`` (signed),
        ``force_rmse_ev_per_ang`` and ``force_rms_ev_per_ang`` over the components, ``stress_rmse_gpa``, ``max_std``;
        and arrays ``(n_atoms_total,)`` `PER_ATOM`: index of the frame, its MD step, uncertainty, length of the error
        of the force and of the true force, eV/Å.
    """
    rows: list[dict[str, Any]] = []
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in PER_ATOM}
    for index, image in enumerate(images):
        bare = Atoms(numbers=image.numbers, positions=image.positions, cell=image.cell, pbc=image.pbc)
        bare.calc = calculator
        forces = bare.get_forces()
        stds = np.asarray(calculator.results["stds"], dtype=np.float64)
        true, wrong = image.get_forces(), forces - image.get_forces()
        step = int(image.info.get("md_step", -1))
        energy = bare.get_potential_energy() - image.get_potential_energy()
        rows.append(
            {
                "md_step": step,
                "n_atoms": len(image),
                "energy_error_mev_per_atom": float(1000 * energy / len(image)),
                "force_rmse_ev_per_ang": rmse(wrong),
                "force_rms_ev_per_ang": rmse(true),
                "stress_rmse_gpa": rmse((bare.get_stress() - image.get_stress()) / units.GPa),
                "max_std": float(stds.max()),
            }
        )
        parts["frame"].append(np.full(len(image), index))
        parts["md_step"].append(np.full(len(image), step))
        parts["std"].append(stds)
        parts["force_error"].append(np.linalg.norm(wrong, axis=1))
        parts["force_norm"].append(np.linalg.norm(true, axis=1))
    arrays = {
        name: np.concatenate([np.empty(0), *columns]).astype(np.int64 if name in ("frame", "md_step") else np.float64)
        for name, columns in parts.items()
    }
    return rows, arrays


def save_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays under their names, atomically."""
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)

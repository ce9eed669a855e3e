"""What a nequip training leaves behind: the epoch curve of ``metrics.csv`` and the test predictions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.io import read as ase_read
from numpy.typing import NDArray

from aiida_seireact.formats.nequip_config import METRIC

COLUMNS = {
    "train_loss": "train_loss_epoch/weighted_sum",
    "val_energy_rmse_ev_atom": "val0_epoch/per_atom_energy_rmse",
    "val_forces_rmse_ev_ang": "val0_epoch/forces_rmse",
    "val_stress_rmse_ev_ang3": "val0_epoch/stress_rmse",
    "val_total": METRIC,
}


@dataclass(frozen=True)
class Predictions:
    """What a model said of the frames of one test file; eV, eV/Å, eV/Å³, stress in ASE's Voigt order.

    :param energy: ``(n_frames,)``; ``forces``: ``(n_atoms_total, 3)``; ``stress``: ``(n_frames, 6)``
    :param energy_reference: ``(n_frames,)`` as nequip read it, to check that frames kept their order
    """

    energy: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    energy_reference: NDArray[np.float64]


def read_curve(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return ``epoch``, ``lr`` and the columns of :data:`COLUMNS`, each ``(n_epochs,)``, of completed epochs.

    The file holds several sparse rows an epoch and may be read while nequip rewrites it: what is not there
    yet, or cut in the middle of a line, is left out. A missing file is an empty curve.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        rows = []
    epochs: dict[int, dict[str, float]] = {}
    rates: list[float] = []
    for row in rows:
        rate = next((value for key, value in row.items() if key and key.startswith("lr-") and value), None)
        if rate:
            rates.append(float(rate))
        if not row.get("epoch"):
            continue
        for name, column in COLUMNS.items():
            if row.get(column):
                epochs.setdefault(int(row["epoch"]), {})[name] = float(row[column])
    done = sorted(epoch for epoch, values in epochs.items() if len(values) == len(COLUMNS))
    curve = {name: np.array([epochs[epoch][name] for epoch in done]) for name in COLUMNS}
    lr = [rates[index] if index < len(rates) else np.nan for index in range(len(done))]
    return {"epoch": np.array(done, dtype=np.float64), "lr": np.array(lr, dtype=np.float64), **curve}


def read_predictions(path: str | Path) -> Predictions:
    """Read what nequip's ``TestTimeXYZFileWriter`` wrote for one test file.

    :raises FileNotFoundError: the test stage did not get there.
    """
    images = ase_read(path, index=":", format="extxyz")
    return Predictions(
        energy=np.array([atoms.get_potential_energy() for atoms in images]),
        forces=np.concatenate([atoms.get_forces() for atoms in images]),
        stress=np.array([atoms.get_stress() for atoms in images]),
        energy_reference=np.array([float(atoms.info["original_dataset_energy"]) for atoms in images]),
    )

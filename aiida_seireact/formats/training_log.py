"""What a nequip training leaves behind: the epoch curve of ``metrics.csv``."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.nequip_config import METRIC

COLUMNS = {
    "train_loss": "train_loss_epoch/weighted_sum",
    "val_energy_rmse_ev_atom": "val0_epoch/per_atom_energy_rmse",
    "val_forces_rmse_ev_ang": "val0_epoch/forces_rmse",
    "val_stress_rmse_ev_ang3": "val0_epoch/stress_rmse",
    "val_total": METRIC,
}


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

"""The epoch curve of a metrics.csv; predictions of a real run are in tests/programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiida_seireact.formats.training_log import read_curve

HEADER = (
    "epoch,lr-Adam,step,train_loss_epoch/weighted_sum,val0_epoch/per_atom_energy_rmse,val0_epoch/forces_rmse,"
    "val0_epoch/stress_rmse,val0_epoch/weighted_sum\n"
)


def test_sparse_rows_become_one_row_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + ",0.02,0,,,,,\n0,,3,,0.1,0.5,0.01,0.6\n0,,3,0.9,,,,\n,0.01,4,,,,,\n1,,7,,nan,0.4,0.0")
    curve = read_curve(path)
    assert curve["epoch"].tolist() == [0.0]
    assert curve["lr"].tolist() == [0.02]
    assert curve["val_forces_rmse_ev_ang"].tolist() == [0.5]
    assert curve["train_loss"].tolist() == [0.9]


def test_nan_stays_nan(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "0,,3,,0.1,nan,0.01,nan\n0,,3,nan,,,,\n")
    assert np.isnan(read_curve(path)["val_total"]).all()


def test_file_that_is_not_there_yet_is_an_empty_curve(tmp_path: Path) -> None:
    assert len(read_curve(tmp_path / "metrics.csv")["epoch"]) == 0

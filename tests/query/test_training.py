"""Tables of models: errors by config type, prediction against label in our units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact import query

from .graph import arrays, chain, ends, job, potential


def predictions(off: float) -> orm.ArrayData:
    """Return predictions of two frames, of one and two atoms, that are off by so much."""
    stress = np.arange(12.0).reshape(2, 6)
    forces = np.arange(9.0).reshape(3, 3)
    return arrays(
        config_type=["Li", "Li2S"], frame_ids=["a", "b"], n_atoms=[1, 2], energy_reference=[1.0, 2.0],
        energy_predicted=[1.0 + off, 2.0], forces_reference=forces, forces_predicted=forces + off,
        stress_reference=stress, stress_predicted=stress,
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """A study of which the training went well, and a try before it did not."""
    top = chain("TrainWorkChain")
    failed = job("seireact.allegro", top, "iteration_01")
    ends(failed, 410, potential=potential("x"), predictions=predictions(9.0), metrics=orm.Dict({"all": {}}))
    train = job("seireact.allegro", top, "iteration_02", parent=potential("p"))
    row = {"n_frames": 2, "force_rmse_ev_per_ang": 0.1, "energy_rmse_mev_per_atom": 5.0}
    metrics = {"all": row, "by_type": {"Li": {**row, "n_frames": 1}}, "n_epochs": 7, "n_frames": {"train": 30}}
    ends(
        train, potential=potential("m"), metrics=orm.Dict(metrics), predictions=predictions(0.5),
        parent_predictions=predictions(1.0),
        curve=arrays(epoch=[1.0, 2.0], val_energy_rmse_ev_atom=[0.02, 0.01], val_forces_rmse_ev_ang=[0.3, 0.2]),
    )  # fmt: skip
    return top


def test_a_model_has_a_row_for_each_type_and_the_failed_one_none(study: orm.WorkChainNode) -> None:
    found = query.models(study)
    assert found["config_type"].tolist() == ["all", "Li"]
    assert found["n_test_frames"].tolist() == [2, 1]
    assert set(found["model_hash"]) == {"m" * 64}
    assert found["force_rmse_ev_per_ang"].tolist() == [0.1, 0.1]
    assert found["stress_rmse_gpa"].isna().all()
    assert found["n_train_frames"].tolist() == [30, 30]


def test_parity_has_every_number_of_every_test_frame(study: orm.WorkChainNode) -> None:
    found = query.parity(study)
    assert found.groupby(["predicted_by", "quantity"]).size().to_dict() == {
        (by, quantity): n
        for by in ("model", "parent")
        for quantity, n in (("energy", 2), ("forces", 9), ("stress", 12))
    }
    forces = found.query("predicted_by == 'model' and quantity == 'forces'")
    assert forces["frame_id"].tolist() == ["a"] * 3 + ["b"] * 6
    assert forces["component"].tolist() == ["x", "y", "z"] * 3
    assert (forces["predicted"] - forces["reference"]).tolist() == [0.5] * 9
    stress = found.query("predicted_by == 'parent' and quantity == 'stress'")
    assert stress["reference"].tolist()[:2] == [0.0, pytest.approx(160.21766208)]
    assert stress["component"].tolist()[:6] == ["xx", "yy", "zz", "yz", "xz", "xy"]
    assert set(stress["model_hash"]) == {"p" * 64}


def test_parity_of_one_quantity_is_that_alone(study: orm.WorkChainNode) -> None:
    assert set(query.parity(study, "energy")["quantity"]) == {"energy"}
    with pytest.raises(ValueError, match="no quantity 'heat'"):
        query.parity(study, "heat")


def test_curves_are_in_our_units(study: orm.WorkChainNode) -> None:
    found = query.curves(study)
    assert found["epoch"].tolist() == [1.0, 2.0]
    assert found["validation_energy_rmse_mev_per_atom"].tolist() == [20.0, 10.0]
    assert found["training_loss"].isna().all()

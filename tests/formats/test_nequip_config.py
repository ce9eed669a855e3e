"""The configuration of nequip-train."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from aiida_seireact.formats.nequip_config import TrainSettings, build_config, build_test_config, merge, to_yaml

SPECIES = ["Li", "P", "S", "Cl"]


def config(settings: TrainSettings | None = None, **changes: Any) -> dict[str, Any]:
    """A configuration of one training and one validation file."""
    return build_config(settings or TrainSettings(), species=SPECIES, train="train.extxyz", val="val.extxyz", **changes)


def test_defaults_are_the_fast_schedule() -> None:
    module = config()["training_module"]
    assert module["loss"]["coeffs"] == {"total_energy": 2.0, "forces": 1.0, "stress": 20.0}
    assert module["ema_decay"] == 0.99
    assert module["optimizer"]["lr"] == 0.02
    assert module["lr_scheduler"]["scheduler"]["eta_min"] == 1e-5
    assert module["model"]["r_max"] == 4.5


def test_best_checkpoint_comes_first_and_last_has_its_own() -> None:
    callbacks = config(test=["a.extxyz"])["trainer"]["callbacks"]
    names = [item["filename"] for item in callbacks if item["_target_"].endswith("ModelCheckpoint")]
    assert names == ["best", "last"]
    assert callbacks[-1]["_target_"].endswith("TestTimeXYZFileWriter")


def test_plateau_watches_the_validation_error() -> None:
    schedule = config(TrainSettings(scheduler="plateau"))["training_module"]["lr_scheduler"]
    assert schedule["monitor"] == "val0_epoch/weighted_sum"
    assert schedule["scheduler"]["_target_"].endswith("ReduceLROnPlateau")


def test_time_limit_is_written_as_days_hours_minutes_seconds() -> None:
    assert config(TrainSettings(max_time_s=90061))["trainer"]["max_time"] == "01:01:01:01"


def test_shifts_follow_the_order_of_species() -> None:
    shifts = config(shifts={"Cl": -4, "S": -3, "P": -2, "Li": -1})["training_module"]["model"]["per_type_energy_shifts"]
    assert list(shifts.items()) == [("Li", -1.0), ("P", -2.0), ("S", -3.0), ("Cl", -4.0)]
    with pytest.raises(ValueError, match="no energy shift for P, S, Cl"):
        config(shifts={"Li": -1})


def test_warm_start_loads_the_package_and_may_shift_it() -> None:
    plain = config(parent="p.nequip.zip")["training_module"]["model"]
    assert plain == {"_target_": "nequip.model.ModelFromPackage", "package_path": "p.nequip.zip"}
    shifted = config(parent="p.nequip.zip", shifts=dict.fromkeys(SPECIES, 0.0))["training_module"]["model"]
    assert shifted["_target_"] == "nequip.model.modify"
    assert shifted["model"] == plain


def test_overrides_reach_any_depth() -> None:
    found = config(
        overrides={"trainer": {"devices": 4, "max_epochs": None}, "training_module": {"model": {"l_max": 3}}}
    )
    assert found["trainer"]["devices"] == 4
    assert "max_epochs" not in found["trainer"]
    assert found["training_module"]["model"]["l_max"] == 3
    assert found["training_module"]["model"]["num_layers"] == 1


def test_only_testing_a_package_needs_no_training_frames_and_no_new_energies() -> None:
    trained = config(
        TrainSettings(max_time_s=60),
        test=["a.extxyz", "b.extxyz"],
        parent="p.nequip.zip",
        shifts=dict.fromkeys(SPECIES, 1.0),
        overrides={"trainer": {"devices": 4}},
    )
    tested = build_test_config(trained, package="p.nequip.zip")
    assert tested["run"] == ["test"]
    assert tested["data"]["test_file_path"] == ["a.extxyz", "b.extxyz"]
    assert not {"val_file_path", "stats_manager"} & set(tested["data"])
    assert tested["training_module"]["model"]["_target_"] == "nequip.model.ModelFromPackage"
    assert [item["_target_"].rpartition(".")[2] for item in tested["trainer"]["callbacks"]] == ["TestTimeXYZFileWriter"]
    assert tested["trainer"]["devices"] == 4
    assert "train" in trained["run"]
    assert "stats_manager" in trained["data"]


def test_merge_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": [1]}}
    merged = merge(base, {"a": {"c": 2}})
    merged["a"]["b"].append(2)
    assert base == {"a": {"b": [1]}}


def test_yaml_has_no_anchors_and_reads_back() -> None:
    text = to_yaml(config(test=["a.extxyz"]))
    assert "&id" not in text
    assert yaml.safe_load(text) == config(test=["a.extxyz"])


def test_no_pair_potential_without_zbl() -> None:
    assert "pair_potential" not in config(TrainSettings(zbl=False))["training_module"]["model"]


def test_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="num_layer"):
        TrainSettings.model_validate({"num_layer": 2})

"""The configuration of nequip-train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from aiida_seireact.formats.nequip_config import TrainSettings, build_config, merge, to_yaml

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


def test_best_and_last_checkpoint_have_a_callback_each() -> None:
    callbacks = config()["trainer"]["callbacks"]
    names = [item["filename"] for item in callbacks if item["_target_"].endswith("ModelCheckpoint")]
    assert names == ["best", "last"]


def test_plateau_watches_the_validation_error() -> None:
    schedule = config(TrainSettings(scheduler="plateau"))["training_module"]["lr_scheduler"]
    assert schedule["monitor"] == "val0_epoch/weighted_sum"
    assert schedule["scheduler"]["_target_"].endswith("ReduceLROnPlateau")


def test_time_limit_is_ours_and_ends_after_an_epoch() -> None:
    trainer = config(TrainSettings(max_time_s=90061))["trainer"]
    assert "max_time" not in trainer
    assert trainer["callbacks"][-1] == {
        "_target_": "aiida_seireact.programs._lightning.StopInTime",
        "seconds": 90061,
    }


def test_going_on_names_the_checkpoint_and_keeps_the_order_of_frames() -> None:
    found = config(checkpoint="previous/last.ckpt")
    assert found["ckpt_path"] == "previous/last.ckpt"
    assert found["trainer"]["callbacks"][-1]["_target_"].endswith("GoOnShuffling")
    assert "ckpt_path" not in config()


def test_a_training_from_the_beginning_within_one_job_needs_nothing_of_ours_in_nequip() -> None:
    assert "aiida_seireact" not in to_yaml(config())


def test_several_devices_share_the_batch() -> None:
    found = config(TrainSettings(batch_size=6, devices=2))
    assert found["trainer"]["devices"] == 2
    assert found["trainer"]["strategy"] == {"_target_": "nequip.train.SimpleDDPStrategy"}
    assert found["data"]["train_dataloader"]["batch_size"] == 3
    with pytest.raises(ValidationError, match="a batch of 5 frames can't be shared by 2 devices"):
        TrainSettings(batch_size=5, devices=2)


def test_the_configuration_of_five_gpus_is_the_golden_one() -> None:
    """As read against nequip's documentation; no GPU has run it here."""
    settings = TrainSettings(
        device="gpu", devices=5, batch_size=5, acceleration="cuequivariance", num_layers=2, max_time_s=3600
    )
    found = config(settings, shifts=dict.fromkeys(SPECIES, -1.0), checkpoint="previous/last.ckpt")
    golden = Path(__file__).parent / "nequip" / "five_gpus.yaml"
    assert to_yaml(found) == golden.read_text(encoding="utf-8")


def test_acceleration_is_refused_where_it_does_nothing() -> None:
    with pytest.raises(ValidationError, match="for learner allegro on device gpu"):
        TrainSettings(acceleration="cuequivariance")
    with pytest.raises(ValidationError, match="for learner allegro on device gpu"):
        TrainSettings(acceleration="cuequivariance", device="gpu", learner="nequip")


def test_kernels_are_added_to_a_warm_start_beside_its_new_energies() -> None:
    model = config(
        TrainSettings(device="gpu", acceleration="cuequivariance"),
        parent="p.nequip.zip",
        shifts=dict.fromkeys(SPECIES, 0.0),
    )["training_module"]["model"]
    assert [item["modifier"] for item in model["modifiers"]] == [
        "modify_PerTypeScaleShift",
        "enable_CuEquivarianceContracter",
    ]


def test_the_other_learner_is_a_message_passing_network() -> None:
    model = config(TrainSettings(learner="nequip", num_features=8))["training_module"]["model"]
    assert model["_target_"] == "nequip.model.NequIPGNNModel"
    assert model["num_features"] == 8
    assert not [key for key in model if "allegro" in key or "scalar" in key]


def test_what_costs_a_step_is_told_apart_from_the_schedule() -> None:
    one, other = TrainSettings(max_epochs=3, seed=5), TrainSettings(lr=0.1)
    assert one.network == other.network != TrainSettings(l_max=2).network


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


def test_a_parent_keeps_the_energies_of_species_that_no_frame_holds() -> None:
    given = {"parent": "p.nequip.zip", "learned": ["P", "Li"]}
    (shift,) = config(shifts={"Li": -1, "P": -2, "S": -3}, **given)["training_module"]["model"]["modifiers"]
    assert shift["shifts"] == {"Li": -1.0, "P": -2.0}
    with pytest.raises(ValueError, match="no energy shift for P:"):
        config(shifts={"Li": -1}, **given)


def test_overrides_reach_any_depth() -> None:
    found = config(
        overrides={"trainer": {"devices": 4, "max_epochs": None}, "training_module": {"model": {"l_max": 3}}}
    )
    assert found["trainer"]["devices"] == 4
    assert "max_epochs" not in found["trainer"]
    assert found["training_module"]["model"]["l_max"] == 3
    assert found["training_module"]["model"]["num_layers"] == 1


def test_merge_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": [1]}}
    merged = merge(base, {"a": {"c": 2}})
    merged["a"]["b"].append(2)
    assert base == {"a": {"b": [1]}}


def test_yaml_has_no_anchors_and_reads_back() -> None:
    text = to_yaml(config())
    assert "&id" not in text
    assert yaml.safe_load(text) == config()


def test_no_pair_potential_without_zbl() -> None:
    assert "pair_potential" not in config(TrainSettings(zbl=False))["training_module"]["model"]


def test_a_cosine_keeps_its_number_of_epochs_and_a_plateau_does_not() -> None:
    assert TrainSettings(max_epochs=7).kept_by_a_checkpoint["max_epochs"] == 7
    assert "max_epochs" not in TrainSettings(scheduler="plateau").kept_by_a_checkpoint
    # lightning brings the patience of the checkpoint back.
    assert TrainSettings(early_stopping_patience=5).kept_by_a_checkpoint["early_stopping_patience"] == 5


def test_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="num_layer"):
        TrainSettings.model_validate({"num_layer": 2})

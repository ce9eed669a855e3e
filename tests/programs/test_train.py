"""The real nequip, on a dozen Lennard-Jones frames."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import Diverged, InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.model import package_hash, read_package_card
from aiida_seireact.programs import train
from aiida_seireact.programs._nequip import last_error, run_script
from aiida_seireact.programs.potentials import calculator_of

from .conftest import SPECIES, TRAIN_JOB, Trained


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A new folder with the session's frames."""
    for name in ("train.extxyz", "val.extxyz", "a.extxyz"):
        shutil.copyfile(trained.folder / name, tmp_path / name)
    return tmp_path


def job(**changes: Any) -> TrainJob:
    """The session's job with changes."""
    return TrainJob.model_validate({**TRAIN_JOB, **changes})


def test_training_writes_a_package_that_says_what_it_is(trained: Trained) -> None:
    card = read_package_card(trained.package)
    assert card.species == SPECIES
    assert card.r_max_ang == 4.5
    assert card.versions["nequip"].startswith("0.19")
    assert trained.outputs["model_hash"] == card.model_hash
    assert trained.outputs["done"]


def test_errors_shrink_while_training_and_the_best_epoch_is_named(trained: Trained) -> None:
    curve = yaml.safe_load((trained.folder / "curve.json").read_text())
    assert curve["epoch"] == [0, 1, 2]
    assert curve["train_loss"][-1] < curve["train_loss"][0]
    # cosine from 0.02 to 1e-5 over 3 epochs: lr(1) = 0.0150025
    np.testing.assert_allclose(curve["lr"][:2], [0.02, 0.0150025], rtol=1e-4)
    assert trained.outputs["best_epoch"] == int(np.argmin(curve["val_total"]))


def test_predictions_follow_the_order_of_the_test_frames(trained: Trained) -> None:
    with np.load(trained.folder / "predictions.npz") as found:
        assert found["config_type"].tolist() == ["a", "a", "b"]
        reference = [Frames.from_extxyz(trained.folder / "a.extxyz"), Frames.load(trained.folder / "b.npz")]
        assert found["frame_ids"].tolist() == [name for frames in reference for name in frames.frame_ids]
        assert found["forces"].shape == (48, 3)
        error = np.sqrt(np.mean((found["forces"] - found["forces_reference"]) ** 2))
    assert trained.outputs["errors"]["all"]["force_rmse_ev_per_ang"] == pytest.approx(error)
    assert set(trained.outputs["errors"]) == {"a", "b", "all"}


def test_predictions_are_those_of_the_package(trained: Trained) -> None:
    atoms = Frames.load(trained.folder / "b.npz").to_atoms(0)
    atoms.calc = calculator_of(trained.package, "allegro-package")
    with np.load(trained.folder / "predictions.npz") as found:
        # float32 network; the file has 8 decimals
        np.testing.assert_allclose(found["forces"][32:], atoms.get_forces(), atol=1e-5)
        assert found["energy"][2] == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        np.testing.assert_allclose(found["stress"][2], atoms.get_stress(), atol=1e-6)


def test_progress_tells_epoch_and_error(trained: Trained) -> None:
    assert trained.progress[-3].startswith("epoch 3/3, validation force error ")


def test_same_frames_and_seed_give_the_same_model_another_folder_later(trained: Trained, folder: Path) -> None:
    # No test files this time: they, like the folder, must not enter the hash.
    again = train.run(job(), folder, quiet)
    assert again["model_hash"] == trained.outputs["model_hash"]
    assert again["errors"] is None


def test_one_checkpoint_packaged_twice_has_one_hash(trained: Trained, tmp_path: Path) -> None:
    target = tmp_path / "other-name.nequip.zip"
    run_script(["nequip-package", "build", "best.ckpt", str(target)], trained.folder / "nequip", tmp_path / "log")
    assert target.read_bytes() != trained.package.read_bytes()
    assert package_hash(target) == trained.outputs["model_hash"]


@pytest.mark.slow
def test_warm_start_begins_where_the_parent_ended(trained: Trained, folder: Path) -> None:
    shutil.copyfile(trained.package, folder / "parent.nequip.zip")
    settings = {"max_epochs": 1, "lr": 1e-9, "lr_min": 0.0, "ema_decay": 0.0}
    warm = train.run(TrainJob.model_validate({"parent": "parent.nequip.zip", "settings": settings}), folder, quiet)
    assert warm["validation"]["val_forces_rmse_ev_ang"] == pytest.approx(
        trained.outputs["validation"]["val_forces_rmse_ev_ang"], rel=1e-3
    )
    assert warm["model_hash"] != trained.outputs["model_hash"]
    assert warm["errors_before"] is None


@pytest.mark.slow
def test_parent_is_tested_on_the_same_frames_with_its_own_energies_of_the_atoms(trained: Trained, folder: Path) -> None:
    shutil.copyfile(trained.package, folder / "parent.nequip.zip")
    settings = {"max_epochs": 1, "lr": 1e-9, "lr_min": 0.0, "ema_decay": 0.0}
    # Other shifts move the energies of the new model by 1 eV an atom; the parent must not notice.
    warm = train.run(
        job(parent="parent.nequip.zip", shifts=dict.fromkeys(SPECIES, -2.0), settings=settings, test={"a": "a.extxyz"}),
        folder,
        quiet,
    )
    for key, value in trained.outputs["errors"]["a"].items():
        assert warm["errors_before"]["a"][key] == pytest.approx(value, rel=1e-6)
        assert warm["errors_before"]["all"][key] == warm["errors_before"]["a"][key]
    assert warm["errors"]["a"]["energy_mae_mev_per_atom"] > 900
    with (
        np.load(folder / "parent_predictions.npz") as before,
        np.load(trained.folder / "predictions.npz") as then,
        np.load(folder / "predictions.npz") as after,
    ):
        np.testing.assert_allclose(before["forces"], then["forces"][:32], atol=1e-6)
        assert before["frame_ids"].tolist() == after["frame_ids"].tolist()


@pytest.mark.slow
def test_a_parent_may_know_more_species_than_the_frames_hold(trained: Trained, folder: Path) -> None:
    shutil.copyfile(trained.package, folder / "parent.nequip.zip")
    for name in ("train.extxyz", "val.extxyz"):
        images = list(Frames.from_extxyz(folder / name).iter_atoms())
        for atoms in images:
            atoms.symbols[atoms.symbols == "Cl"] = "S"
        Frames.from_atoms(images, labels="required").save(folder / name.replace("extxyz", "npz"))
    files = {"train": "train.npz", "val": "val.npz", "parent": "parent.nequip.zip", "test": {}}
    settings = {"max_epochs": 1, "lr": 1e-4, "lr_min": 0.0, "ema_decay": 0.0}
    warm = train.run(job(**files, shifts={"Li": -1.0, "P": -2.0, "S": -3.0}, settings=settings), folder, quiet)
    assert warm["species"] == SPECIES
    assert np.isfinite(warm["validation"]["val_total"])


@pytest.mark.slow
def test_diverging_loss_is_told_with_its_epoch(folder: Path) -> None:
    with pytest.raises(Diverged, match=r"diverged: its loss is not a number from epoch 0"):
        train.run(job(settings={"max_epochs": 1, "lr": 1e30, "lr_min": 1e29}), folder, quiet)
    assert not (folder / "checkpoint.zip").exists()


@pytest.mark.slow
def test_time_limit_before_the_first_epoch_is_told(folder: Path) -> None:
    overrides = {"trainer": {"max_time": "00:00:00:00"}}
    with pytest.raises(ProgramFailed, match="reached before the first epoch"):
        train.run(job(overrides=overrides), folder, quiet)


def test_frames_without_labels_are_refused(folder: Path) -> None:
    frames = Frames.from_extxyz(folder / "train.extxyz")
    Frames.from_atoms(list(frames.iter_atoms()), labels="ignore").save(folder / "bare.npz")
    with pytest.raises(InvalidInput, match=r"bare\.npz have no energy, forces and stress"):
        train.run(job(train="bare.npz"), folder, quiet)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": "absent.extxyz"}, "There is no frames file absent.extxyz"),
        ({"species": [*SPECIES, "Br"]}, "No training frame holds Br"),
        ({"species": ["Li", "P", "S"]}, "only Li, P, S are known"),
        ({"shifts": {"Li": -1.0}}, "no energy shift for P, S, Cl"),
        ({"parent": "train.extxyz"}, "train.extxyz is not a whole package"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_a_sentence(folder: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        train.run(job(**changes), folder, quiet)


def test_killed_script_is_told_apart_from_a_failed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, body in {"dies": "kill -9 $$", "fails": "echo 'ValueError: no such loss'; exit 1"}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ProgramFailed, match=r"dies was killed by SIGKILL \(often: out of memory\)"):
        run_script(["dies"], tmp_path, tmp_path / "log")
    with pytest.raises(ProgramFailed, match=r"fails ended with status 1: ValueError: no such loss\."):
        run_script(["fails"], tmp_path, tmp_path / "log")


def test_last_error_of_a_log_is_the_exception_not_the_traceback(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Traceback (most recent call last):\n  File x\nRuntimeError: two\nSet HYDRA_FULL_ERROR=1\n")
    assert last_error(log) == "RuntimeError: two."

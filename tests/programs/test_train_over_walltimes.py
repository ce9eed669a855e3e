"""A training cut into jobs is the training that nobody interrupted, and failures are told apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_seireact.formats.checkpoint import read_checkpoint_card, read_origin
from aiida_seireact.formats.jobs.base import (
    CheckpointLost,
    Diverged,
    InvalidInput,
    MissingPackage,
    OutOfMemory,
    ProgramFailed,
)
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.programs import _training, train

from .conftest import TRAIN_JOB, Trained

SHORT = 0.01  # seconds: one epoch, never two


def quiet(line: str) -> None:
    """Say nothing."""


def job(**changes: Any) -> TrainJob:
    """The session's job with changes."""
    settings = {**TRAIN_JOB["settings"], **changes.pop("settings", {})}
    return TrainJob.model_validate({**TRAIN_JOB, **changes, "settings": settings})


@pytest.fixture
def leg(trained: Trained, tmp_path: Path):
    """Return a function that runs one job of a training in a folder of its own, from the checkpoint of another."""

    def run(name: str, after: Path | None = None, **changes: Any) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path / name
        folder.mkdir()
        for file in ("train.extxyz", "val.extxyz"):
            shutil.copyfile(trained.folder / file, folder / file)
        if after is not None:
            shutil.copyfile(after / "checkpoint.zip", folder / "previous.zip")
            changes["checkpoint"] = "previous.zip"
        if "parent" in changes:
            shutil.copyfile(trained.package, folder / changes["parent"])
        return folder, train.run(job(**changes), folder, quiet)

    return run


def test_a_whole_training_leaves_a_checkpoint_at_its_end(trained: Trained) -> None:
    card = read_checkpoint_card(trained.folder / "checkpoint.zip")
    assert card.epoch == 2
    assert card.best_epoch == trained.outputs["best_epoch"]
    assert trained.outputs["done"]


def test_two_jobs_make_the_model_that_one_makes(trained: Trained, leg) -> None:
    first, outputs = leg("first", settings={"max_time_s": SHORT})
    assert (outputs["n_epochs"], outputs["done"]) == (1, False)
    folder, outputs = leg("second", first)
    assert (outputs["n_epochs"], outputs["done"]) == (3, True)
    assert outputs["model_hash"] == trained.outputs["model_hash"]
    # The state of the optimiser, too, and the curve: what is trained on from here is the same.
    ends = [read_checkpoint_card(place / "checkpoint.zip") for place in (folder, trained.folder)]
    assert ends[0] == ends[1]
    assert (folder / "curve.json").read_text() == (trained.folder / "curve.json").read_text()


@pytest.mark.slow
def test_so_does_a_schedule_that_watches_the_error_and_a_warm_start(leg) -> None:
    warm = {
        "parent": "parent.nequip.zip",
        "settings": {"max_epochs": 4, "scheduler": "plateau", "plateau_patience": 1, "lr": 0.05, "lr_min": 1e-5},
    }
    _, whole = leg("whole", **warm)
    folder, outputs = None, {"done": False}
    number = 0
    while not outputs["done"]:
        legs = {**warm, "settings": {**warm["settings"], "max_time_s": SHORT}}
        folder, outputs = leg(f"leg_{number}", folder, **legs)
        # The folder of the job before is purged, and with it the parent it was started from.
        shutil.rmtree(folder / "nequip")
        number += 1
    assert number > 1
    assert outputs["model_hash"] == whole["model_hash"]


@pytest.mark.slow
def test_the_best_epoch_of_an_earlier_job_stays_the_best(trained: Trained, leg) -> None:
    first, before = leg("first", settings={"max_time_s": SHORT})
    card = read_checkpoint_card(first / "checkpoint.zip")
    # A curve that never gets better again: what nequip calls best in its second run is not.
    import zipfile

    with zipfile.ZipFile(first / "checkpoint.zip") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    curve = json.loads(parts["curve.json"])
    curve["val_total"] = [1e-9]
    parts["curve.json"] = json.dumps(curve).encode()
    with zipfile.ZipFile(first / "checkpoint.zip", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    _, after = leg("second", first)
    assert after["n_epochs"] == 3
    assert after["best_epoch"] == card.best_epoch == 0
    assert after["model_hash"] == before["model_hash"] != trained.outputs["model_hash"]


@pytest.mark.slow
def test_a_training_at_its_end_is_only_packaged_again_and_one_with_more_epochs_goes_on(trained: Trained, leg) -> None:
    folder, outputs = leg("again", trained.folder)
    assert outputs["done"]
    assert outputs["model_hash"] == trained.outputs["model_hash"]
    # A cosine would climb again.
    with pytest.raises(InvalidInput, match="max_epochs was 3 and is 4"):
        leg("climbing", folder, settings={"max_epochs": 4})
    plateau, _ = leg("plateau", settings={"max_epochs": 1, "scheduler": "plateau"})
    _, outputs = leg("more", plateau, settings={"max_epochs": 2, "scheduler": "plateau"})
    assert outputs["n_epochs"] == 2


@pytest.mark.slow
def test_two_processes_of_one_machine_train_with_the_whole_batch(trained: Trained, leg) -> None:
    settings = {"devices": 2, "batch_size": 4}
    folder, outputs = leg("two", settings=settings)
    _, alone = leg("one", settings={"batch_size": 4})
    assert outputs["n_epochs"] == alone["n_epochs"] == 3
    # Cut into two jobs it is the same training, too.
    first, part = leg("two_first", settings={**settings, "max_time_s": SHORT})
    _, rest = leg("two_second", first, settings=settings)
    assert (part["n_epochs"], part["done"], rest["done"]) == (1, False, True)
    assert rest["model_hash"] == outputs["model_hash"]
    # 10 frames in batches of 4: three steps an epoch, whoever does them.
    curve, other = (json.loads((place / "curve.json").read_text()) for place in (folder, folder.parent / "one"))
    assert curve["lr"] == other["lr"]
    assert outputs["model_hash"] != alone["model_hash"]  # other frames share a batch
    assert outputs["validation"]["val_forces_rmse_ev_ang"] == pytest.approx(
        alone["validation"]["val_forces_rmse_ev_ang"], rel=0.5
    )


@pytest.mark.slow
def test_the_other_learner_comes_through_the_same_door_and_is_fine_tuned_there(trained: Trained, leg) -> None:
    network = {"learner": "nequip", "num_features": 8, "num_layers": 2, "max_epochs": 2}
    folder, outputs = leg("gnn", settings=network)
    assert outputs["learner"] == "nequip"
    shutil.copyfile(folder / "model.nequip.zip", trained.package.parent / "gnn.zip")
    tuned_folder = folder.parent / "tuned"
    tuned_folder.mkdir()
    for file in ("train.extxyz", "val.extxyz"):
        shutil.copyfile(trained.folder / file, tuned_folder / file)
    shutil.copyfile(folder / "model.nequip.zip", tuned_folder / "parent.nequip.zip")
    tuned = train.run(
        TrainJob.model_validate(
            {"parent": "parent.nequip.zip", "settings": {"max_epochs": 1, "lr": 1e-9, "lr_min": 0.0, "ema_decay": 0.0}}
        ),
        tuned_folder,
        quiet,
    )
    assert tuned["learner"] == "nequip"
    assert tuned["validation"]["val_forces_rmse_ev_ang"] == pytest.approx(
        outputs["validation"]["val_forces_rmse_ev_ang"], rel=1e-3
    )


# ---------------------------------------------------------------- what failures mean
def fake_nequip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    """Put a shell script in the place of nequip-train."""
    script = tmp_path / "fake-nequip"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setattr("aiida_seireact.programs._nequip.console_script", lambda name: str(script))


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (
            "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.'; exit 1",
            OutOfMemory,
            "memory of the GPU is too small for batches of 3 frames",
        ),
        # Whoever killed it: the kernel did not, by its own count.
        ("kill -9 $$", ProgramFailed, "nequip-train was killed by SIGKILL"),
        ('echo "RuntimeError: DefaultCPUAllocator: can\'t allocate memory"; exit 1', OutOfMemory, "of the machine"),
        # On a machine with a GPU the log names CUDA anyway.
        (
            'echo "CUDA_VISIBLE_DEVICES: [0]"; echo "DefaultCPUAllocator: can\'t allocate memory"; exit 1',
            OutOfMemory,
            "of the machine",
        ),
        ("echo 'assert num_contributing_types > 0'; exit 1", Diverged, "not a number from epoch 0 on"),
        ("echo 'ValueError: no such loss'; exit 1", ProgramFailed, "no such loss"),
    ],
)
def test_failures_are_told_apart(
    leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, kind: type[Exception], sentence: str
) -> None:
    fake_nequip(monkeypatch, tmp_path, body)
    with pytest.raises(kind, match=sentence) as caught:
        leg("failing")
    assert type(caught.value) is kind


def test_a_kill_that_the_kernel_counts_is_for_memory(leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counts = iter((4, 5))
    monkeypatch.setattr(_training, "memory_kills", lambda: next(counts))
    fake_nequip(monkeypatch, tmp_path, "kill -9 $$")
    with pytest.raises(OutOfMemory, match="memory of the machine is too small for batches of 3 frames: .* SIGKILL"):
        leg("failing")


def prepared_run(trained: Trained, tmp_path: Path, *, last_epoch_is_nan: bool) -> Path:
    """A folder with what nequip-train has left after three epochs."""
    folder = tmp_path / "prepared"
    shutil.copytree(trained.folder / "nequip", folder)
    if last_epoch_is_nan:
        rows = (folder / "csv" / "metrics.csv").read_text().splitlines()
        place = rows[0].split(",").index("val0_epoch/weighted_sum")
        last = max(number for number, row in enumerate(rows) if row.split(",")[place] not in ("", rows[0]))
        cells = rows[last].split(",")
        cells[place] = "nan"
        rows[last] = ",".join(cells)
        (folder / "csv" / "metrics.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_job_that_is_killed_has_kept_a_checkpoint_meanwhile(
    trained: Trained, leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_training, "CHECKPOINT_EVERY_S", 0.0)
    left = prepared_run(trained, tmp_path, last_epoch_is_nan=False)
    fake_nequip(monkeypatch, tmp_path, f"cp -r {left}/. .; sleep 2; echo 'ValueError: the node failed'; exit 1")
    with pytest.raises(ProgramFailed, match="the node failed"):
        leg("killed", settings={"max_epochs": 9})
    kept, whole = (read_checkpoint_card(place / "checkpoint.zip") for place in (tmp_path / "killed", trained.folder))
    assert (kept.epoch, kept.best_epoch, kept.best_total) == (whole.epoch, whole.best_epoch, whole.best_total)


def test_a_killed_one_keeps_its_last_epoch_too_and_one_that_lost_patience_is_remembered(
    trained: Trained, leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = prepared_run(trained, tmp_path, last_epoch_is_nan=False)
    fake_nequip(monkeypatch, tmp_path, f"cp -r {left}/. .; kill -9 $$")
    with pytest.raises(ProgramFailed, match="SIGKILL"):
        leg("killed", settings={"max_epochs": 9})
    assert read_checkpoint_card(tmp_path / "killed" / "checkpoint.zip").epoch == 2
    assert "stopped_early" not in read_origin(tmp_path / "killed" / "checkpoint.zip")

    build = f'if [ "$1" = build ]; then cp {trained.package} "$3"; exit; fi'
    fake_nequip(monkeypatch, tmp_path, f"{build}\ncp -r {left}/. .")
    patient, outputs = leg("patient", settings={"max_epochs": 9})
    assert (outputs["n_epochs"], outputs["done"]) == (3, True)
    # What would train on fails here.
    fake_nequip(monkeypatch, tmp_path, f"{build}\nexit 1")
    again, outputs = leg("again", patient, settings={"max_epochs": 9})
    assert (outputs["n_epochs"], outputs["done"]) == (3, True)
    assert read_checkpoint_card(again / "checkpoint.zip") == read_checkpoint_card(patient / "checkpoint.zip")


def test_a_training_that_ran_away_leaves_its_best_package_and_no_checkpoint(
    trained: Trained, leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = prepared_run(trained, tmp_path, last_epoch_is_nan=True)
    fake_nequip(
        monkeypatch,
        tmp_path,
        f'if [ "$1" = build ]; then cp {trained.package} "$3"; else cp -r {left}/. .; fi',
    )
    with pytest.raises(Diverged, match="not a number from epoch 2 on"):
        leg("away", settings={"max_epochs": 9})
    assert (tmp_path / "away" / "model.nequip.zip").is_file()
    assert not (tmp_path / "away" / "checkpoint.zip").exists()
    rescued = json.loads((tmp_path / "away" / "rescued.json").read_text())
    assert (rescued["n_epochs"], rescued["done"], rescued["model_hash"]) == (2, False, trained.outputs["model_hash"])
    assert rescued["validation"]["val_total"] > 0
    assert json.loads((tmp_path / "away" / "curve.json").read_text())["epoch"] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"settings": {"lr": 0.001}}, r"lr was 0\.02 and is 0\.001"),
        ({"settings": {"seed": 7}}, "seed was 1 and is 7"),
        ({"overrides": {"training_module": {"optimizer": {"amsgrad": True}}}}, "overrides was {} and is"),
        ({"val": "train.extxyz", "train": "val.extxyz"}, "train frames was"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    trained: Trained, leg, changes: dict[str, Any], sentence: str
) -> None:
    """What is in a checkpoint would silently win over what was asked for."""
    with pytest.raises(InvalidInput, match=f"is of another training .*{sentence}"):
        leg("after", trained.folder, **changes)


def test_a_torn_checkpoint_is_lost(trained: Trained, leg, tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    content = (trained.folder / "checkpoint.zip").read_bytes()
    (tmp_path / "torn" / "checkpoint.zip").write_bytes(content[:-200])
    with pytest.raises(CheckpointLost, match="torn"):
        leg("after", tmp_path / "torn")


def test_a_checkpoint_that_nequip_does_not_understand_is_lost(trained: Trained, leg, monkeypatch, tmp_path) -> None:
    left = prepared_run(trained, tmp_path, last_epoch_is_nan=False)
    settings = {"max_epochs": 5}
    fake_nequip(monkeypatch, tmp_path, f"cp -r {left}/. .; exit 1")
    with pytest.raises(ProgramFailed):
        leg("before", settings=settings)
    fake_nequip(monkeypatch, tmp_path, "echo \"KeyError: 'run_stage'\"; exit 1")
    with pytest.raises(CheckpointLost, match="can't go on from the checkpoint"):
        leg("after", tmp_path / "before", settings=settings)
    # It is not handed on as if it were new.
    assert not (tmp_path / "after" / "checkpoint.zip").exists()


def test_missing_kernels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_training, "require_gpu", lambda *args, **kwargs: None)
    settings = job(settings={"device": "gpu", "acceleration": "cuequivariance"}).settings
    with pytest.raises(MissingPackage, match="pip install cuequivariance-torch"):
        _training.require_machine(settings)


def test_no_task_of_slurm_is_seen_by_nequip(leg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    fake_nequip(monkeypatch, tmp_path, 'echo "ValueError: tasks=$SLURM_NTASKS."; exit 1')
    with pytest.raises(ProgramFailed, match=r"tasks=\."):
        leg("failing")


def test_arrays_of_a_curve_are_numbers(trained: Trained) -> None:
    curve = json.loads((trained.folder / "curve.json").read_text())
    assert all(np.isfinite(value) for value in curve["val_total"])

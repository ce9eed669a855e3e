"""``seireact-train``: frames → nequip-train → test → nequip-package, in one folder and one job."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write as ase_write
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically, write_json
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.model import ModelFileError, PackageCard, read_package_card
from aiida_seireact.formats.nequip_config import build_config, build_test_config, to_yaml
from aiida_seireact.formats.training_log import read_curve, read_predictions
from aiida_seireact.programs._gpu import require_gpu
from aiida_seireact.programs._nequip import run_script
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.metrics import errors_by_type

WORK_FOLDER = "nequip"
PARENT_FOLDER = "nequip_parent"

EXAMPLE = """
{
  "train": "train.extxyz", "val": "val.extxyz",
  "test": {"interface": "test_interface.extxyz", "li": "test_li.extxyz"},
  "shifts": {"Li": -1.9, "P": -5.2, "S": -4.1, "Cl": -3.3},
  "settings": {"max_epochs": 40, "lr": 0.02, "loss": {"energy": 2, "forces": 1, "stress": 20}},
  "overrides": {"training_module": {"optimizer": {"amsgrad": true}}}
}
"""


@dataclass(frozen=True)
class Sets:
    """Labelled frames: to learn from, to choose the epoch by, and to report errors of, by config type."""

    train: Frames
    val: Frames
    tests: dict[str, Frames]


def run(job: TrainJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Train an Allegro model on labelled frames, test it and package it; with a parent, test that one before.

    Writes model.nequip.zip, curve.json (errors by epoch), predictions.npz and parent_predictions.npz (for the test
    frames), config.yaml and nequip.log.

    :raises InvalidInput: frames without labels, species that don't fit, or no GPU where one is asked for.
    :raises ProgramFailed: diverged, killed, out of time before the first epoch, or nequip's own error.
    """
    if job.settings.device == "gpu":
        require_gpu("settings.device is gpu", "take device cpu")
    sets = Sets(
        train=_read(folder, job.train),
        val=_read(folder, job.val),
        tests={name: _read(folder, file) for name, file in job.test.items()},
    )
    species = _species(job, folder, sets)
    work = folder / WORK_FOLDER
    shutil.rmtree(work, ignore_errors=True)  # nequip appends to what it finds
    work.mkdir()
    for name in (files.PACKAGE, files.CURVE, files.PREDICTIONS, files.PARENT_PREDICTIONS):
        (folder / name).unlink(missing_ok=True)
    _write_stripped(sets.train, work / "train.extxyz")
    _write_stripped(sets.val, work / "val.extxyz")
    tests = [f"test_{index}.extxyz" for index in range(len(sets.tests))]
    for frames, file in zip(sets.tests.values(), tests, strict=True):
        _write_stripped(frames, work / file)
    if job.parent is not None:
        # A checkpoint looks for its parent at the same place; the package made of it no longer does.
        shutil.copyfile(folder / job.parent, work / files.PARENT_PACKAGE)

    try:
        config = build_config(
            job.settings,
            species=species,
            train="train.extxyz",
            val="val.extxyz",
            test=tests,
            shifts=job.shifts,
            parent=None if job.parent is None else f"${{hydra:runtime.cwd}}/{files.PARENT_PACKAGE}",
            overrides=job.overrides,
        )
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    text = to_yaml(config)
    for place in (folder, work):
        (place / files.NEQUIP_CONFIG).write_text(text, encoding="utf-8")

    before = None
    if job.parent is not None and sets.tests:
        progress("testing the parent")
        before = _test_parent(job, config, sets, folder)
    total = int(config["trainer"]["max_epochs"])
    _train(job, total, work, folder / files.NEQUIP_LOG, progress)
    curve = read_curve(work / "csv" / "metrics.csv")
    _check(curve, work, folder / files.NEQUIP_LOG, job)
    progress("packaging the best epoch")
    run_script(["nequip-package", "build", "best.ckpt", files.PACKAGE], work, folder / "package.log", threads=1)
    card = _card(work / files.PACKAGE)
    (work / files.PACKAGE).replace(folder / files.PACKAGE)
    if (work / "last.ckpt").is_file():
        shutil.copyfile(work / "last.ckpt", folder / "last.ckpt")

    write_json(folder / files.CURVE, {name: _numbers(values) for name, values in curve.items()})
    errors = _test(sets.tests, work, folder / files.PREDICTIONS) if sets.tests else None
    return _outputs(job, total, curve, card, {"errors": errors, "errors_before": before}, sets)


# ---------------------------------------------------------------- input
def _read(folder: Path, file: str) -> Frames:
    path = folder / file
    if not path.is_file():
        raise InvalidInput(f"There is no frames file {file}.")
    frames = Frames.load(path) if path.suffix == ".npz" else Frames.from_extxyz(path)
    if not frames.has_stress:
        raise InvalidInput(f"The frames of {file} have no energy, forces and stress: label them first.")
    return frames


def _species(job: TrainJob, folder: Path, sets: Sets) -> list[str]:
    """The model's type names, after checking that every set fits them."""
    if job.parent is not None:
        try:
            parent = read_package_card(folder / job.parent)
        except ModelFileError as error:
            raise InvalidInput(str(error)) from error
        if job.species is not None and job.species != parent.species:
            raise InvalidInput(
                f"The parent model knows {', '.join(parent.species)} in this order, not "
                f"{', '.join(job.species)}: leave `species` out or start without a parent."
            )
        if abs(parent.r_max_ang - job.settings.r_max) > 1e-9:
            raise InvalidInput(
                f"The parent model has the cutoff {parent.r_max_ang} Å, the settings say "
                f"{job.settings.r_max} Å: a warm start keeps the parent's."
            )
        species = parent.species
    else:
        species = job.species or sets.train.species
    learned = set(sets.train.species)
    tests = {file: sets.tests[name] for name, file in job.test.items()}
    for file, frames in {job.train: sets.train, job.val: sets.val, **tests}.items():
        try:
            frames.validate(species=species)
        except FramesError as error:
            raise InvalidInput(f"{file}: {error}") from error
        unseen = sorted(set(frames.species) - learned)
        if unseen and job.parent is None:
            raise InvalidInput(f"The frames of {file} hold {', '.join(unseen)}, which no training frame has.")
    extra = sorted(set(species) - learned)
    if extra and job.parent is None:
        raise InvalidInput(f"No training frame holds {', '.join(extra)}: a species can't be learned from nothing.")
    return species


def _write_stripped(frames: Frames, path: Path) -> None:
    """Write only energy, forces and stress: nequip refuses sets whose keys differ."""
    images = []
    for atoms in frames.iter_atoms():
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        labels = {name: atoms.calc.results[name] for name in ("energy", "forces", "stress")}
        bare.calc = SinglePointCalculator(bare, **labels)
        images.append(bare)
    ase_write(path, images, format="extxyz")


# ---------------------------------------------------------------- nequip
def _train(job: TrainJob, total: int, work: Path, log: Path, progress: Progress) -> None:
    first = (0, 0.0)
    shown = 0

    def watch() -> None:
        nonlocal shown, first
        curve = read_curve(work / "csv" / "metrics.csv")
        done = len(curve["epoch"])
        if done > shown:
            now = time.monotonic()
            # The start-up is not an epoch: the pace is counted from the first one seen.
            first = first if first[0] else (done, now)
            shown = done
            left = (now - first[1]) / max(done - first[0], 1) * (total - done)
            error = curve["val_forces_rmse_ev_ang"][-1]
            remaining = f"{left:.0f} s left" if done > first[0] else "time left not known yet"
            progress(f"epoch {done}/{total}, validation force error {error:.3f} eV/Å, {remaining}")

    progress(f"training: {total} epochs")
    command = ["nequip-train", "-cp", str(work.resolve()), "-cn", files.NEQUIP_CONFIG]
    try:
        run_script(command, work, log, threads=job.num_threads, watch=watch)
    except ProgramFailed as error:
        # nequip 0.19 leaves NaN out of its errors by species and then divides by no species at all.
        if "num_contributing_types" in log.read_text(errors="replace"):
            epoch = len(read_curve(work / "csv" / "metrics.csv")["epoch"])
            raise ProgramFailed(_diverged(epoch, job)) from error
        raise
    watch()


def _diverged(epoch: int, job: TrainJob) -> str:
    return (
        f"The training diverged: its loss is not a number from epoch {epoch} on. Lower `lr` (now "
        f"{job.settings.lr}) or look for frames with huge forces."
    )


def _check(curve: dict[str, NDArray[np.float64]], work: Path, log: Path, job: TrainJob) -> None:
    bad = ~np.isfinite(curve["val_total"]) | ~np.isfinite(curve["train_loss"])
    if bad.any():
        raise ProgramFailed(_diverged(int(curve["epoch"][np.argmax(bad)]), job))
    if not len(curve["epoch"]):
        if _out_of_time(log):
            raise ProgramFailed(
                f"The time limit of {job.settings.max_time_s} s was reached before the first epoch ended: "
                "raise `max_time_s` or train on fewer frames."
            )
        raise ProgramFailed(f"nequip-train ended without one epoch in metrics.csv; its log is {log.name}.")
    if not (work / "best.ckpt").is_file():
        raise ProgramFailed(f"nequip-train left no best.ckpt although it ran; its log is {log.name}.")


def _out_of_time(log: Path) -> bool:
    return "Time limit reached" in log.read_text(errors="replace")


def _card(path: Path) -> PackageCard:
    try:
        return read_package_card(path)
    except ModelFileError as error:
        raise ProgramFailed(f"nequip-package left no usable package: {error}") from error


def _test_parent(job: TrainJob, config: dict[str, Any], sets: Sets, folder: Path) -> dict[str, dict[str, float]]:
    """Return the errors of the parent, with its own energies of the atoms, on the test frames."""
    # A folder of its own: the writer of predictions appends, and the run after it writes files of the same names.
    place = folder / PARENT_FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    tested = build_test_config(config, package=f"${{hydra:runtime.cwd}}/../{WORK_FOLDER}/{files.PARENT_PACKAGE}")
    data = tested["data"]
    data["train_file_path"] = f"../{WORK_FOLDER}/{data['train_file_path']}"
    data["test_file_path"] = [f"../{WORK_FOLDER}/{file}" for file in data["test_file_path"]]
    (place / files.NEQUIP_CONFIG).write_text(to_yaml(tested), encoding="utf-8")
    command = ["nequip-train", "-cp", str(place.resolve()), "-cn", files.NEQUIP_CONFIG]
    run_script(command, place, folder / "parent.log", threads=job.num_threads)
    return _test(sets.tests, place, folder / files.PARENT_PREDICTIONS)


# ---------------------------------------------------------------- output
def _test(tests: dict[str, Frames], work: Path, target: Path) -> dict[str, dict[str, float]]:
    """Collect predictions of all test files, in order, and return the errors by type and overall."""
    reference = list(tests.values())
    try:
        found = [read_predictions(work / f"test_dataset{index}.xyz") for index in range(len(reference))]
    except FileNotFoundError as error:
        raise ProgramFailed("nequip-train wrote no predictions for the test frames.") from error
    columns: dict[str, NDArray[Any]] = {
        "offsets": np.concatenate([[0], np.cumsum(np.concatenate([f.n_atoms for f in reference]))]),
        "numbers": np.concatenate([frames.numbers for frames in reference]),
        "config_type": np.concatenate([np.full(len(frames), name) for name, frames in tests.items()]),
        "frame_ids": np.concatenate([frames.frame_ids for frames in reference]),
    }
    for key in ("energy", "forces", "stress"):
        columns[key] = np.concatenate([getattr(item, key) for item in found])
        columns[f"{key}_reference"] = np.concatenate([getattr(frames, key) for frames in reference])
    seen = np.concatenate([item.energy_reference for item in found])
    if seen.shape != columns["energy_reference"].shape or not np.allclose(
        seen, columns["energy_reference"], rtol=1e-5, atol=1e-3
    ):
        raise ProgramFailed("The predictions of nequip-train are not in the order of the test frames.")
    with write_atomically(target) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **columns)
    keys = ("energy", "forces", "stress")
    return errors_by_type(
        columns["config_type"],
        columns["offsets"],
        {key: columns[key] for key in keys},
        {key: columns[f"{key}_reference"] for key in keys},
    )


def _outputs(
    job: TrainJob,
    total: int,
    curve: dict[str, NDArray[np.float64]],
    card: PackageCard,
    errors: dict[str, dict[str, dict[str, float]] | None],
    sets: Sets,
) -> dict[str, Any]:
    best = int(np.argmin(curve["val_total"]))
    n_epochs = len(curve["epoch"])
    validation = {name: float(curve[name][best]) for name in curve if name.startswith("val_")}
    early = (
        job.settings.early_stopping_patience is not None and n_epochs - 1 - best >= job.settings.early_stopping_patience
    )
    predictions = [files.PREDICTIONS] if errors["errors"] else []
    predictions += [files.PARENT_PREDICTIONS] if errors["errors_before"] else []
    return {
        "files": [files.PACKAGE, files.CURVE, files.NEQUIP_CONFIG, *predictions],
        "model_hash": card.model_hash,
        "species": card.species,
        "r_max_ang": card.r_max_ang,
        "model_versions": card.versions,
        "n_epochs": n_epochs,
        "best_epoch": int(curve["epoch"][best]),
        "done": n_epochs >= total or early,
        "validation": validation,
        **errors,
        "n_frames": {
            "train": len(sets.train),
            "val": len(sets.val),
            "test": {name: len(frames) for name, frames in sets.tests.items()},
        },
        "settings": json.loads(job.settings.model_dump_json()),
    }


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """JSON knows no NaN: an unknown learning rate is null."""
    return [float(value) if np.isfinite(value) else None for value in values]


main = program(
    "seireact-train",
    TrainJob,
    run,
    packages=("nequip", "nequip-allegro", "torch", "lightning"),
    example=EXAMPLE,
)

if __name__ == "__main__":
    main()

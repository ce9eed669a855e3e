"""``seireact-train``: frames → nequip-train → test → nequip-package, in one folder and one job."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write as ase_write
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.checkpoint import (
    LAST,
    CheckpointError,
    Curve,
    columns_of,
    complaint_of_origin,
    frames_mark,
    read_origin,
    unpack_checkpoint,
)
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import CheckpointLost, Diverged, InvalidInput
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.model import ModelFileError, PackageCard, package_hash, read_package_card
from aiida_seireact.formats.nequip_config import build_config, to_yaml
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.programs._training import PREVIOUS_FOLDER, Training, errors_of_package, require_machine

WORK_FOLDER = "nequip"

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
    """Train a network on labelled frames, package its best epoch and test that; with a parent, test that one before.

    Writes model.nequip.zip, checkpoint.zip (to go on from), curve.json (errors by epoch, since the training began),
    predictions.npz and parent_predictions.npz (for the test frames), config.yaml and nequip.log. Where it diverges, the
    outputs of what was best before are in rescued.json.

    :raises InvalidInput: frames without labels, species that don't fit, or no GPU where one is asked for.
    :raises MissingPackage: nequip, or what `acceleration` needs, is not installed.
    :raises CheckpointLost: the checkpoint to go on from can't be read.
    :raises Diverged: the loss is no number any more.
    :raises OutOfMemory: of the GPU, or of the machine by the words of torch or the kernel.
    :raises ProgramFailed: killed, out of time before the first epoch, or nequip's own error.
    """
    settings = job.settings
    require_machine(settings)
    sets = Sets(
        train=_read(folder, job.train),
        val=_read(folder, job.val),
        tests={name: _read(folder, file) for name, file in job.test.items()},
    )
    species = _species(job, folder, sets)
    work = _prepared(job, folder, sets)
    origin = _origin(job, folder, species, sets)
    before = _checkpoint(job, folder, work, origin)
    try:
        config = build_config(
            settings,
            species=species,
            train="train.extxyz",
            val="val.extxyz",
            shifts=job.shifts,
            learned=sets.train.species,
            parent=None if job.parent is None else files.PARENT_PACKAGE,
            checkpoint=None if before is None else f"{PREVIOUS_FOLDER}/{LAST}",
            overrides=job.overrides,
        )
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    text = to_yaml(config)
    for place in (folder, work):
        (place / files.NEQUIP_CONFIG).write_text(text, encoding="utf-8")

    errors_before = None
    if job.parent is not None and sets.tests:
        progress("testing the parent")
        errors_before = errors_of_package(
            folder / job.parent, sets.tests, folder / files.PARENT_PREDICTIONS, settings, job.num_threads
        )
    before_it = {"errors_before": errors_before}
    total = int(config["trainer"]["max_epochs"])
    training = Training(job, work, folder, total, progress, before, origin)
    try:
        done = training.run()
    except Diverged:
        if (folder / files.PACKAGE).is_file():
            # A model like any other, if nothing better follows.
            card = read_package_card(folder / files.PACKAGE)
            rescued = _finished(job, folder, progress, training.curve, sets)
            write_json(
                folder / files.RESCUED, _outputs(job, False, training.curve, card, {**rescued, **before_it}, sets)
            )
        raise
    progress("packaging the best epoch")
    card = training.package()
    found = _finished(job, folder, progress, training.curve, sets)
    return _outputs(job, done, training.curve, card, {**found, **before_it}, sets)


def _finished(
    job: TrainJob, folder: Path, progress: Progress, curve: Curve, sets: Sets
) -> dict[str, dict[str, dict[str, float]] | None]:
    """Write the curve, test the package, and return its ``errors``."""
    write_json(folder / files.CURVE, columns_of(curve))
    if not sets.tests:
        return {"errors": None}
    progress("testing it")
    package, target = folder / files.PACKAGE, folder / files.PREDICTIONS
    return {"errors": errors_of_package(package, sets.tests, target, job.settings, job.num_threads)}


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


def _prepared(job: TrainJob, folder: Path, sets: Sets) -> Path:
    """Return an empty folder for nequip with its frames in it; what an earlier run left is removed."""
    work = folder / WORK_FOLDER
    shutil.rmtree(work, ignore_errors=True)  # nequip appends to what it finds
    work.mkdir()
    left = (files.PACKAGE, files.CHECKPOINT, files.CURVE, files.RESCUED, files.PREDICTIONS, files.PARENT_PREDICTIONS)
    for name in left:
        (folder / name).unlink(missing_ok=True)
    _write_stripped(sets.train, work / "train.extxyz")
    _write_stripped(sets.val, work / "val.extxyz")
    if job.parent is not None:
        # A checkpoint looks for its parent at the same place; the package made of it no longer does.
        shutil.copyfile(folder / job.parent, work / files.PARENT_PACKAGE)
    return work


def _origin(job: TrainJob, folder: Path, species: list[str], sets: Sets) -> dict[str, Any]:
    """Return what makes a training this one, as its checkpoints tell it: whatever a checkpoint would bring along."""
    return {
        **job.settings.kept_by_a_checkpoint,
        "overrides": job.overrides.get("training_module", {}),
        "species": species,
        "shifts": job.shifts,
        "parent": None if job.parent is None else package_hash(folder / job.parent),
        "train frames": frames_mark(sets.train.frame_ids),
        "val frames": frames_mark(sets.val.frame_ids),
    }


def _checkpoint(job: TrainJob, folder: Path, work: Path, origin: dict[str, Any]) -> Curve | None:
    """Unpack the checkpoint to go on from and return the curve up to it; None where the training begins.

    :param origin: of this training; what else the checkpoint tells of it is added.
    """
    if job.checkpoint is None:
        return None
    previous = work / PREVIOUS_FOLDER
    previous.mkdir()
    try:
        curve = unpack_checkpoint(folder / job.checkpoint, previous)
        before = read_origin(folder / job.checkpoint)
    except CheckpointError as error:
        raise CheckpointLost(str(error)) from error
    if complaint := complaint_of_origin(before, origin):
        raise InvalidInput(complaint)
    origin.update(before)  # also that it stopped early
    return curve


def _write_stripped(frames: Frames, path: Path) -> None:
    """Write only energy, forces and stress: nequip refuses sets whose keys differ."""
    images = []
    for atoms in frames.iter_atoms():
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        labels = {name: atoms.calc.results[name] for name in ("energy", "forces", "stress")}
        bare.calc = SinglePointCalculator(bare, **labels)
        images.append(bare)
    ase_write(path, images, format="extxyz")


# ---------------------------------------------------------------- output
def _outputs(
    job: TrainJob,
    done: bool,
    curve: dict[str, NDArray[np.float64]],
    card: PackageCard,
    errors: dict[str, dict[str, dict[str, float]] | None],
    sets: Sets,
) -> dict[str, Any]:
    best = int(np.argmin(curve["val_total"]))
    validation = {name: float(curve[name][best]) for name in curve if name.startswith("val_")}
    predictions = [files.PREDICTIONS] if errors["errors"] else []
    predictions += [files.PARENT_PREDICTIONS] if errors["errors_before"] else []
    return {
        "files": [files.PACKAGE, files.CHECKPOINT, files.CURVE, files.NEQUIP_CONFIG, *predictions],
        "model_hash": card.model_hash,
        "species": card.species,
        "r_max_ang": card.r_max_ang,
        "model_versions": card.versions,
        "n_epochs": len(curve["epoch"]),
        "best_epoch": int(curve["epoch"][best]),
        "done": done,
        "learner": card.learner,
        "validation": validation,
        **errors,
        "n_frames": {
            "train": len(sets.train),
            "val": len(sets.val),
            "test": {name: len(frames) for name, frames in sets.tests.items()},
        },
        "settings": json.loads(job.settings.model_dump_json()),
    }


main = program(
    "seireact-train",
    TrainJob,
    run,
    packages=("nequip", "nequip-allegro", "torch", "lightning"),
    example=EXAMPLE,
)

if __name__ == "__main__":
    main()

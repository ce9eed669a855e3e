"""``seireact-label``: energies, forces and stresses of frames by any calculator of ASE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats import files
from aiida_seireact.formats.finished import finished_log
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.formats.labels import join_labels
from aiida_seireact.programs._ase_runs import Outcome, energy_of_atom, from_record, outcome_of, to_record
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.programs._workers import WorkerDied, Workers
from aiida_seireact.programs.calculators import LabellerCard, apart, load_labeller
from aiida_seireact.science.structures import ISOLATED_ATOM

PROGRESS_EVERY = 10

EXAMPLE = """
  {
    "task": "md",
    "calculator": "chgnet",
    "frames": "relaxed.npz",
    "md": {"steps": 300, "temperature_k": 600, "timestep_fs": 2, "seed": 1}
  }
"""


def run(job: LabelJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Label frames, or relax them or run short MD from them, with a calculator of ASE.

    Writes labelled.npz. A frame that cannot be labelled is left out and told with its reason under
    `failures`; if none can, the program fails. Task isolated_atoms writes no frames. What is finished is on disk at
    once (finished.jsonl): killed and started again in its folder, the program computes what is missing.

    :raises InvalidInput: unknown calculator or species, broken frames, a calculator without stress.
    :raises MissingPackage: the calculator is not installed.
    :raises ProgramFailed: not one frame could be labelled.
    """
    frames = None if job.frames is None else _read(folder / job.frames)
    if frames is not None and job.task == "label":
        job = _without_stress_of_atoms(job, frames)

    def make() -> tuple[LabellerCard, Callable[[Frames | str], Outcome | float | str]]:
        labeller = load_labeller(job.calculator, threads=job.threads)
        if job.workers > 1:
            apart(labeller.calculator)

        def work(task: Frames | str) -> Outcome | float | str:
            if isinstance(task, str):
                return energy_of_atom(task, labeller.calculator)
            return outcome_of(job, task, labeller.calculator)

        return labeller.card, work

    with Workers(make, job.workers) as workers:
        card: LabellerCard = workers.greeting
        outputs: dict[str, Any] = {
            "task": job.task,
            "calculator": {**card.identity, "kind": card.kind},
            "settings_hash": card.settings_hash,
        }
        if job.task == "isolated_atoms":
            species = job.species or (frames.species if frames is not None else [])
            return {**outputs, "isolated_atoms_ev": _isolated_atoms(workers, card, species)}
        if frames is None:
            raise InvalidInput(f"Task {job.task} needs frames.")
        atoms = ISOLATED_ATOM in frames.config_type
        if atoms:
            card.require_isolated_atoms()
        card.require_labels(stress=job.acceptance.stress)
        if job.task == "relax" and job.relax.cell != "fixed":
            card.require_stress("set relax.cell to fixed")
        card.require_species(frames.species)
        frames.validate(species=job.species, need_periodic=not atoms)
        outcomes = _work_through(job, frames, workers, folder / files.FINISHED, progress)
    taken, failures = _collect(job, frames, outcomes, card.settings_hash)
    if taken is None:
        first = failures[0]
        raise ProgramFailed(
            f"Not one of {len(frames)} frames could be labelled by '{card.name}'; "
            f"frame {first['index']}: {first['reason']}."
        )
    taken.save(folder / files.LABELLED)
    names = _names(frames)
    reports = [] if job.task == "label" else [{**names[i], **outcome.report} for i, outcome in enumerate(outcomes)]
    return {
        **outputs,
        "frames": files.LABELLED,
        "n_labelled": len(taken),
        "failures": failures,
        "reports": reports,
    }


def _read(path: Path) -> Frames:
    """Read the frames of a job.

    :raises InvalidInput: there are none in the file.
    :raises FramesError: the file is missing or not whole.
    """
    frames = Frames.from_extxyz(path) if path.suffix in (".extxyz", ".xyz") else Frames.load(path)
    if not len(frames):
        raise InvalidInput(f"{path.name} holds no frame: give at least one.")
    return frames


def _without_stress_of_atoms(job: LabelJob, frames: Frames) -> LabelJob:
    """Return the job; where all frames are isolated atoms, one that asks for no stress: theirs means nothing.

    :raises InvalidInput: isolated atoms beside others.
    """
    atoms = frames.config_type == ISOLATED_ATOM
    if atoms.any() and not atoms.all():
        raise InvalidInput(
            f"Frame {int(np.argmax(atoms))} is an isolated atom, others are not: "
            "label isolated atoms apart, they have no stress."
        )
    if not atoms.any():
        return job
    return job.model_copy(update={"acceptance": job.acceptance.model_copy(update={"stress": False})})


def _names(frames: Frames) -> list[dict[str, Any]]:
    return [{"index": index, "structure_id": name} for index, name in enumerate(frames.structure_ids)]


def _work_through(
    job: LabelJob,
    frames: Frames,
    workers: Workers[LabellerCard, Frames | str, Any],
    path: Path,
    progress: Progress,
) -> list[Outcome]:
    """Return what came of each frame, in their order; of those that finished in an earlier run, from the file."""
    task = job.task_hash(workers.greeting.settings_hash)
    outcomes: dict[int, Outcome] = {}
    n_labelled = 0

    def tell(index: int) -> None:
        done = len(outcomes)
        if outcomes[index].reason:
            progress(f"frame {index} failed: {outcomes[index].reason}")
        if job.task != "label" or done % PROGRESS_EVERY == 0 or done == len(frames):
            progress(f"{job.task}: {done} of {len(frames)} frames, {n_labelled} labelled")

    with finished_log(path) as (records, append):
        known = {record.structure_id: record for record in records if record.task == task}
        for index, name in enumerate(frames.structure_ids):
            if name in known:
                outcomes[index] = from_record(known[name], frames.select([index]))
                n_labelled += len(known[name])
        if outcomes:
            progress(f"{job.task}: {len(outcomes)} of {len(frames)} frames, {n_labelled} labelled by an earlier run")
        missing = [index for index in range(len(frames)) if index not in outcomes]
        for number, result in workers.results([frames.select([index]) for index in missing]):
            index = missing[number]
            outcome = Outcome(reason=str(result)) if isinstance(result, WorkerDied) else result
            outcomes[index] = outcome
            if not outcome.reason:
                append(to_record(outcome, task, frames.structure_ids[index]))
            n_labelled += len(outcome.images)
            tell(index)
    return [outcomes[index] for index in range(len(frames))]


def _collect(
    job: LabelJob, frames: Frames, outcomes: Sequence[Outcome], settings_hash: str
) -> tuple[Frames | None, list[dict[str, Any]]]:
    """Return the labelled images that are taken, in the order of their starts, and the failures by start."""
    names = _names(frames)
    failures = [{**names[i], "reason": outcome.reason} for i, outcome in enumerate(outcomes) if outcome.reason]
    starts = [index for index, outcome in enumerate(outcomes) for _ in outcome.images]
    if not starts:
        return None, failures
    sent = _images(job, frames, outcomes)
    labels = [image.label for outcome in outcomes for image in outcome.images]
    taken, refused = join_labels(sent, labels, settings_hash, job.acceptance)
    failures += [{**names[starts[item["index"]]], "reason": item["reason"]} for item in refused]
    if taken is not None and taken.energy_e0 is not None and (taken.energy_e0 == taken.energy).all():
        # Nothing was smeared.
        taken = replace(taken, energy_e0=None)
    return taken, sorted(failures, key=lambda failure: failure["index"])


def _images(job: LabelJob, frames: Frames, outcomes: Sequence[Outcome]) -> Frames:
    """Return the images without labels; each knows what it came from."""
    if job.task == "label":
        return frames.select([index for index, outcome in enumerate(outcomes) if outcome.images])
    images = []
    for index, outcome in enumerate(outcomes):
        parent = frames.frame_ids[index]
        origin = {"config_type": str(frames.config_type[index]), "group": str(frames.group[index])}
        for image in outcome.images:
            image.atoms.info.update(origin, parent_id=parent)
            if job.md is not None and job.task == "md":
                image.atoms.info.update(group=job.md.group(parent, image.block), md_step=image.md_step)
            images.append(image.atoms)
    return Frames.from_atoms(images)


def _isolated_atoms(
    workers: Workers[LabellerCard, Frames | str, Any], card: LabellerCard, species: list[str]
) -> dict[str, float]:
    """Return the energy of an isolated atom of each species in eV.

    :raises InvalidInput: the calculator has none, or does not know a species.
    :raises ProgramFailed: it gave none.
    """
    card.require_isolated_atoms()
    card.require_species(species)
    energies: dict[str, float] = {}
    for number, energy in workers.results(species):
        if not isinstance(energy, float):
            raise ProgramFailed(f"'{card.name}' gave no energy for an isolated {species[number]} ({energy}).")
        if not np.isfinite(energy):
            raise ProgramFailed(f"The energy of an isolated {species[number]} by '{card.name}' is not a number.")
        energies[species[number]] = energy
    return energies


main = program(
    "seireact-label",
    LabelJob,
    run,
    packages=("ase", "chgnet", "nequip", "numpy", "sevenn", "tblite", "torch"),
    example=EXAMPLE,
    leftovers=(files.FINISHED,),
)

"""``seireact-label``: energies, forces and stresses of frames by any calculator of ASE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.programs._ase_runs import labelled, langevin_frames, reason_of, relaxed
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.programs.calculators import Labeller, load_labeller

# Unlike sides keep an electronic structure method away from a degenerate, symmetric atom.
ATOM_BOX_ANG = (12.0, 12.1, 12.2)
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
    `failures`; if none can, the program fails. Task isolated_atoms writes no frames.

    :raises InvalidInput: unknown calculator or species, broken frames, a calculator without stress.
    :raises MissingPackage: the calculator is not installed.
    :raises ProgramFailed: not one frame could be labelled.
    """
    frames = None if job.frames is None else _read(folder / job.frames)
    labeller = load_labeller(job.calculator, threads=job.threads)
    outputs: dict[str, Any] = {
        "task": job.task,
        "calculator": dict(labeller.identity),
        "settings_hash": labeller.settings_hash,
    }
    if job.task == "isolated_atoms":
        species = job.species or (frames.species if frames is not None else [])
        return {**outputs, "isolated_atoms_ev": _isolated_atoms(labeller, species)}

    if frames is None:
        raise InvalidInput(f"Task {job.task} needs frames.")
    labeller.require_labels()
    _require_known(labeller, frames.species)
    frames.validate(species=job.species)
    images, reports, failures = _work_through(job, frames, labeller, progress)
    if not images:
        first = failures[0]
        raise ProgramFailed(
            f"Not one of {len(frames)} frames could be labelled by '{labeller.name}'; "
            f"frame {first['index']}: {first['reason']}."
        )
    if all(image.info["energy_e0"] == image.calc.results["energy"] for image in images):
        for image in images:
            del image.info["energy_e0"]
    Frames.from_atoms(images, labels="required", settings_hash=labeller.settings_hash).save(folder / files.LABELLED)
    return {
        **outputs,
        "frames": files.LABELLED,
        "n_labelled": len(images),
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


def _require_known(labeller: Labeller, species: list[str]) -> None:
    if labeller.species is None:
        return
    unknown = [symbol for symbol in species if symbol not in labeller.species]
    if unknown:
        known = f"it knows {', '.join(labeller.species)}" if len(labeller.species) < 20 else "they are beyond its table"
        raise InvalidInput(
            f"The calculator '{labeller.name}' does not know {', '.join(unknown)} ({known}): choose another calculator."
        )


def _work_through(
    job: LabelJob, frames: Frames, labeller: Labeller, progress: Progress
) -> tuple[list[Atoms], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the labelled images, a report for each start frame of a relaxation or a run, and the
    failures."""
    images: list[Atoms] = []
    reports: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for index in range(len(frames)):
        name = {"index": index, "structure_id": frames.structure_ids[index]}
        report: dict[str, Any] = dict(name)
        try:
            for image in _results(job, frames, index, labeller, report):
                images.append(image)
        except Exception as error:  # whatever a calculator raises concerns this frame only
            failures.append({**name, "reason": reason_of(error)})
            progress(f"frame {index} failed: {reason_of(error)}")
            labeller.calculator.reset()
        if job.task != "label":
            reports.append(report)
        if job.task != "label" or (index + 1) % PROGRESS_EVERY == 0 or index + 1 == len(frames):
            progress(f"{job.task}: {index + 1} of {len(frames)} frames, {len(images)} labelled")
    return images, reports, failures


def _results(job: LabelJob, frames: Frames, index: int, labeller: Labeller, report: dict[str, Any]) -> Iterator[Atoms]:
    """Yield the labelled images that one frame gives; fill its report."""
    start = frames.to_atoms(index)
    if job.task == "label":
        image = labelled(start, labeller.calculator)
        image.info.update(start.info)
        yield image
    elif job.task == "relax":
        image, how = relaxed(start, labeller.calculator, job.relax)
        report.update(how)
        image.info.update(_origin(start), parent_id=frames.frame_ids[index])
        yield image
    elif job.md is not None:
        # Seeded by what is run, not by its place in the file.
        identity = int(frames.structure_ids[index][:16], 16)
        seed = np.random.SeedSequence([job.md.seed, identity])
        rng = np.random.Generator(np.random.PCG64(seed))
        parent = frames.frame_ids[index]
        name = f"md-{parent[:12]}-{job.md.temperature_k:g}K-s{job.md.seed}"
        temperatures = []
        for step, block, temperature, image in langevin_frames(start, labeller.calculator, job.md, rng):
            image.info.update(_origin(start), group=f"{name}-b{block:03d}", parent_id=parent, md_step=step)
            temperatures.append(temperature)
            report.update(n_frames=len(temperatures), mean_temperature_k=float(np.mean(temperatures)))
            yield image


def _origin(start: Atoms) -> dict[str, str]:
    return {key: start.info[key] for key in ("config_type", "group") if key in start.info}


def _isolated_atoms(labeller: Labeller, species: list[str]) -> dict[str, float]:
    """Return the energy of an isolated atom of each species in eV.

    :raises InvalidInput: the calculator has none, or does not know a species.
    """
    if labeller.no_isolated_atoms:
        raise InvalidInput(labeller.no_isolated_atoms)
    _require_known(labeller, species)
    energies = {}
    for symbol in species:
        atom = Atoms(symbol, cell=ATOM_BOX_ANG, pbc=False)
        atom.center()
        try:
            energies[symbol] = float(labeller.calculator.get_property("energy", atom))
        except Exception as error:
            raise ProgramFailed(
                f"'{labeller.name}' gave no energy for an isolated {symbol} ({reason_of(error)})."
            ) from error
        if not np.isfinite(energies[symbol]):
            raise ProgramFailed(f"The energy of an isolated {symbol} by '{labeller.name}' is not a number.")
    return energies


main = program("seireact-label", LabelJob, run, packages=("ase", "chgnet", "numpy", "torch"), example=EXAMPLE)

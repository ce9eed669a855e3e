"""What `ValidateWorkChain` refuses of what it is given: frames that the model has learned, runs of something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms

from aiida_seireact.calculations.run_facts import model_of, settings_of
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.lineage import dataset_of, learned_from
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.sgp import load_gp
from aiida_seireact.science.validation.lines import AskedRun

SAME_CELL = 0.05
"""By how much the cell of a run may differ from what was asked for: a safe start relaxes it."""


# ---------------------------------------------------------------- frames that are held out
def not_held_out(potential: PotentialData, dataset: DatasetData) -> str | None:
    """Refuse a dataset of whose test frames the model, or a parent, has learned some, or nobody can tell."""
    held = set(dataset.frame_ids("test"))
    own = str(potential.base.attributes.get("dataset_hash", "") or "")
    learned = [node for node in learned_from(potential) if node.content_hash != dataset.content_hash]
    for other in learned:
        if known := held & {*other.frame_ids("train"), *other.frame_ids("val")}:
            return _learned(len(known), len(held), f"dataset {other.content_hash[:12]} <{other.pk}>")
    if not own or own == dataset.content_hash or dataset_of(potential) is not None:
        return None
    if potential.kind == "sgp":
        # A process of `seireact.flare` has no dataset, but knows its frames.
        with potential.as_path() as path:
            known = held & set(load_gp(path).frame_ids)
        return _learned(len(known), len(held), "its own frames") if known else None
    return (
        f"The model has learned from dataset {own[:12]}, which is not in this profile, so nobody can tell whether the "
        f"test frames of dataset {dataset.content_hash[:12]} are held out: import it, or give the dataset of the model."
    )


def _learned(known: int, held: int, where: str) -> str:
    return (
        f"The model has learned {known} of the {held} test frames of this dataset ({where}), so they are not held out: "
        "give the dataset that it was trained on, or train it on this one."
    )


# ---------------------------------------------------------------- runs that exist
def foreign_runs(asked: Mapping[str, AskedRun], inputs: Mapping[str, Any]) -> str | None:
    """Refuse runs of another model or level of theory, and those that are not what a line asks for."""
    level = inputs["dataset"].settings_hash if "dataset" in inputs else None
    for name, run in inputs.get("runs", {}).items():
        one = asked[name]
        if one.by == "labeller":
            complaint = _not_of_labeller(run, one, level)
        elif isinstance(run, TrajectoryData):
            complaint = _not_of_model(run, one, inputs["potential"].model_hash)
        else:
            complaint = "is asked of the model: hand in the trajectory of a run of it"
        if complaint:
            return f"runs.{name} {complaint}."
    return None


def _not_of_model(run: TrajectoryData, asked: AskedRun, own: str) -> str:
    try:
        model, told = model_of(run), settings_of(run)
    except ValueError as error:
        return f"can't be judged: {str(error).rstrip('.')}"
    if model != own:
        return f"is a run of model {model[:12]}, not of {own[:12]}: hand in one of this model"
    if asked.atoms is None:
        return ""
    pressure = asked.pressure_gpa if asked.ensemble == "npt" else None
    wanted = {"temperature_k": asked.temperature_k, "timestep_fs": asked.timestep_fs, "pressure_gpa": pressure}
    if complaint := _unlike({name: (told[name], value) for name, value in wanted.items()}):
        return complaint
    facts = run.base.attributes
    done = int(facts.get("steps"))
    # One that the stop rule ended is shorter, and fails its line.
    if done < asked.steps and not facts.get("stopped_by", None):
        return _unlike({"steps": (done, asked.steps)})
    if facts.get("n_atoms") != len(asked.atoms) or set(facts.get("species")) != set(asked.atoms.symbols):
        return f"is of {facts.get('n_atoms')} atoms of {', '.join(facts.get('species'))}; {_wanted(asked.atoms)}"
    start = _start_of(run)
    return "" if start is None else _other_atoms(start, asked.atoms)


def _not_of_labeller(run: TrajectoryData | FramesData, asked: AskedRun, level: str | None) -> str:
    if not isinstance(run, FramesData):
        return "is asked of the labeller: hand in the labelled frames of a run of it"
    own = str(run.base.attributes.get("settings_hash", "") or "")
    if level is not None and own != level:
        return f"is of level {own[:12] or 'unknown'}, the dataset of {level[:12]}: hand in one of its labeller"
    frames = run.frames
    if asked.atoms is not None and (complaint := _other_atoms(frames.to_atoms(0), asked.atoms)):
        return complaint
    if int(frames.md_step[-1]) < asked.steps // asked.frames_every * asked.frames_every:
        return _unlike({"steps": (int(frames.md_step[-1]), asked.steps)})
    md = _md_of(run)
    wanted = {"temperature_k": asked.temperature_k, "timestep_fs": asked.timestep_fs}
    return _unlike({name: (md[name], value) for name, value in wanted.items() if name in md})


def _unlike(pairs: Mapping[str, tuple[Any, Any]]) -> str:
    for name, (own, wanted) in pairs.items():
        if own != wanted:
            return (
                f"has {name} {'none' if own is None else own}, the line asks for {'none' if wanted is None else wanted}"
            )
    return ""


def _other_atoms(own: Atoms, asked: Atoms) -> str:
    if sorted(own.numbers) != sorted(asked.numbers):
        return f"is of {own.symbols}; {_wanted(asked)}"
    edges, wanted = own.cell.cellpar(), asked.cell.cellpar()
    if not np.allclose(edges, wanted, rtol=SAME_CELL):
        return f"begins in a cell of {np.round(edges, 2).tolist()}, the line asks for {np.round(wanted, 2).tolist()}"
    return ""


def _wanted(asked: Atoms) -> str:
    return f"the line asks for {len(asked)} of {asked.symbols}"


def _start_of(run: TrajectoryData) -> Atoms | None:
    """Return the atoms that a run began with; None if it went on from another one."""
    segments = [one for one in run._segments() if one.base.attributes.get("first_step", 0) == 0]
    creator = segments[0].creator if segments else None
    if creator is None or "structure" not in creator.inputs:
        return None
    return creator.inputs.structure.frames.without_labels().to_atoms(0)


def _md_of(run: FramesData) -> dict[str, Any]:
    """Return the settings of MD that frames were made by, empty if nobody knows."""
    creator: orm.ProcessNode | None = run.creator
    if creator is None or "parameters" not in creator.inputs:
        return {}
    return dict(creator.inputs.parameters.get_dict().get("md", {}))

"""``seireact.select``: which frames of a model's own runs are worth a label (``seireact-select``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJobProcessSpec
from pydantic import Field, model_validator

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.classify import FrameChoice
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.select import CutSettings, SelectJob
from aiida_seireact.programs.potentials import KINDS

# What the calculation adds to the parameters of its own.
FILLED: dict[str, Any] = {"gps": {}, "committee": {}, "potential": None, "classifier": None}


class RunNumbers(FrameChoice):
    """How many frames are wanted of a run: ``RunChoice`` without what the calculation adds."""

    learned: int = Field(ge=0)
    held_out: int = Field(ge=0)
    cut: CutSettings | None = None


class SelectSettings(SelectJob):
    """What the ``parameters`` hold: the job without its files."""

    runs: dict[str, RunNumbers] = Field(min_length=1)  # type: ignore[assignment]

    @model_validator(mode="after")
    def _cells_can_be_cut(self) -> SelectSettings:
        # Model, judges and labels are inputs of their own: `cells_complaint` looks at them.
        return self


class SelectCalculation(ProgramCalculation):
    """Runs of a model in; the frames to label out, and a row for every frame that was looked at."""

    PARSER = "seireact.select"
    RETRIEVE_TEMPORARY = (files.SELECTED, files.SELECTION)
    CACHE_VERSION = 3

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace(
            "runs", valid_type=(TrajectoryData, FramesData), dynamic=True, help="The runs to choose from, by name."
        )
        spec.input_namespace(
            "starts",
            valid_type=FramesData,
            dynamic=True,
            required=False,
            help="The frame each run started from, by the name of the run: it becomes the parent of the frames chosen.",
        )
        spec.input_namespace(
            "gps",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            validator=validate_processes,
            help="Sparse Gaussian processes by name: what one of them knows is known. Without these and a committee, "
            "frames are chosen by difference alone.",
        )
        spec.input_namespace(
            "committee",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            validator=validate_committee,
            help="Instead of `gps`: at least two packages of one training but for the seed, whose forces lie apart "
            "where they don't know.",
        )
        spec.input_namespace(
            "labels",
            valid_type=orm.ArrayData,
            dynamic=True,
            required=False,
            help="Output `labels` of `seireact.classify` of a run, by its name: which environments are unknown.",
        )
        spec.input(
            "potential",
            valid_type=PotentialData,
            required=False,
            validator=validate_seam_potential,
            help="The model, a package or a sparse Gaussian process: it moves the atoms of seams where a run is cut.",
        )
        spec.input(
            "classifier",
            valid_type=PhasesData,
            required=False,
            help="Tells where in a frame that is cut the unknown is.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(SelectSettings, **FILLED),
            help="`runs`: by name `learned`, `held_out`, `skip_first`, `stride`, `cut`; `n_blocks`, `gap_frames`, "
            "`held_out_every`, `shortlist`, `min_learned`, `min_held_out`, …: see `seireact-select --help`.",
        )
        spec.inputs.validator = validate_names
        spec.output("frames", valid_type=FramesData, help="The frames to label; a group is a time block of a run.")
        spec.output("selection", valid_type=orm.ArrayData, help="Uncertainty, block and part of every frame seen.")
        spec.output("choice", valid_type=orm.Dict, help="The rule, the blocks and the numbers of each run.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        computer, starts = self.inputs.code.computer, self.inputs.get("starts", {})
        runs = {}
        for number, (name, run) in enumerate(sorted(self.inputs.runs.items())):
            runs[name] = {
                **job["runs"][name],
                "files": place_run(run, f"run_{number}", computer, folder, links),
                "start_id": starts[name].frames.frame_ids[0] if name in starts else "",
                "stopped_step": stopped_step(run),
            }
            if name in self.inputs.get("labels", {}):
                runs[name]["labels"] = f"labels_{number}.npz"
                labels = self.inputs.labels[name]
                arrays = {array: labels.get_array(array) for array in labels.get_arraynames()}
                np.savez(folder / runs[name]["labels"], **arrays)
        gps = {}
        for number, (name, gp) in enumerate(sorted(self.inputs.get("gps", {}).items())):
            gps[name] = f"gp_{number}.npz"
            links.local_copy.append((gp.uuid, gp.filename, gps[name]))
        committee = {}
        for number, (name, member) in enumerate(sorted(self.inputs.get("committee", {}).items())):
            committee[name] = f"member_{number}.nequip.zip"
            links.local_copy.append((member.uuid, member.filename, committee[name]))
        job.update(runs=runs, gps=gps, committee=committee)
        if "potential" in self.inputs:
            potential = self.inputs.potential
            file = f"seam_{potential.filename}"
            links.local_copy.append((potential.uuid, potential.filename, file))
            job["potential"] = {"file": file, "kind": potential.kind}
        if "classifier" in self.inputs:
            job["classifier"] = "classifier.npz"
            links.local_copy.append((self.inputs.classifier.uuid, self.inputs.classifier.filename, job["classifier"]))
        return job


def stopped_step(run: TrajectoryData | FramesData) -> int | None:
    """Return the MD step at which a stop rule ended a run, None if it came to its end."""
    if run.base.attributes.get("stopped_by", None) is None:
        return None
    return int(run.base.attributes.get("last_step"))


def validate_processes(gps: Mapping[str, PotentialData], _: Any) -> str | None:
    """Refuse models that tell no uncertainty."""
    for name, gp in gps.items():
        if gp.kind != "sgp":
            return f"gps.{name} is of kind {gp.kind}; only a sparse Gaussian process (sgp) tells its uncertainty."
    return None


def validate_committee(members: Mapping[str, PotentialData], _: Any) -> str | None:
    """Refuse a committee of one, and members that are no packages or not of the same species."""
    if len(members) == 1:
        return "a committee of one never disagrees: give at least two packages."
    first = next(iter(members.values()), None)
    for name, member in members.items():
        if not member.kind.endswith("-package"):
            return f"committee.{name} is of kind {member.kind}: give the package (output `potential` of a training)."
        if first is not None and member.species != first.species:
            return f"committee.{name} knows {', '.join(member.species)}, others {', '.join(first.species)}."
    return None


def validate_seam_potential(potential: PotentialData, _: Any) -> str | None:
    """Refuse models that can't be asked for single frames."""
    if potential.kind in KINDS:
        return None
    return f"A potential of kind {potential.kind} can't move the atoms of a seam: give one of {', '.join(KINDS)}."


def validate_names(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse numbers for runs that are not there, and runs without numbers."""
    if "runs" not in inputs or "parameters" not in inputs:
        return None
    runs, asked = set(inputs["runs"]), set(inputs["parameters"].get_dict()["runs"])
    if runs != asked:
        return (
            f"The runs are {', '.join(sorted(runs))}, but the numbers of frames are for {', '.join(sorted(asked))}: "
            "give `parameters.runs` for each run and no other."
        )
    if inputs.get("gps") and inputs.get("committee"):
        return "`gps` and `committee` measure uncertainty in different units: give one of them."
    for part in ("starts", "labels"):
        if foreign := sorted(set(inputs.get(part, {})) - runs):
            return f"{part}.{foreign[0]} belongs to no run: name it as one of the runs."
    judges = (name for name in ("gps", "committee", "classifier") if inputs.get(name))
    return cells_complaint(inputs["parameters"], "potential" in inputs, any(judges))


def cells_complaint(parameters: orm.Dict, has_potential: bool, is_judged: bool) -> str | None:
    """Return why cells can't be cut out of a run, None if they can; see `formats.jobs.select.SelectJob`."""
    settings = SelectSettings.model_validate({**parameters.get_dict(), **FILLED})
    return settings.complaint_about_cells(has_potential, is_judged)

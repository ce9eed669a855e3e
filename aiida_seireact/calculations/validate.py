"""``seireact.validate``: the numbers of each line of a scorecard for one model (``seireact-validate``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJobProcessSpec
from pydantic import Field

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.validate import RunFiles, ValidateJob
from aiida_seireact.programs.potentials import KINDS

FILLED: dict[str, Any] = {"model": "model", "kind": "sgp", "species": [], "phases": None, "labelled": None}
HELD_OUT = "held_out.npz"


class RunSettings(RunFiles):
    """What the ``parameters`` tell of a run: ``RunFiles`` without what the calculation adds."""

    files: tuple[str, ...] = ()
    thermo: None = None
    stopped_by: None = None


class ValidateSettings(ValidateJob):
    """What the ``parameters`` hold: the job without its files."""

    held_out: str | None = HELD_OUT  # whether there are such frames, the inputs tell
    runs: dict[str, RunSettings] = Field({})  # type: ignore[assignment]


class ValidateCalculation(ProgramCalculation):
    """A potential of any kind and a scorecard in; the numbers of its lines, and the predictions, out."""

    PARSER = "seireact.validate"
    RETRIEVE_TEMPORARY = (files.VALIDATION,)
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "potential", valid_type=PotentialData, help="The model: package, compiled file, or Gaussian process."
        )
        spec.input(
            "dataset",
            valid_type=DatasetData,
            required=False,
            validator=validate_dataset,
            help="Its test frames are held out; whole groups, so no trajectory is in training and test.",
        )
        spec.input("phases", valid_type=FramesData, required=False, help="A cell a phase, its name as config type.")
        spec.input(
            "labelled", valid_type=FramesData, required=False, help="The cells that the lines ask for, labelled."
        )
        spec.input_namespace(
            "runs",
            valid_type=(TrajectoryData, FramesData),
            dynamic=True,
            required=False,
            help="MD runs by the names that the lines ask for.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(ValidateSettings, **FILLED),
            help="`scorecard`; `asked`, the cells by line; `runs`, by name `timestep_fs`, `temperature_k`, "
            "`pressure_gpa`, `by`, `skip_first`, `stride`; `device`, `num_threads`.",
        )
        spec.inputs.validator = validate_evidence
        spec.output("scores", valid_type=orm.Dict, help="By line, each number with its unit, reference and frames.")
        spec.output(
            "predictions", valid_type=orm.ArrayData, help="Predictions beside references, a row for each frame."
        )

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        potential = self.inputs.potential
        model = f"model{''.join(Path(potential.filename).suffixes)}"
        links.local_copy.append((potential.uuid, potential.filename, model))
        job.update(model=model, kind=potential.kind, species=potential.species, held_out=None)
        if "dataset" in self.inputs:
            job["held_out"] = HELD_OUT
            self.inputs.dataset.frames("test").save(folder / HELD_OUT)
        for name, file in (("phases", "phase_cells.npz"), ("labelled", files.LABELLED)):
            if name in self.inputs:
                job[name] = file
                self.inputs[name].frames.save(folder / file)
        settings = job.pop("runs", {})
        job["runs"] = {}
        for number, (name, run) in enumerate(sorted(self.inputs.get("runs", {}).items())):
            placed = place_run(run, f"run_{number}", self.inputs.code.computer, folder, links)
            job["runs"][name] = {**settings[name], "files": placed}
            if isinstance(run, TrajectoryData):
                thermo = f"run_{number}_thermo.npz"
                np.savez(folder / thermo, **run.thermo)
                job["runs"][name].update(thermo=thermo, stopped_by=run.base.attributes.get("stopped_by", None))
        return job


def validate_dataset(dataset: DatasetData | None, _: Any) -> str | None:
    """Refuse a dataset that holds nothing out."""
    if dataset is None or dataset.frame_ids("test"):
        return None
    return (
        "This dataset has no test frames, so nothing is held out: split it again and train again, or leave out the "
        "lines on errors."
    )


def validate_evidence(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse lines without what they look at, runs without settings, and models that lack a species."""
    if not {"parameters", "potential"} <= set(inputs):
        return None
    if message := not_evaluable(inputs["potential"]):
        return message
    settings = ValidateSettings.model_validate({**inputs["parameters"].get_dict(), **FILLED})
    if "dataset" not in inputs and (lines := settings.scorecard.needs_held_out):
        return f"Line {lines[0]} looks at held-out frames: give `dataset`, or leave out the line."
    given, told = set(inputs.get("runs", {})), set(settings.runs)
    if given != told:
        name = min(given ^ told)
        return f"The run {name} is in {'runs' if name in given else 'parameters.runs'} alone: give both."
    for name in ("dataset", "labelled"):
        if name in inputs and (
            message := lacks_species(inputs["potential"], inputs[name].base.attributes.get("species"), f"{name} holds")
        ):
            return message
    return None


def not_evaluable(potential: PotentialData) -> str | None:
    """Return the sentence that refuses a potential that only LAMMPS can ask, None for others."""
    if potential.kind in KINDS:
        return None
    return f"A potential of kind {potential.kind} can't be asked for single frames: validate one of {', '.join(KINDS)}."


def lacks_species(potential: PotentialData, species: list[str], who: str) -> str | None:
    """Return the sentence that names the elements a model does not know, None if it knows them all."""
    unknown = [symbol for symbol in species if symbol not in potential.species]
    if not unknown:
        return None
    return (
        f"{who} {', '.join(unknown)}, but the model knows {', '.join(potential.species)} only: leave out what holds "
        "other elements, or train on them."
    )

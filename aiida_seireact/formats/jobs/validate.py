"""The job file of ``seireact-validate``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.formats.scorecard import Scorecard
from aiida_seireact.science.validation.lines import Phases


class RunFiles(FrameFiles):
    """An MD run that a line asks for: its frames, its thermo table, and what it was asked for."""

    files: tuple[str, ...] = Field(
        (), description="paths relative to the working folder; none: it was stopped before its first frame"
    )

    by: Literal["model", "labeller"] = Field("model", description="who ran it")
    thermo: str | None = Field(None, description="its thermo table (.npz), by LAMMPS's names in units metal")
    timestep_fs: float = Field(gt=0, description="time step, fs")
    temperature_k: float = Field(gt=0, description="temperature of the thermostat, K")
    pressure_gpa: float | None = Field(None, description="of the barostat; null: constant volume")
    stopped_by: dict[str, str | int | float | bool | None] | None = Field(
        None, description="what ended it early, with `reason` and `message`; null: nothing"
    )


class AskedCell(Job):
    """A cell that a line asks for."""

    subject: str = Field(description="what it tells about")
    structure_id: str = Field(description="of the frame in `labelled`")


class ValidateJob(Job):
    """One model, the tests it must pass, and what they are shown."""

    model: str = Field(description="file of the potential")
    kind: str = Field(description="what it is: allegro-package, allegro-compiled, sgp …")
    species: list[str] = Field([], description="elements it knows; frames with others are refused; none: not looked at")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where a package is evaluated")
    num_threads: int = Field(1, ge=1, description="threads of torch")
    scorecard: Scorecard = Field(description="name and lines")
    phases: str | None = Field(None, description="cells of the phases (.npz), the name of each as config type")
    labelled: str | None = Field(
        None, description="the cells that the lines ask for, with the labeller's answers (.npz)"
    )
    asked: dict[str, list[AskedCell]] | None = Field(
        None, description="by line, the cells it asks for, in its order; null: worked out from the scorecard"
    )
    held_out: str | None = Field(None, description="labelled frames that the model never saw (.npz)")
    runs: dict[str, RunFiles] = Field({}, description="MD runs by the names that the lines ask for")

    @model_validator(mode="after")
    def _held_out_frames_are_there(self) -> ValidateJob:
        if self.held_out is None and (lines := self.scorecard.needs_held_out):
            raise ValueError(f"the line {lines[0]} looks at held-out frames: give `held_out`, or leave out the line")
        return self


def cells_by_line(scorecard: Scorecard, phases: Phases) -> dict[str, list[AskedCell]]:
    """Return by line the cells it asks for, by what they are; lines that ask for none are left out.

    :raises ScorecardError: a phase is not there.
    """
    found = {}
    for name, cells in scorecard.static(phases).items():
        if cells:
            ids = Frames.from_atoms([cell.atoms for cell in cells], labels="ignore").structure_ids
            found[name] = [
                AskedCell(subject=cell.subject, structure_id=structure_id)
                for cell, structure_id in zip(cells, ids, strict=True)
            ]
    return found

"""The job file of ``seireact-label``: which calculator, and what to do with the frames."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job

Task = Literal["label", "relax", "md", "isolated_atoms"]


class CalculatorSettings(Job):
    """A calculator of ASE by name. Everything here enters the hash of the labelling settings."""

    name: str = Field(description="chgnet, a name ASE knows (emt, lj, espresso, ...), or 'module:factory'")
    kwargs: dict[str, Any] = Field({}, description="its keyword arguments; chgnet: model_name only")
    allow_import: bool = Field(False, description="allow 'module:factory': it imports and runs code of that module")

    @model_validator(mode="after")
    def _imports_are_meant(self) -> CalculatorSettings:
        if ":" in self.name and not self.allow_import:
            raise ValueError(
                f"'{self.name}' imports a module and runs its code on the compute machine: "
                "set allow_import to true in this calculator if you trust it"
            )
        return self


class RelaxSettings(Job):
    """Relaxation by FIRE, of the positions and the lengths of the cell."""

    steps: int = Field(60, ge=1, description="largest number of steps; not converged by then is no failure")
    fmax_ev_per_ang: float = Field(0.05, gt=0, description="converged when no force is larger, eV/Å")
    cell: Literal["diagonal", "fixed"] = Field("diagonal", description="strain xx, yy, zz, or keep the cell")


class MdSettings(Job):
    """Langevin MD at constant volume. Frame 0, the start, is left out; frames in the gap between blocks
    too."""

    steps: int = Field(ge=1, description="steps of each run")
    temperature_k: float = Field(gt=0, description="temperature of thermostat and first velocities, K")
    timestep_fs: float = Field(1.0, gt=0, description="time step, fs")
    friction_per_fs: float = Field(0.01, gt=0, description="friction of the thermostat, 1/fs")
    label_every: int = Field(10, ge=1, description="steps from one labelled frame to the next")
    seed: int = Field(0, ge=0, description="seed of velocities and thermostat")
    block_steps: int = Field(100, ge=1, description="steps of a time block; a block is a group, never split")
    gap_steps: int = Field(20, ge=0, description="steps between two blocks; their frames are dropped")

    @model_validator(mode="after")
    def _run_gives_frames(self) -> MdSettings:
        if self.label_every > min(self.steps, self.block_steps):
            raise ValueError(
                f"label_every {self.label_every} is longer than the run ({self.steps} steps) or a block "
                f"({self.block_steps}): it would give no frames"
            )
        return self


class LabelJob(Job):
    """Calculator, task and frames."""

    task: Task = Field("label", description="label (single points), relax, md, or isolated_atoms (energies only)")
    calculator: CalculatorSettings = Field(description="its name, or {name, kwargs, allow_import}")
    frames: str | None = Field(None, description="the frames, .npz or .extxyz; labels in it are ignored")
    relax: RelaxSettings = Field(RelaxSettings(), description="of task relax: steps, fmax_ev_per_ang, cell")
    md: MdSettings | None = Field(
        None,
        description="of task md: steps, temperature_k, timestep_fs, friction_per_fs, label_every, seed, "
        "block_steps, gap_steps",
    )
    species: list[str] | None = Field(
        None, description="elements allowed in the frames, or of isolated_atoms; default: those in the frames"
    )
    threads: int = Field(1, ge=1, description="threads; one gives the same bytes twice")

    @field_validator("calculator", mode="before")
    @classmethod
    def _name_alone_is_enough(cls, calculator: Any) -> Any:
        return {"name": calculator} if isinstance(calculator, str) else calculator

    @model_validator(mode="after")
    def _task_has_its_settings(self) -> LabelJob:
        if self.task == "md" and self.md is None:
            raise ValueError("task md needs the key md with steps and temperature_k")
        if self.frames is None and (self.task != "isolated_atoms" or not self.species):
            raise ValueError(f"task {self.task} needs frames" + (" or species" * (self.task == "isolated_atoms")))
        return self

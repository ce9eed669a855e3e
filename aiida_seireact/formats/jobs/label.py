"""The job file of ``seireact-label``: which calculator, and what to do with the frames."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.labels import AcceptanceSettings, level_hash

Task = Literal["label", "relax", "md", "isolated_atoms"]


class CalculatorSettings(Job):
    """A calculator of ASE by name. Everything here enters the hash of the labelling settings."""

    name: str = Field(
        description="chgnet, 7net-0, 7net-l3i5, tblite, nequip, a name ASE knows (emt, lj, espresso, ...), "
        "or 'module:factory'"
    )
    kwargs: dict[str, Any] = Field({}, description="its keyword arguments; chgnet: model_name only")
    allow_import: bool = Field(
        False,
        description="allow 'module:factory', which runs code of that module, or nequip, which runs that of a model",
    )

    @model_validator(mode="after")
    def _imports_are_meant(self) -> CalculatorSettings:
        if ":" in self.name and not self.allow_import:
            raise ValueError(
                f"'{self.name}' imports a module and runs its code on the compute machine: "
                "set allow_import to true in this calculator if you trust it"
            )
        if self.name == "nequip" and not self.allow_import:
            raise ValueError(
                "a compiled model is a program: loading it runs its machine code on the compute machine; "
                "set allow_import to true in this calculator if you trust it"
            )
        return self


class RelaxSettings(Job):
    """Relaxation by FIRE, of the positions and the lengths of the cell."""

    steps: int = Field(60, ge=1, description="largest number of steps; not converged by then is no failure")
    fmax_ev_per_ang: float = Field(0.05, gt=0, description="converged when no force is larger, eV/Å")
    cell: Literal["diagonal", "fixed"] = Field("diagonal", description="strain xx, yy, zz, or keep the cell")


class MdSettings(Job):
    """MD at constant volume. Frame 0, the start, is left out; frames in the gap between blocks too."""

    steps: int = Field(ge=1, description="steps of each run")
    temperature_k: float = Field(gt=0, description="temperature of thermostat and first velocities, K")
    timestep_fs: float = Field(1.0, gt=0, description="time step, fs")
    thermostat: Literal["langevin", "nose-hoover"] = Field("langevin", description="langevin, or nose-hoover (a chain)")
    friction_per_fs: float = Field(0.01, gt=0, description="friction of the Langevin thermostat, 1/fs")
    damping_fs: float = Field(100.0, gt=0, description="time in which the Nosé-Hoover chain answers, fs")
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

    @model_validator(mode="after")
    def _damping_is_resolved(self) -> MdSettings:
        if self.thermostat == "nose-hoover" and self.damping_fs < 5 * self.timestep_fs:
            raise ValueError(f"damping_fs {self.damping_fs} is shorter than 5 time steps of {self.timestep_fs} fs")
        return self


class LabelJob(Job):
    """Calculator, task and frames."""

    task: Task = Field("label", description="label (single points), relax, md, or isolated_atoms (energies only)")
    calculator: CalculatorSettings = Field(description="its name, or {name, kwargs, allow_import}")
    frames: str | None = Field(None, description="the frames, .npz or .extxyz; labels in it are ignored")
    relax: RelaxSettings = Field(RelaxSettings(), description="of task relax: steps, fmax_ev_per_ang, cell")
    md: MdSettings | None = Field(
        None,
        description="of task md: steps, temperature_k, timestep_fs, thermostat, friction_per_fs or damping_fs, "
        "label_every, seed, block_steps, gap_steps",
    )
    acceptance: AcceptanceSettings = Field(
        AcceptanceSettings(), description="which labels are refused: stress, max_force_ev_per_ang, max_force_by_type"
    )
    species: list[str] | None = Field(
        None, description="elements allowed in the frames, or of isolated_atoms; default: those in the frames"
    )
    workers: int = Field(
        1, ge=1, description="processes that label side by side, each with a calculator of its own; the same bytes"
    )
    threads: int = Field(1, ge=1, description="threads of each worker; one gives the same bytes twice")

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

    def task_hash(self, settings_hash: str) -> str:
        """Return the sha256 of all that decides what comes of a start frame, but the frame itself.

        :param settings_hash: of the labels, see `level_hash`.
        """
        settings = self.model_dump(include={"task", "acceptance", *({self.task} & {"relax", "md"})})
        return level_hash({"labels": settings_hash, **settings})

"""The job file of ``seireact-label``: which calculator, and what to do with the frames."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.md import MdSettings
from aiida_seireact.formats.labels import AcceptanceSettings, level_hash

Task = Literal["label", "relax", "md", "isolated_atoms"]
# What the programs of other codes have beside these is none of ASE's.
THERMOSTATS = ("langevin", "nose-hoover")


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
        if self.md is not None and self.md.thermostat not in THERMOSTATS:
            raise ValueError(f"thermostat is {' or '.join(THERMOSTATS)} here, not {self.md.thermostat}")
        if self.frames is None and (self.task != "isolated_atoms" or not self.species):
            raise ValueError(f"task {self.task} needs frames" + (" or species" * (self.task == "isolated_atoms")))
        return self

    def task_hash(self, settings_hash: str) -> str:
        """Return the sha256 of all that decides what comes of a start frame, but the frame itself.

        :param settings_hash: of the labels, see `level_hash`.
        """
        settings = self.model_dump(include={"task", "acceptance", *({self.task} & {"relax", "md"})})
        return level_hash({"labels": settings_hash, **settings})

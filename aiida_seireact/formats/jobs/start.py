"""What is decided about a safe start of molecular dynamics, and about when it counts as one."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.lmp import ContactSettings, LmpJob, StopSettings
from aiida_seireact.science.start import StartLimits

Fraction = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Steps = Annotated[int, Field(ge=0)]


class GapSettings(Job):
    """Rigid shift of slabs along z, to the lowest energy of the model among a few gaps."""

    planes: list[Fraction] = Field(
        min_length=1,
        max_length=20,
        description="fractions of the cell's height at which it is opened, one in each gap; atoms above each plane "
        "move by the same shift, the cell grows by all of them. A slab may reach through the cell's boundary",
    )
    lowest_ang: float = Field(
        -0.8, le=0, description="closest shift tried; shifts that bring a pair below its limit are left out"
    )
    highest_ang: float = Field(1.2, ge=0, description="farthest shift tried")
    step_ang: float = Field(0.2, gt=0, description="0.2 Å: fine enough, what follows relaxes the rest")

    @model_validator(mode="after")
    def _sorted_and_few(self) -> Self:
        if sorted(set(self.planes)) != self.planes:
            raise ValueError("planes must rise from 0 to 1, each once")
        if (self.highest_ang - self.lowest_ang) / self.step_ang > 100:
            raise ValueError("more than 100 shifts: take larger steps, each costs an evaluation of the model")
        return self

    def shifts(self) -> list[float]:
        """Return the shifts in Å, ascending; the cell as it is, 0, is one of them."""
        below = int(-self.lowest_ang / self.step_ang + 1e-9)
        above = int(self.highest_ang / self.step_ang + 1e-9)
        return [round(number * self.step_ang, 6) for number in range(-below, above + 1)]


class RelaxSettings(Job):
    """Minimisation by LAMMPS; it is capped, since what counts is that nothing is left to explode."""

    iterations: Steps = Field(100, description="largest number of iterations; 0: left out")
    force_ev_per_ang: float = Field(0.1, ge=0, description="done when no atom feels a larger force")
    move_max_ang: PositiveFloat = Field(0.05, description="an atom moves no farther in one line search")


class HeightSettings(RelaxSettings):
    """Minimisation in which the height of the cell is free too, so that a gap closes or opens."""

    strain_max: float = Field(0.001, gt=0, lt=0.1, description="largest strain of one line search")


class LimitedSettings(Job):
    """First steps in which no atom moves far, whatever force it feels, at a low temperature."""

    steps: Steps = Field(200, description="0: left out")
    move_max_ang: PositiveFloat = Field(
        0.05, description="farthest an atom moves in one step; six times what a Li atom does in 2 fs at 50 K"
    )
    temperature_k: PositiveFloat = Field(50.0, description="of thermostat and velocities; the ramp begins here")
    damping_ps: PositiveFloat = Field(
        0.05, description="damping time of the Langevin thermostat: it takes heat away where it arises"
    )


class StartSettings(Job):
    """All stages of a start, in this order; ensemble, target and time step are those of the production run."""

    gap: GapSettings | None = Field(None, description="rigid shift of slabs, for cells whose slabs you can name")
    height: HeightSettings | None = Field(
        HeightSettings(), description="relaxes the cell's height together with the atoms; null: the height stays"
    )
    minimise: RelaxSettings | None = Field(RelaxSettings(), description="moves the atoms alone; null: left out")
    limited: LimitedSettings = Field(LimitedSettings(), description="first steps that are limited in length")
    ramp_steps: Steps = Field(1000, description="steps of the ramp to the production's temperature, in its ensemble")
    hold_steps: int = Field(500, gt=0, description="steps at the target; the checks are about their averages")
    seed: int = Field(1, gt=0, description="of velocities and of the Langevin thermostat")
    thermo_every: int = Field(10, gt=0)
    contacts: ContactSettings = Field(
        ContactSettings(), description="how near atoms may be in the structure that is given"
    )
    engine: LmpJob = Field(
        LmpJob(
            stop=StopSettings(
                volume_ratio_min=0.5, volume_ratio_max=2.0, hole_radius_max_ang=20.0, distance_min_ang=0.6
            )
        ),
        description="bounds that end the start at once: wider than those of a run, a gap is a hole that may close",
    )

    @field_validator("hold_steps")
    @classmethod
    def _enough_rows(cls, steps: int) -> int:
        if steps < 50:
            raise ValueError("averages over fewer than 50 steps tell nothing")
        return steps


class StartLimitSettings(Job):
    """Fields of :class:`aiida_seireact.science.start.StartLimits`, and how near atoms may be at the end."""

    volume_ratio_min: float = Field(StartLimits.volume_ratio_min, gt=0, le=1, description="of the given cell's volume")
    volume_ratio_max: float = Field(StartLimits.volume_ratio_max, ge=1, description="of the given cell's volume")
    stress_max_gpa: float = Field(
        StartLimits.stress_max_gpa, gt=0, description="farthest a mean stress may be from the target pressure"
    )
    temperature_error_max: float = Field(
        StartLimits.temperature_error_max, gt=0, lt=1, description="of the target, beyond its fluctuation"
    )
    energy_change_max_ev_per_atom: float = Field(
        StartLimits.energy_change_max_ev_per_atom, gt=0, description="from the minimum to the end, less 3/2 kT"
    )
    force_max_ev_per_ang: float = Field(
        StartLimits.force_max_ev_per_ang, gt=0, description="largest force component when all is minimised"
    )
    hole_radius_max_ang: float = Field(StartLimits.hole_radius_max_ang, gt=0, description="largest empty sphere")
    density_min_g_per_cm3: float | None = Field(None, gt=0, description="mean at the end; null: any")
    density_max_g_per_cm3: float | None = Field(None, gt=0, description="mean at the end; null: any")
    contacts: ContactSettings = Field(ContactSettings(), description="how near atoms may be at the end")

    def limits(self) -> StartLimits:
        """Return the limits themselves."""
        return StartLimits(**self.model_dump(exclude={"contacts"}))

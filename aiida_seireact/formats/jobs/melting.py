"""Settings of a melting temperature by coexistence: the cell, the temperatures, and how long each is run."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError, model_validator

from aiida_seireact.formats.jobs.base import Job, readable
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.science.validation.melting import ORDER_MIN

HELD = "held"
# Of the segments: filled in for each run, so that they can't be given.
FILLED = ("ensemble", "steps", "temperature_k", "temperature_end_k", "dump_every", "fixed", "groups")
MIN_FRAMES = 12


class MeltSettings(Job):
    """How the upper half is melted, while the lower one is held."""

    temperature_k: float = Field(gt=0, description="well above melting; the half is under pressure meanwhile")
    steps: int = Field(ge=100, description="until nothing of the crystal is left in it")


class MeltingSettings(Job):
    """What is run, and until when."""

    repeat: tuple[int, int, int] = Field(
        description="of the crystal's cell; the interface is normal to the third axis, whose number is even"
    )
    species: tuple[str, ...] = Field((), description="elements whose lattice tells crystal from melt; none: all")
    expansion: float = Field(1.06, ge=1, description="of the half that melts, along the third axis")
    low_k: float = Field(gt=0, description="the crystal must grow here")
    high_k: float = Field(gt=0, description="and melt here")
    tolerance_k: float = Field(gt=0, description="half width of a bracket that is narrow enough")
    at_once: int = Field(2, ge=1, description="temperatures a round, evenly within the bracket")
    rounds_max: int = Field(8, ge=1, description="then it ends without an answer")
    melt: MeltSettings = Field(description="of the upper half")
    steps: int = Field(ge=100, description="of each run at a temperature")
    frames: int = Field(30, ge=MIN_FRAMES, description="of each run that are looked at")
    order_min: float = Field(
        ORDER_MIN, gt=0, lt=1, description="order from which on a layer is crystalline, over that at rest"
    )
    segment: dict[str, Any] = Field(
        {}, description="settings of a segment (`md`: pair, pressure_gpa, timestep_fs, …) but what is said here"
    )

    @model_validator(mode="after")
    def _fit(self) -> MeltingSettings:
        if not self.low_k < self.high_k:
            raise ValueError(f"low_k {self.low_k:g} is not below high_k {self.high_k:g}")
        if self.steps < self.frames:
            raise ValueError(f"{self.steps} steps have no {self.frames} frames")
        if given := sorted(set(FILLED) & set(self.segment.get("md", {}))):
            raise ValueError(f"segment.md.{given[0]} is filled in for each run: leave it out")
        try:
            self.coexistence(self.low_k)
        except ValidationError as error:
            raise ValueError(f"segment does not fit: {readable(error)}") from None
        return self

    def melting_half(self, n_held: int) -> dict[str, Any]:
        """Return the settings of the run that melts the upper half.

        :param n_held: atoms of the lower one, the first of the structure.
        """
        return self._segment(
            ensemble="nvt",
            steps=self.melt.steps,
            temperature_k=self.melt.temperature_k,
            dump_every=self.melt.steps,
            fixed=HELD,
            groups={HELD: {"ids": [[1, n_held]]}},
        )

    def coexistence(self, temperature_k: float) -> dict[str, Any]:
        """Return the settings of the run at a temperature: each edge of the cell gives way to its own pressure."""
        every = self.steps // self.frames
        return self._segment(
            ensemble="npt", barostat="aniso", steps=self.steps, temperature_k=temperature_k, dump_every=every
        )

    def _segment(self, **md: Any) -> dict[str, Any]:
        settings = {**self.segment, "retrieve_dump": True, "md": {**self.segment.get("md", {}), **md}}
        found: dict[str, Any] = SegmentSettings.model_validate(settings).model_dump(mode="json")
        return found

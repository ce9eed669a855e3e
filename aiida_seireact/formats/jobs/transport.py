"""The sections of the job file of ``seireact-analyse`` on how atoms move."""

from __future__ import annotations

from typing import Literal, Self

from ase.data import atomic_numbers
from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.science.template_limit import RMSD_MAX

BY = Literal["phase", "slab", "both", "none"]


class MovingSpecies(Job):
    """Elements that are followed."""

    species: tuple[str, ...] | None = Field(None, description="elements; null: all present")

    @field_validator("species")
    @classmethod
    def _species_known(cls, species: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for symbol in species or ():
            if symbol not in atomic_numbers:
                raise ValueError(f"{symbol!r} is no element symbol")
        return species


class Fitted(Job):
    """Stretches of time and lags that slopes are fitted to."""

    first_lag: float = Field(0.1, gt=0, lt=1, description="shortest lag that is fitted, over the length of a stretch")
    last_lag: float = Field(0.5, gt=0, lt=1, description="longest lag that is fitted, over the length of a stretch")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.last_lag <= self.first_lag:
            raise ValueError("last_lag is longer than first_lag")
        return self


class DiffusionSettings(MovingSpecies, Fitted):
    """Self-diffusion of each element, in all directions, in the plane and out of it, with intervals."""

    n_blocks: int = Field(5, ge=2, description="stretches of time that the error is from")
    hop_ang: float = Field(3.0, gt=0, description="length of a hop, for the smallest coefficient that can be told")


class WindowSettings(MovingSpecies, Fitted):
    """Displacements after chosen times, of atoms by their phase, slab or both at that time."""

    at_ps: tuple[float, ...] | None = Field(
        None, description="times, from the first frame, that windows begin at; null: windows in a row fill the run"
    )
    length_ps: float = Field(gt=0, description="length of a window")
    by: BY = Field("both", description="what tells groups: phase (needs labels), slab along z, both, or none")
    phase_from: Literal["labels", "ptm"] = Field(
        "labels", description="what a phase is: labels of seireact-classify, or bcc, hcp, fcc by OVITO's templates"
    )
    rmsd_max: float = Field(RMSD_MAX, gt=0, description="of the templates, with phase_from ptm; as of ptm")
    n_slabs: int = Field(10, ge=1, description="slabs along z")
    n_lags: int = Field(100, ge=10, description="lags of a window, at most; evenly spread")
    temperature_k: float | None = Field(
        None, gt=0, description="for Onsager coefficients of each group; null: none are computed"
    )


class JumpSettings(MovingSpecies):
    """Atoms that go far within a time."""

    species: tuple[str, ...] | None = Field(("Li",), description="elements; null: all present")
    within_ps: float = Field(gt=0, description="the time; the paper: 5000")
    longer_than_ang: float = Field(10.0, gt=0, description="the distance")
    at_ps: tuple[float, ...] | None = Field(
        None, description="times, from the first frame, that it begins at; null: one after the other over the run"
    )


class OnsagerSettings(Fitted):
    """Transport coefficients of all elements with cross terms, in the frame of the centre of mass of the cell."""

    temperature_k: float = Field(gt=0, description="of the run, in the mean")
    charges: dict[str, float] | None = Field(
        None, description="formal charge of each element, e, for conductivity and Haven ratio; null: neither"
    )
    n_blocks: int = Field(10, ge=2, description="stretches of time that the error is from")

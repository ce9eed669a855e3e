"""Settings of what is done to datasets and shards: filter, drop doubles, thin out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.select import DifferenceSettings
from aiida_seireact.science.curation import same_formula


class FilterSettings(Job):
    """Which frames stay. What is not given is not looked at."""

    max_force_ev_per_ang: float | None = Field(None, gt=0, description="largest force on an atom, eV/Å")
    min_distance_ang: float | None = Field(None, gt=0, description="smallest distance between two atoms, Å")
    volume_per_atom_ang3: tuple[float, float] | None = Field(
        None, description="smallest and largest volume an atom, Å³"
    )
    species: tuple[str, ...] | None = Field(None, description="frames with another species leave")
    formulas: tuple[str, ...] | None = Field(None, description="only frames of these compositions stay, e.g. Li2S")
    config_types: tuple[str, ...] | None = Field(None, description="only frames of these config types stay")
    flag_beyond: float = Field(
        6.0, gt=0, description="robust standard deviations from the median of its type at which a frame is flagged"
    )

    @field_validator("formulas")
    @classmethod
    def _written_one_way(cls, formulas: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if formulas is None else tuple(same_formula(formula) for formula in formulas)

    @model_validator(mode="after")
    def _volumes_are_in_order(self) -> FilterSettings:
        volumes = self.volume_per_atom_ang3
        if volumes is not None and not 0 <= volumes[0] < volumes[1]:
            raise ValueError(f"volume_per_atom_ang3 is {volumes}: give the smaller one first")
        return self


class UniqueSettings(Job):
    """When two frames are one: always with the same structure; with ``closest`` also nearly the same."""

    closest: float | None = Field(
        None, gt=0, lt=1, description="relative distance of descriptors below which frames of a composition are doubles"
    )
    difference: DifferenceSettings = Field(DifferenceSettings(), description="descriptor that is compared")


class ThinSettings(Job):
    """How many frames are left, as unlike each other as can be."""

    count: int = Field(ge=1, description="frames of each config type that are left")
    seed: int = Field(ge=0, description="chooses the first frame of each config type")
    splits: tuple[Literal["train", "val", "test"], ...] = Field(
        ("train",), min_length=1, description="parts of a dataset that are thinned out; the others stay whole"
    )
    difference: DifferenceSettings = Field(DifferenceSettings(), description="descriptor that is compared")

"""The job file of ``seireact-build``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.recipe import Recipe

Output = Literal["lammps", "frames"]


class OutputSettings(Job):
    """Which files a cell becomes."""

    outputs: tuple[Output, ...] = Field(
        ("lammps", "frames"), min_length=1, description="lammps: cell.data, to start MD from; frames: cell.npz"
    )
    species: tuple[str, ...] = Field(
        (), description="element of each LAMMPS type, in order; empty: those of the cell, by atomic number"
    )

    @field_validator("outputs", "species")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a name stands there twice")
        return names


class BuildJob(OutputSettings):
    """A recipe and what is made of it."""

    recipe: Recipe = Field(description="all that decides the cell, see `aiida-seireact build`")

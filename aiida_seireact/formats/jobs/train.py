"""The job file of ``seireact-train``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.science.metrics import ALL


class TrainJob(Job):
    """What to learn from, how, and what to start from."""

    train: str = Field("train.extxyz", description="labelled frames to learn from (.extxyz or .npz)")
    val: str = Field("val.extxyz", description="labelled frames that choose the best epoch")
    test: dict[str, str] = Field({}, description="{config type: file} of frames only for the errors reported")
    settings: TrainSettings = Field(TrainSettings(), description="network and schedule, see formats/train_settings")
    species: list[str] | None = Field(None, description="type names in the model's order; default: as in `train`")
    shifts: dict[str, float] | None = Field(None, description="energy of each species, eV per atom")
    parent: str | None = Field(None, description="package to start from (warm start); it is tested on the same frames")
    checkpoint: str | None = Field(None, description="checkpoint.zip of an earlier job of this training, to go on from")
    overrides: dict[str, Any] = Field({}, description="merged into nequip's configuration, at any depth")
    num_threads: int = Field(1, ge=1, description="threads; one gives the same model twice")

    @field_validator("species")
    @classmethod
    def _species_are_distinct(cls, species: list[str] | None) -> list[str] | None:
        if species is not None and (not species or len(set(species)) < len(species)):
            raise ValueError("give each species once")
        return species

    @model_validator(mode="after")
    def _sets_are_apart(self) -> TrainJob:
        if self.train == self.val or self.train in self.test.values():
            raise ValueError(f"{self.train} is both learned from and tested on: give separate files")
        if ALL in self.test:
            raise ValueError(f"{ALL!r} is the row over all test frames and can't name a config type")
        return self

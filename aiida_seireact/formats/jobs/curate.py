"""The job file of ``seireact-curate``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.datasets import FilterSettings, ThinSettings, UniqueSettings

Split = Literal["train", "val", "test"]


class CurateSettings(Job):
    """What is done to frames: the steps that are given, in this order, each to the frames that the one before left."""

    filter: FilterSettings | None = Field(None, description="frames beyond these limits leave")
    unique: UniqueSettings | None = Field(None, description="each structure stays once")
    thin: ThinSettings | None = Field(None, description="of each config type so many stay, unlike each other")

    @model_validator(mode="after")
    def _something_is_done(self) -> CurateSettings:
        if self.filter is None and self.unique is None and self.thin is None:
            raise ValueError(
                "nothing is to be done: give filter, unique or thin, for example thin: {count: 500, seed: 1}"
            )
        return self

    @property
    def needs_descriptors(self) -> bool:
        """Whether frames are compared, and not only looked at one by one."""
        return self.thin is not None or (self.unique is not None and self.unique.closest is not None)


class CurateJob(CurateSettings):
    """Which frames, and what is done to them."""

    frames: tuple[str, ...] | dict[Split, tuple[str, ...]] = Field(
        min_length=1, description="frames files (.npz, or .extxyz), of a dataset by train, val and test"
    )

"""Settings of a study that belong to no program: how the dataset is split, who makes the reference runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job

Share = Annotated[float, Field(gt=0, lt=1)]


class SplitSettings(Job):
    """How frames are divided, by whole groups and each config type by itself."""

    fractions: tuple[Share, Share, Share] = Field(description="shares of training, validation and test")
    seed: int = Field(ge=0, description="of the split")

    @model_validator(mode="after")
    def _shares_are_whole(self) -> SplitSettings:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions of training, validation and test sum to {sum(self.fractions):g}, not to 1")
        return self


class DatasetSettings(SplitSettings):
    """Which labelled frames are learned from."""

    force_limit_ev_per_ang: float = Field(gt=0, description="frames with a larger force stay out, eV/Å")


class ReferenceSettings(Job):
    """Who makes the reference run of each phase."""

    phases: tuple[str, ...] = Field(min_length=1, description="phases the classifier may name")
    force_error_limit: float = Field(gt=0, description="largest force error, of the rms force, that the model may have")
    source: dict[str, Literal["model", "labeller"]] = Field({}, description="phases where you decide")

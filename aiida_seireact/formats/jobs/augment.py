"""Settings of augmentation that belong to no program: which of the new labels are learned, and how many rounds."""

from __future__ import annotations

from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job


class ExtendSettings(Job):
    """How labelled frames of a model's own runs enter its dataset."""

    force_limit_ev_per_ang: float = Field(gt=0, description="frames with a larger force stay out, eV/Å")
    val_blocks: int = Field(
        0,
        ge=0,
        description="of each run so many of its learned blocks, those before the last, choose the epoch instead",
    )
    min_learned: int = Field(16, ge=1, description="fewer frames to learn from are refused")
    min_held_out: int = Field(8, ge=1, description="fewer frames held out are refused")


# Link creation is quadratic, and what tells of the rounds takes three nodes of each.
MAX_ROUNDS = 20


class RoundsSettings(Job):
    """How many rounds there are; a verdict that says production ends them early."""

    min_rounds: int = Field(1, ge=1, le=MAX_ROUNDS, description="rounds even if the verdict says production before")
    max_rounds: int = Field(1, ge=1, le=MAX_ROUNDS, description="rounds at most")
    max_labels: int | None = Field(None, ge=1, description="no round begins that could ask for more labels in all")

    @model_validator(mode="after")
    def _most_is_not_less_than_least(self) -> RoundsSettings:
        if self.max_rounds < self.min_rounds:
            raise ValueError(f"max_rounds {self.max_rounds} is below min_rounds {self.min_rounds}")
        return self

    def has_room(self, n_rounds: int, n_labels: int, n_asked: int) -> bool:
        """Tell whether a further round, which asks for ``n_asked`` labels, is within the budget."""
        return n_rounds < self.max_rounds and (self.max_labels is None or n_labels + n_asked <= self.max_labels)

"""Settings of augmentation that belong to no program: which of the new labels are learned."""

from __future__ import annotations

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job


class ExtendSettings(Job):
    """How labelled frames of a model's own runs enter its dataset."""

    force_limit_ev_per_ang: float = Field(gt=0, description="frames with a larger force stay out, eV/Å")
    val_blocks: int = Field(
        0, ge=0, description="of each run so many of its learned blocks, the last, choose the epoch instead"
    )
    min_learned: int = Field(16, ge=1, description="fewer frames to learn from are refused")
    min_held_out: int = Field(8, ge=1, description="fewer frames held out are refused")

"""Settings of closing the loop: when what is unknown in a run is learned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job


class CloseLoopSettings(Job):
    """How much may be unknown, of what and when."""

    run: str = Field("production", description="name of the run among the cells of `augment`")
    unknown_limit: float = Field(0.02, ge=0, le=1, description="so large a part of unknown environments is left alone")
    of: Literal["interphase", "all"] = Field(
        "interphase", description="part of what: environments that are neither metal nor electrolyte, or all"
    )
    when: Literal["first_tenth", "last_tenth", "whole_run"] = Field("whole_run", description="part of which frames")

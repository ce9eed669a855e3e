"""Settings of exploration that belong to no program: conditions, first frames to learn, how far a campaign goes."""

from __future__ import annotations

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.flare import LegSettings

# Link creation is quadratic: what tells of a campaign takes three nodes of each leg.
MAX_LEGS = 40
MAX_CONDITIONS = 64


class CampaignSettings(Job):
    """How far learning goes under one condition."""

    max_legs: int = Field(
        5, ge=1, le=MAX_LEGS, description="legs of MD; each but the last is followed by learning its labels"
    )


class SeedSettings(Job):
    """What a campaign knows before its first leg, chosen from the first labelled frames."""

    types: tuple[str, ...] = Field(min_length=1, description="config types to choose from")
    count: int = Field(10, ge=1, description="frames, spread evenly over their order by volume per atom")
    force_limit_ev_per_ang: float | None = Field(
        None, gt=0, description="frames with a larger force are not chosen, eV/Å; none: no limit"
    )


class ConditionSettings(Job):
    """One condition: which cell, what is known at first, how far, and the settings of its legs."""

    system: str = Field(description="name of the cell it starts from")
    seeds: SeedSettings = Field(description="the first labelled frames to learn")
    campaign: CampaignSettings = Field(CampaignSettings(), description="how many legs")
    leg: LegSettings = Field(description="ensemble, temperature, thresholds, GP")


class LimitSettings(Job):
    """What an exploration may lose."""

    max_failed: int = Field(0, ge=0, description="campaigns that may fail; the frames of a failed one are never used")

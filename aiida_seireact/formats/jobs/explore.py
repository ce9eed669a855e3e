"""Settings of exploration that belong to no program: conditions, first frames to learn, how far a campaign goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.convergence import ConvergenceLimits

# Link creation is quadratic: the last leg takes a node of labels of each leg before it.
MAX_LEGS = 100
MAX_CONDITIONS = 64
# Five nodes each.
MAX_RUNGS = 20

OF_LIMITS = ConvergenceLimits()


class ConvergenceSettings(Job):
    """Fields of :class:`aiida_seireact.science.convergence.ConvergenceLimits`; all are ours, no paper has any."""

    quiet_share: float = Field(
        OF_LIMITS.quiet_share,
        gt=0,
        le=1,
        description="share of the steps of the condition without a call that is quiet",
    )
    quiet_ratio: float = Field(
        OF_LIMITS.quiet_ratio,
        gt=0,
        description="where intervals do not grow: so many times the median interval is quiet at the least",
    )
    canary_ratio_max: float = Field(
        OF_LIMITS.canary_ratio_max, gt=0, description="largest force error on the last new labels, of their rms force"
    )
    rank_correlation_min: float = Field(
        OF_LIMITS.rank_correlation_min,
        ge=-1,
        le=1,
        description="least rank correlation of uncertainty and force error of an atom",
    )
    window: int = Field(
        OF_LIMITS.window, ge=1, le=8, description="calls, and labels, at the end that are compared with as many first"
    )
    restless_steps: int = Field(
        OF_LIMITS.restless_steps, ge=0, description="median of the last intervals up to which it calls all the time"
    )
    growth_min: float = Field(
        OF_LIMITS.growth_min, gt=0, description="last intervals over first ones from which on they grow"
    )
    fall_max: float = Field(OF_LIMITS.fall_max, gt=0, description="last canary over first up to which it falls")

    @property
    def limits(self) -> ConvergenceLimits:
        """The limits as the verdict takes them."""
        return ConvergenceLimits(**self.model_dump())


class CampaignSettings(Job):
    """How far learning goes under one condition."""

    max_legs: int = Field(
        5, ge=1, le=MAX_LEGS, description="legs of MD; each but the last is followed by learning its labels"
    )
    max_labels: int | None = Field(
        None, ge=1, description="frames to label at most: a leg that asks for more ends the campaign; null: no limit"
    )
    max_detours: int = Field(
        2, ge=0, description="how many times a leg is run anew, by another way, for want of the label it asked for"
    )
    stop_when_converged: bool = Field(True, description="end when learning has converged, though steps are left")
    stop_when_hopeless: bool = Field(True, description="end when further labels would be burnt")
    convergence: ConvergenceSettings = Field(ConvergenceSettings(), description="limits of the verdict")


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
    strain: float = Field(
        0.0, gt=-0.5, le=1.0, description="by which each length of the cell is changed at the start: 0.05 is 5 % longer"
    )
    after: str | None = Field(
        None, description="name of the condition that must have been stable before this one begins; null: none"
    )
    seeds: SeedSettings = Field(description="the first labelled frames to learn")
    campaign: CampaignSettings = Field(CampaignSettings(), description="how many legs and labels, and when to end")
    leg: LegSettings = Field(description="ensemble, temperature, thresholds, GP")


class LimitSettings(Job):
    """What an exploration may lose."""

    max_failed: int = Field(0, ge=0, description="campaigns that may fail; the frames of a failed one are never used")


def ladders(after: Mapping[str, str | None]) -> list[list[str]]:
    """Return the conditions in ladders: those connected by ``after``, each behind the one it waits for.

    Within a ladder, and among ladders, in alphabetical order where nothing else orders them.

    :param after: for each condition the one it waits for.
    :raises ValueError: it waits for one that is not there, or in a circle.
    """
    for name, below in sorted(after.items()):
        if below is not None and below not in after:
            known = ", ".join(sorted(set(after) - {name})) or "no other"
            raise ValueError(f"condition {name!r} waits for {below!r}, which is none of them: there is {known}")
        if circle := _circle(name, after):
            raise ValueError(
                f"conditions wait for each other: {' after '.join(circle)}; one of them must wait for none"
            )
    found = []
    for root in sorted(name for name, below in after.items() if below is None):
        ladder = [root]
        for rung in ladder:
            ladder += sorted(name for name, below in after.items() if below == rung)
        found.append(ladder)
    return found


def _circle(name: str, after: Mapping[str, str | None]) -> Sequence[str]:
    """Return the way from a condition back to itself; empty if there is none."""
    way = [name]
    while (below := after.get(way[-1])) is not None:
        if below in way:
            return [*way[way.index(below) :], below]
        way.append(below)
    return ()

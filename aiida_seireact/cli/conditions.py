"""How far on-the-fly learning is, condition by condition, read from the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida.orm import CalcJobNode, Dict, QueryBuilder, WorkflowNode

from aiida_seireact.query.family import LEARNING, Member

CAMPAIGN = "CampaignWorkChain"
PREFIX = "campaign_"


@dataclass(frozen=True)
class ConditionNow:
    """One condition of on-the-fly learning at this moment."""

    name: str
    state: str
    n_legs: int
    """Legs that ended well."""
    step: int
    """MD step reached by the last of them."""
    steps: int | None
    """MD steps asked for; None where not known."""
    n_calls: int
    """Legs ended by the threshold, each a call for a label."""


def conditions_now(members: Sequence[Member]) -> tuple[ConditionNow, ...]:
    """Return the conditions of a family, in the order they were begun."""
    by_pk = {member.pk: member for member in members}
    legs: dict[int, list[int]] = {member.pk: [] for member in members if member.name == CAMPAIGN}
    if not legs:
        return ()
    for member in members:
        if member.process_type == LEARNING and member.is_ok:
            above: Member | None = member
            while above is not None and above.pk not in legs:
                above = by_pk.get(above.caller or 0)
            if above is not None:
                legs[above.pk].append(member.pk)
    found = _legs([pk for jobs in legs.values() for pk in jobs])
    asked = _steps_asked(list(legs))
    conditions = []
    for pk, jobs in legs.items():
        ended = [found[job] for job in jobs if job in found]
        conditions.append(
            ConditionNow(
                name=by_pk[pk].call_label.removeprefix(PREFIX) or by_pk[pk].name,
                state=by_pk[pk].state,
                n_legs=len(ended),
                step=max((step for _, step in ended), default=0),
                steps=asked.get(pk),
                n_calls=sum(status == "unsure" for status, _ in ended),
            )
        )
    return tuple(conditions)


def _legs(jobs: list[int]) -> dict[int, tuple[str, int]]:
    """Return for each leg how it ended and at which MD step."""
    if not jobs:
        return {}
    query = QueryBuilder().append(CalcJobNode, filters={"id": {"in": jobs}}, project="id", tag="job")
    query.append(
        Dict,
        with_incoming="job",
        edge_filters={"type": "create", "label": "leg"},
        project=["attributes.status", "attributes.step"],
    )
    return {pk: (str(status), int(step or 0)) for pk, status, step in query.all()}


def _steps_asked(campaigns: list[int]) -> dict[int, int]:
    query = QueryBuilder().append(WorkflowNode, filters={"id": {"in": campaigns}}, project="id", tag="campaign")
    query.append(
        Dict,
        with_outgoing="campaign",
        edge_filters={"label": "parameters"},
        project="attributes.steps",
    )
    return {pk: int(steps) for pk, steps in query.all() if steps is not None}

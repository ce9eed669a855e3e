"""What an exploration would do, before it is submitted: conditions, ladders, labels, hours, and what that assumes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aiida_seireact.formats.jobs.explore import ConditionSettings, ladders

FS_PER_NS = 1e6
# Measured with 26 to 54 atoms and up to 900 environments, one thread: 0.1 ms (bcc Li) to 0.4 ms (four species).
MD_SECONDS = 4e-4
# "A few tens to a few hundred" calls a ns, arXiv:2506.10944.
CALLS_PER_NS = (30, 300)


@dataclass(frozen=True)
class Expectation:
    """What one condition may cost.

    :param labels: fewest and most frames to label.
    :param md_hours: CPU-hours of MD, if all steps are made.
    """

    labels: tuple[int, int]
    md_hours: float


def expect(condition: ConditionSettings, n_atoms: int) -> Expectation:
    """Return what a condition may cost."""
    leg, campaign = condition.leg, condition.campaign
    ns = leg.steps * leg.timestep_fs / FS_PER_NS
    beside = leg.steps // leg.label_every if leg.label_every else 0
    fewest, most = (min(campaign.max_legs, max(1, math.ceil(calls * ns))) for calls in CALLS_PER_NS)
    if leg.label_every:
        # A run so short that frames along it are worth a label asks far more often: every 13 to 26 steps.
        most = campaign.max_legs
    limit = campaign.max_labels or fewest + most + beside
    return Expectation(
        (min(limit, fewest + beside), min(limit, most + beside)), leg.steps * n_atoms * MD_SECONDS / 3600
    )


def climbing(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return overrides by which each temperature begins after the one below it, of the same cell, strain and pressure.

    Of several conditions at the temperature below, which differ by their seeds or settings, the first by name counts.

    :param conditions: of a protocol, by name.
    """
    ladders_of: dict[tuple[Any, ...], dict[float, list[str]]] = {}
    for name, given in sorted(conditions.items()):
        one = ConditionSettings.model_validate(given)
        same = (one.system, one.strain, one.leg.ensemble, one.leg.pressure_gpa)
        ladders_of.setdefault(same, {}).setdefault(one.leg.temperature_k, []).append(name)
    return {
        name: {"after": below[0]}
        for rungs in ladders_of.values()
        for below, names in pairwise(rungs[temperature] for temperature in sorted(rungs))
        for name in names
    }


def plan_lines(
    conditions: Mapping[str, ConditionSettings], n_atoms: Mapping[str, int], label_hours: float | None
) -> Iterator[str]:
    """Return what would be done, line by line.

    :param n_atoms: of each cell.
    :param label_hours: CPU-hours of one label; None: not known.
    """
    found = {name: expect(one, n_atoms[one.system]) for name, one in conditions.items()}
    yield from table(
        ("condition", "cell", "from", "ns", "legs", "labels", "MD CPU-h"),
        [
            (
                name,
                f"{one.system}, {n_atoms[one.system]} atoms",
                target(one),
                f"{one.leg.steps * one.leg.timestep_fs / FS_PER_NS:g}",
                f"{one.campaign.max_legs}",
                between(found[name].labels),
                f"{found[name].md_hours:.2g}",
            )
            for name, one in conditions.items()
        ],
    )
    yield from ladder_lines(conditions)
    fewest, most = (sum(one.labels[end] for one in found.values()) for end in (0, 1))
    hours = sum(one.md_hours for one in found.values())
    labelling = "" if label_hours is None else f", {between_hours(fewest * label_hours, most * label_hours)} of labels"
    yield f"In all {between((fewest, most))} labels, {hours:.2g} CPU-hours of MD{labelling}"
    yield (
        f"Assumed: {MD_SECONDS * 1000:g} ms an atom and step on one core, all steps made; "
        f"{CALLS_PER_NS[0]} to {CALLS_PER_NS[1]} calls a ns (arXiv:2506.10944), within max_legs and max_labels; "
        "frames labelled along the way on top. Learning itself, and queues, are not counted."
        + (" --label-hours H counts the labels in too." if label_hours is None else "")
    )


def ladder_lines(conditions: Mapping[str, ConditionSettings]) -> Iterator[str]:
    """Say what begins at once and what waits for what."""
    after = {name: one.after for name, one in conditions.items()}
    at_once = [name for name, below in after.items() if below is None]
    yield f"At once, side by side: {', '.join(at_once)}"
    for ladder in ladders(after):
        for name in ladder[1:]:
            yield f"{name}: only after {after[name]} was stable"


def target(condition: ConditionSettings) -> str:
    """Return ensemble, temperature, pressure and strain in words."""
    leg = condition.leg
    words = f"{leg.ensemble.upper()} {leg.temperature_k:g} K"
    words += f" {leg.pressure_gpa:g} GPa" if leg.ensemble == "npt" else ""
    return words + (f", cell {condition.strain:+.3g}" if condition.strain else "")


def between(numbers: tuple[int, int]) -> str:
    """Return a range of whole numbers."""
    return f"{numbers[0]:,}" if numbers[0] == numbers[1] else f"{numbers[0]:,} to {numbers[1]:,}"


def between_hours(fewest: float, most: float) -> str:
    """Return a range of hours."""
    return f"{most:.2g}" if fewest == most else f"{fewest:.2g} to {most:.2g}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return a table as lines, numbers to the right."""
    cells = [tuple(titles), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    for row in cells:
        left = "  ".join(text.ljust(width) for text, width in zip(row[:3], widths[:3], strict=True))
        right = "  ".join(text.rjust(width) for text, width in zip(row[3:], widths[3:], strict=True))
        yield f"{left}  {right}"

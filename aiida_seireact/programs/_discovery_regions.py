"""Regions: groups of one structure type together, since a mixed crystal falls into a cluster for each anion shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.programs import _discovery_groups as counted
from aiida_seireact.programs._discovery_groups import Groups, Look
from aiida_seireact.programs._discovery_names import SHOWN, named, nearest_curve, scaled
from aiida_seireact.science.discovery import known, shells
from aiida_seireact.science.discovery.composition import formula
from aiida_seireact.science.discovery.spatial import segregation

FloatArray = NDArray[np.float64]
ANTIFLUORITE = "antifluorite"
SULFUR = atomic_numbers["S"]


def regions(
    rows: Sequence[Mapping[str, Any]],
    groups: Groups,
    seen: Look,
    centre: str,
    elements: Sequence[int],
    ends: Mapping[int, shells.Cutoff],
    crystals: Sequence[known.Known],
    settings: DiscoverSettings,
) -> tuple[list[dict[str, Any]], list[tuple[FloatArray, FloatArray]]]:
    """Join groups of one structure type, where an unknown one is among them, and tell what they are together.

    Antifluorites are joined also where all have names: whether their all-sulfur environments sit together is not
    answered by a name. All of it is of the last frame looked at.

    :param rows: what was told of each group.
    :returns: what is told of each region, and its diffraction pattern with the nearest known one.
    """
    kinds = sorted(
        {
            row["structure_type"]
            for row in rows
            if row.get("structure_type") and (row["kind"] != "known" or row["structure_type"] == ANTIFLUORITE)
        }
    )
    found, patterns = [], []
    for kind in kinds:
        joined = [number for number, row in enumerate(rows) if row.get("structure_type") == kind]
        members = np.isin(seen.group, joined)
        if members.sum() < settings.fewest:
            continue
        centres = seen.centres[members]
        some = centres
        if len(some) > settings.most_centres:
            some = np.random.default_rng(settings.seed).choice(some, settings.most_centres, replace=False)
        counts = shells.distance_counts(seen.frame, some, elements, settings.r_max_ang, counted.N_BINS)
        sharpness = seen.recurrence.crystallinity(centres)
        value = sharpness.value if sharpness.n_centres else None
        curve = counted.diffraction(seen, members, centre, settings)
        amounts = seen.amounts(members, centre)
        near, diffracted, suggestion = named(
            amounts, centre, known.by_kind(counts, elements, centre), len(some), curve, value, crystals, settings
        )
        unknown = np.isin(seen.group, [n for n in joined if rows[n]["kind"] != "known"])
        found.append(
            {
                "structure_type": kind,
                "like": kind if kind[:1].islower() else rows[joined[0]]["crystal"],
                "groups": [rows[number]["id"] for number in joined],
                "unknown_clusters": [rows[n]["cluster"] for n in joined if rows[n]["kind"] == "unknown"],
                "step": int(seen.snapshot.step),
                "n_environments": int(members.sum()),
                "share_of_all": float(members.sum() / len(seen.centres)),
                "unknown_share": float(unknown.sum() / members.sum()),
                "name": suggestion.name,
                "reason": suggestion.reason,
                "composition": amounts,
                "formula": formula(amounts, centre),
                "crystallinity": {"value": value, "n_centres": sharpness.n_centres},
                "nearest_by_distances": [asdict(item) for item in near[:SHOWN]],
                "nearest_by_diffraction": [asdict(item) for item in diffracted[:SHOWN]],
                "sulfur": _sulfur(seen, members, ends, centre, settings) if kind == ANTIFLUORITE else None,
            }
        )
        patterns.append((scaled(curve), nearest_curve(diffracted, crystals, settings)))
    # What holds most that is unknown comes first.
    order = sorted(range(len(found)), key=lambda n: -found[n]["unknown_share"] * found[n]["n_environments"])
    return [found[n] for n in order], [patterns[n] for n in order]


def _sulfur(
    seen: Look, members: NDArray[np.bool_], ends: Mapping[int, shells.Cutoff], centre: str, settings: DiscoverSettings
) -> dict[str, Any] | None:
    """Hold environments of four sulfur against a random mixture of the region's anions; None without any."""
    number = atomic_numbers[centre]
    if number not in ends:
        return None
    rows = seen.centres[members]
    place = np.full(len(seen.frame.numbers), -1)
    place[rows] = np.arange(len(rows))
    first, neighbour, _ = seen.frame.within(rows, ends[number].radius_ang)
    second = place[neighbour]
    # Each pair once; a pair that is joined through the boundary of a small cell twice is one pair, too.
    pairs = np.unique(np.stack([first, second], axis=1)[(second > first)], axis=0)
    test = segregation(
        seen.shells[members], seen.frame.numbers, pairs, kind=SULFUR, n_permutations=settings.n_permutations,
        seed=settings.seed,
    )  # fmt: skip
    if test is None:
        return None
    return {
        **asdict(test),
        "meaning": (
            f"Share of {centre} with four S among those with four anions, beside x_S⁴ of a random mixture of the "
            "region's anions; p is small where those environments sit together more than such a mixture has them."
        ),
    }

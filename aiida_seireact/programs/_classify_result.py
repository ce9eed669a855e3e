"""What ``seireact-classify`` tells of a run: fractions of what, when, and by which stage; the profile; z varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.environments import STAGES, Course
from aiida_seireact.programs._classify_assign import tenth_of
from aiida_seireact.science.labelling import same_neighbours_expectation

ANIONS = ("S", "P", "Cl")


def facts_of_course(
    course: Course,
    chunks: Sequence[Mapping[str, Any]],
    *,
    centre: str,
    metal: Sequence[str],
    electrolyte: Sequence[str],
) -> dict[str, Any]:
    """Return the numbers of a whole run.

    :param chunks: of the labels, where they do not lie in one file.
    :param metal: labels that are no interphase, nor are those of `electrolyte`.
    """
    names = course.label_names.tolist()
    outside = [number for number, name in enumerate(names) if name in {*metal, *electrolyte}]
    inside = [number for number in range(len(names)) if number not in outside]
    tenth = tenth_of(len(course.steps))
    heights = course.heights_ang[-tenth:]
    last = course.slabs[-tenth:].sum(axis=0)
    return {
        "of": f"{centre} environments of the whole cell",
        "n_frames": len(course.steps),
        "n_environments": course.n_environments,
        "first_step": int(course.steps[0]),
        "last_step": int(course.steps[-1]),
        "phase_fractions": _periods(course, names, range(len(names))),
        "core_fractions": _periods(course, names, range(len(names)), core=True),
        "interphase": {
            "of": f"{centre} environments whose label is not "
            + (" or ".join(names[number] for number in outside) or "metal or electrolyte; no such label is there"),
            "metal": list(metal),
            "electrolyte": list(electrolyte),
            "n_environments": {
                name: int(course.counts[frames][:, inside].sum()) for name, frames in _frames(course).items()
            },
            "phase_fractions": _periods(course, names, inside),
            "core_fractions": _periods(course, names, inside, core=True),
        },
        "stages": {
            name: {stage: int(count) for stage, count in zip(STAGES, course.counts[:, number].sum(axis=0), strict=True)}
            for number, name in enumerate(names)
        },
        "profile_last_tenth": {
            "bin_width_ang": float(heights.mean()) / course.slabs.shape[2],
            "counts": {name: last[row].tolist() for row, name in enumerate(names)},
        },
        "labels": {"content_hash": course.content_hash, "chunks": [dict(chunk) for chunk in chunks]},
    }


def _frames(course: Course) -> dict[str, slice]:
    tenth = tenth_of(len(course.steps))
    return {"whole_run": slice(None), "first_tenth": slice(None, tenth), "last_tenth": slice(-tenth, None)}


def _periods(
    course: Course, names: Sequence[str], among: Sequence[int], *, core: bool = False
) -> dict[str, dict[str, float]]:
    """Return the share of each label among some labels, in each period; 0 where there is nothing at all.

    :param core: count only what lies in the core of its cluster; the whole it is a share of is the same.
    """
    found = {}
    for period, frames in _frames(course).items():
        counts = course.counts[frames].sum(axis=(0, 2))
        total = max(1, int(counts[list(among)].sum()))
        counted = course.cores[frames].sum(axis=0) if core else counts
        found[period] = {names[number]: float(counted[number] / total) for number in among}
    return found


def null_expectation(numbers: NDArray[np.int64]) -> dict[str, Any] | None:
    """Return what a random antifluorite mixture of the cell's anions would show as Li2S; None without sulfur."""
    counts = {symbol: int((numbers == atomic_numbers[symbol]).sum()) for symbol in ANIONS}
    if not counts["S"]:
        return None
    share = counts["S"] / sum(counts.values())
    return {
        "x_s": share,
        "four_sulfur": same_neighbours_expectation(share),
        "meaning": (
            "Share of Li with four S neighbours if all anions of the cell lay at random on the sites of one "
            "antifluorite: that much 'Li2S' needs no Li2S domains."
        ),
    }

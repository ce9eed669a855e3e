"""What the unknown clusters of a classified run are: the part of ``seireact-classify`` that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.programs import _discovery_groups as counted
from aiida_seireact.programs._discovery_groups import Groups, Look, Measured
from aiida_seireact.programs._discovery_names import told_of
from aiida_seireact.programs._discovery_regions import regions
from aiida_seireact.programs._discovery_show import curves_of, cut_out
from aiida_seireact.science.analysis import height_along_z, z_fractions
from aiida_seireact.science.discovery import known, shells
from aiida_seireact.science.discovery.naming import REFERENCE

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[str], None]
LabelsOf = Callable[[int], tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]]
"""From the place of a frame in the stream to label and cluster of each centre, ``(n_centres,)`` each, in the order in
which the frame holds its centres."""
CLOSELY = 2
"""Frames in which crystallinity and diffraction of a group are measured: those with most of it."""


def discover(
    stream: FrameStream,
    labels_of: LabelsOf,
    *,
    names: Sequence[str],
    cluster_labels: Sequence[int],
    centre: str,
    settings: DiscoverSettings,
    folder: Path,
    progress: Progress,
    references: Mapping[str, FrameStream] | None = None,
) -> dict[str, Any]:
    """Tell of each unknown cluster, and of each known phase beside it, what it is.

    Writes ``discovery.npz`` (curves) and ``examples.npz`` (environments to look at, as a frames file) into `folder`.
    Few frames are read; of the others only the labels, for the appearance in time.

    :param stream: frames of the run, as they were classified.
    :param labels_of: labels and clusters of a frame.
    :param names: of the labels; 0 is unknown.
    :param cluster_labels: ``(n_clusters,)`` label of each cluster.
    :param centre: element of the centres.
    :param references: frames of the known phases, whose diffraction patterns are compared beside those of the library.
    :returns: what ``discovery.json`` holds, plain numbers and words; ``files`` names what was written.
    """
    groups = Groups(names, cluster_labels)
    n_frames = len(stream)
    in_time = np.stack(
        [np.bincount(groups.of(*labels_of(place)), minlength=len(groups)) for place in range(n_frames)], axis=1
    )
    late = _late(n_frames)
    # A few environments beyond a gate are told by number; more of them deserve a frame as an unknown cluster does.
    looked_for = [
        g.kind == "unknown" or (g.kind == "gated" and row.max() >= settings.fewest)
        for g, row in zip(groups.groups, in_time, strict=True)
    ]
    drawn = _drawn(in_time, looked_for, late, settings)
    closely = [_most(row, drawn) for row in in_time]
    measured = [Measured() for _ in groups.groups]
    enough = in_time[:, drawn].sum(axis=1) >= settings.fewest
    elements: list[int] = []
    ends: dict[int, shells.Cutoff] = {}
    slabs: list[tuple[IntArray, FloatArray, float]] = []
    of_group: list[list[Atoms]] = [[] for _ in groups.groups]
    examples: list[Atoms] = []
    last: Look | None = None
    for number, (place, snapshot) in enumerate(zip(drawn, stream.at(drawn), strict=True)):
        if not elements:
            elements = np.unique(snapshot.numbers).tolist()
            ends = counted.cutoffs(snapshot, centre, elements, settings)
        seen = counted.look(snapshot, groups.of(*labels_of(place)), centre, ends, settings)
        for row in np.flatnonzero(enough):
            members = seen.group == row
            if members.any():
                counted.measure(
                    measured[row], seen, members, centre, elements, ends, settings,
                    closely=place in closely[row], seed=(settings.seed, place, int(row)),
                )  # fmt: skip
                if place == closely[row][0]:
                    of_group[row] = cut_out(seen, members, groups.groups[row].id, centre, settings)
        if place in late:
            z = z_fractions(snapshot.positions[seen.centres], snapshot.cell, snapshot.origin)
            slabs.append((seen.group, z, height_along_z(snapshot.cell)))
        last = seen
        progress(f"looking at what is unknown: frame {number + 1} of {len(drawn)}, step {snapshot.step}")
    assert last is not None  # a stream has at least one frame
    crystals = _crystals(elements, centre, settings, references or {})
    rows, patterns = [], []
    for row, group in enumerate(groups.groups):
        found, curves = told_of(measured[row], centre, elements, ends, crystals, settings)
        patterns.append(curves)
        found |= _times(in_time[row], stream.steps)
        rows.append({**asdict(group), **_amount(in_time, row, late, groups, settings), **found})
    joined, region_patterns = regions(rows, groups, last, centre, elements, ends, crystals, settings)
    curves_of(stream.steps, in_time, slabs, measured, elements, patterns, region_patterns, settings).save(
        folder / files.DISCOVERY
    )
    written = {"curves": files.DISCOVERY}
    for row, found_here in zip(rows, of_group, strict=True):
        row["examples"] = list(range(len(examples), len(examples) + len(found_here)))
        examples.extend(found_here)
    if examples:
        Frames.from_atoms(examples, labels="ignore").save(folder / files.EXAMPLES)
        written["examples"] = files.EXAMPLES
    return {
        "files": written,
        "centre": centre,
        "n_frames_looked_at": len(drawn),
        "steps_looked_at": [stream.steps[place] for place in drawn],
        "shares_from_step": stream.steps[late[0]],
        "interphase": _interphase(names, centre, settings),
        "cutoffs_ang": {chemical_symbols[key]: {"radius": end.radius_ang, "how": end.how} for key, end in ends.items()},
        "crystallinity_is": (
            "how much the surroundings of a centre recur unturned at other centres within 10 Å, from 0 for a glass to "
            "1 for a crystal at rest; about 0.7 for crystals with thermal displacements of 0.15 Å"
        ),
        "groups": rows,
        "regions": joined,
    }


# ------------------------------------------------------------------------------------------------ frames


def _late(n_frames: int) -> list[int]:
    return list(range(n_frames - max(1, round(n_frames / 5)), n_frames))


def _drawn(in_time: IntArray, looked_for: Sequence[bool], late: Sequence[int], settings: DiscoverSettings) -> list[int]:
    """Choose frames: late ones, some over the whole run, and one for each group looked for that is in none of these."""
    n_frames = in_time.shape[1]
    n_late = max(1, settings.n_frames // 2)
    chosen = {round(place) for place in np.linspace(late[-1], late[0], n_late)}
    if settings.n_frames > n_late:
        chosen |= {round(place) for place in np.linspace(0, n_frames - 1, settings.n_frames - n_late)}
    for row in in_time[np.asarray(looked_for, dtype=bool)]:
        if row.any() and not row[sorted(chosen)].any():
            chosen.add(int(np.argmax(row)))
    return sorted(chosen)


def _most(row: IntArray, drawn: Sequence[int]) -> list[int]:
    """Return the frames with most of a group, the latest first where they have as much."""
    return [
        place for _, place in sorted(((row[place], place) for place in drawn), reverse=True)[:CLOSELY] if row[place]
    ]


def _crystals(
    elements: Sequence[int], centre: str, settings: DiscoverSettings, references: Mapping[str, FrameStream]
) -> list[known.Known]:
    held = frozenset(chemical_symbols[element] for element in elements)
    crystals = list(known.library_crystals(held, centre, settings.r_max_ang, counted.N_BINS))
    for name, frames in references.items():
        snapshot = next(frames.at([len(frames) - 1]))
        atoms = Atoms(numbers=snapshot.numbers, positions=snapshot.positions, cell=snapshot.cell, pbc=snapshot.pbc)
        types = {crystal.name: crystal.structure_type for crystal in crystals}
        crystals.append(
            known.known(
                f"{name}{REFERENCE}", atoms, centre, settings.r_max_ang, counted.N_BINS,
                structure_type=types.get(name, ""), warm=True,
            )
        )  # fmt: skip
    return crystals


# ------------------------------------------------------------------------------------------------ words and numbers


def _amount(
    in_time: IntArray, row: int, late: Sequence[int], groups: Groups, settings: DiscoverSettings
) -> dict[str, Any]:
    """Size and shares: of all centres, and of those of the interphase, neither metal nor electrolyte."""
    outside = {*settings.metal, *settings.electrolyte}
    inner = np.array([not (g.kind == "known" and g.id in outside) for g in groups.groups])
    counts = in_time[:, late].sum(axis=1)
    interphase = int(counts[inner].sum())
    return {
        "n_environments": int(in_time[row].sum()),
        "share_of_all": float(counts[row] / counts.sum()),
        "share_of_interphase": float(counts[row] / interphase) if inner[row] and interphase else None,
    }


def _interphase(names: Sequence[str], centre: str, settings: DiscoverSettings) -> str:
    outside = [name for name in (*settings.metal, *settings.electrolyte) if name in names]
    absent = [name for name in (*settings.metal, *settings.electrolyte) if name not in names]
    told = f"all {centre} but those labelled {' or '.join(outside)}" if outside else f"all {centre}"
    return told + (f" (no reference of {' or '.join(absent)} was given)" if absent else "")


def _times(row: IntArray, steps: Sequence[int]) -> dict[str, Any]:
    """When a group appears: first seen, and first at half of its largest number."""
    if not row.any():
        return {"first_step": None, "half_step": None, "most_step": None}
    return {
        "first_step": int(steps[int(np.argmax(row > 0))]),
        "half_step": int(steps[int(np.argmax(row >= row.max() / 2))]),
        "most_step": int(steps[int(np.argmax(row))]),
    }

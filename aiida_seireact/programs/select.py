"""``seireact-select``: which frames of a model's own runs are worth a label, and which of them are held out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.dump import DumpError
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.select import SelectJob
from aiida_seireact.formats.phases import PhasesError
from aiida_seireact.formats.sgp import SgpError, load_gp
from aiida_seireact.programs._candidates import HELD_OUT, LEARNED, Judge, Run, look_at
from aiida_seireact.programs._cells import Cutter
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.programs.potentials import PACKAGES, calculator_of, committee_forces
from aiida_seireact.science.descriptors import DescriptorError
from aiida_seireact.science.selection import share_in_turn, share_quotas, spread_evenly, uncertain_and_different
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPError
from aiida_seireact.science.uncertainty import committee_deviation, least_deviations

UNCERTAIN = "uncertain"
# Columns of selection.npz.
SEEN = ("max_std", "mean_std", "unknown", "screened", "block", "part", "too_close", "chosen", "reason")
CUT = ("centre_id", "n_removed", "relaxed")
EXAMPLE = """
{"runs": {"production": {"files": ["production.dump.gz"], "skip_first": 1, "learned": 4, "held_out": 2},
          "training":   {"files": ["training.dump.gz"],   "skip_first": 1, "learned": 16, "held_out": 8}},
 "gps": {"interface_300": "interface_300.npz", "Li6PS5Cl_300": "Li6PS5Cl_300.npz"},
 "reasons": {"uncertain": 2, "screened": 1},
 "min_learned": 16, "min_held_out": 8}
"""


def run(job: SelectJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Choose frames of a model's own runs to label: uncertain, unknown or screened, unlike each other, apart in time.

    Each run is cut into time blocks with gaps between them, and of some consecutive blocks the middle is held out. The
    uncertainty of a frame is the largest of its atoms'. Of Gaussian processes the smallest that any of them gives for
    an atom counts, and one that lacks a species of its environment does not know it (1); of a committee it is how far
    its members' forces lie apart. Of a run with ``cut`` a cell around what is not known is given out in place of the
    frame: its surroundings as they were, its seam relaxed by the model. Writes selected.npz (the frames) and
    selection.npz (a row for every frame seen).
    """
    for package in ("matscipy", *(["torch"] if job.gps else [])):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(
                f"{package} is not installed, choosing frames needs it: pip install 'aiida-seireact[select]'."
            )
    try:
        gps = {name: load_gp(folder / file) for name, file in sorted(job.gps.items())}
        judge = _judge(job, gps, folder)
        runs = [look_at(name, job, judge, folder, progress) for name, _ in sorted(job.runs.items())]
        quotas = {part: _quotas(runs, part, job) for part in (LEARNED, HELD_OUT)}
        for seen in runs:
            for part, quota in quotas.items():
                _choose(seen, part, quota[seen.name], job)
        cutter = Cutter.of_job(job, folder)
        selected = Frames.from_atoms([atoms for seen in runs for atoms in seen.chosen_frames(cutter)])
    except (DescriptorError, DumpError, FramesError, PhasesError, SgpError, SparseGPError) as error:
        raise InvalidInput(str(error)) from error
    selected.save(folder / files.SELECTED)
    with write_atomically(folder / files.SELECTION) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **_rows(runs))
    return _outputs(job, gps, runs)


def _judge(job: SelectJob, gps: dict[str, SparseGP], folder: Path) -> Judge | None:
    """Return who tells the uncertainty of atoms; None: nobody."""
    if gps:
        return lambda atoms: least_deviations(list(gps.values()), atoms)
    if job.committee:
        members = [calculator_of(folder / file, PACKAGES[0]) for _, file in sorted(job.committee.items())]
        return lambda atoms: committee_deviation(committee_forces(members, [atoms])[0])
    return None


# ---------------------------------------------------------------- choice
def _quotas(runs: list[Run], part: str, job: SelectJob) -> dict[str, int]:
    """Return how many frames of a part each run gives; where one has too few, the cheapest to label step in."""
    asked = {seen.name: int(getattr(seen.choice, part)) for seen in runs}
    capacity = {seen.name: len(seen.candidates(part)) for seen in runs}
    order = [seen.name for seen in sorted(runs, key=lambda seen: (seen.n_atoms, seen.name))]
    quota = share_quotas(asked, capacity, order)
    least = int(getattr(job, f"min_{part}"))
    if sum(quota.values()) < least:
        has = ", ".join(f"{name} has {capacity[name]}" for name in sorted(capacity))
        raise InvalidInput(
            f"There are only {sum(quota.values())} frames for the part {part}, at least {least} are needed ({has}): "
            "let the runs be longer, dump more often, or take a smaller gap_frames."
        )
    return quota


def _choose(seen: Run, part: str, quota: int, job: SelectJob) -> None:
    """Mark the frames taken of a part: in each block those with most of a reason, unlike each other."""
    blocks = seen.blocks(part)
    counts = spread_evenly(quota, [len(seen.candidates(part, block)) for block in blocks])
    given = dict.fromkeys(job.shares, 0)
    for block, count in zip(blocks, counts, strict=True):
        asked = share_in_turn(count, job.shares, given)
        for reason in (*(name for name in asked if name != UNCERTAIN), UNCERTAIN):
            # What there was not enough of is taken as uncertain, which comes last.
            wanted = asked.get(reason, 0) if reason != UNCERTAIN else count - _n_taken(seen, part, block)
            taken = _take(seen, part, block, wanted, reason, job.shortlist)
            given[reason] = given.get(reason, 0) + taken


def _take(seen: Run, part: str, block: int, count: int, reason: str, shortlist: float) -> int:
    """Mark up to ``count`` frames of a block for a reason, and return how many there were."""
    places = seen.candidates(part, block)
    places = places[~seen.chosen[places]]
    scores = seen.scores(reason)[places]
    if reason != UNCERTAIN:
        places, scores = places[scores > 0], scores[scores > 0]
    if not count or not len(places):
        return 0
    # Where nothing tells the uncertainty all frames are alike but for their difference.
    by_score = bool(np.ptp(scores)) or reason != UNCERTAIN
    best = uncertain_and_different(
        scores,
        seen.features[places],
        count,
        shortlist=shortlist if by_score else float(len(places)),
        taken=seen.features[np.flatnonzero(seen.chosen & (seen.part == part))],
    )
    seen.reason[places[best]] = reason
    return len(best)


def _n_taken(seen: Run, part: str, block: int) -> int:
    return int((seen.chosen & (seen.part == part) & (seen.block == block)).sum())


# ---------------------------------------------------------------- output
def _rows(runs: list[Run]) -> dict[str, NDArray[Any]]:
    """Return a row for every frame seen."""
    columns = {
        "run": [np.full(len(seen.block), seen.name) for seen in runs],
        "md_step": [np.array(seen.stream.steps, dtype=np.int64) for seen in runs],
        "frame_ids": [np.array(seen.frame_ids) for seen in runs],
        "n_atoms": [np.full(len(seen.block), seen.n_atoms, dtype=np.int64) for seen in runs],
        "cell_ids": [np.array(seen.cell_ids) for seen in runs],
    }
    for name in (*SEEN, *CUT):
        columns[name] = [getattr(seen, name) for seen in runs]
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _outputs(job: SelectJob, gps: dict[str, SparseGP], runs: list[Run]) -> dict[str, Any]:
    difference = "unlike each other and those chosen before, by B2 averaged over the atoms of each species"
    counts = {
        part: sum(int((seen.chosen & (seen.part == part)).sum()) for seen in runs) for part in (LEARNED, HELD_OUT)
    }
    return {
        "files": {"frames": files.SELECTED, "selection": files.SELECTION},
        "criterion": _criterion(job) + difference,
        "reasons": job.shares,
        "block_rule": (
            f"Each run is cut into {job.n_blocks} time blocks, fewer if it is too short, with {job.gap_frames} frames "
            f"between them that are not taken; of every {job.held_out_every} blocks the middle one is held out."
        ),
        "n_blocks": job.n_blocks,
        "gap_frames": job.gap_frames,
        "held_out_every": job.held_out_every,
        "gps": {
            name: {"species": list(gp.species), "n_sparse": gp.n_sparse, "content_hash": gp.content_hash}
            for name, gp in gps.items()
        },
        "committee": sorted(job.committee),
        "n_chosen": sum(counts.values()),
        **{f"n_{part}": count for part, count in counts.items()},
        "runs": {seen.name: _told(seen) for seen in runs},
    }


def _criterion(job: SelectJob) -> str:
    """Return by what frames were chosen, before their difference."""
    words = ""
    if job.gps:
        words = (
            "largest over the atoms of the smallest standard deviation of any Gaussian process, relative to the signal"
        )
    elif job.committee:
        words = f"largest over the atoms of the standard deviation of the forces of {len(job.committee)} models, eV/Å"
    others = {
        "unknown": "part of the environments that are unknown",
        "screened": "last before a stop rule ended the run",
    }
    for reason, text in others.items():
        if share := job.shares.get(reason):
            words += f"{'; ' if words else ''}for {share:.0%} of the frames the {text}"
    return f"{words}; " if words else ""


def _told(seen: Run) -> dict[str, Any]:
    steps = seen.stream.steps
    known = seen.max_std[np.isfinite(seen.max_std)]
    blocks = []
    for block in np.unique(seen.block[seen.block >= 0]).tolist():
        places = np.flatnonzero(seen.block == block)
        blocks.append(
            {
                "block": block,
                "group": seen.group(block),
                "part": str(seen.part[places[0]]),
                "first_step": steps[places[0]],
                "last_step": steps[places[-1]],
                "n_frames": len(places),
                "n_chosen": int(seen.chosen[places].sum()),
            }
        )
    return {
        "n_frames": len(steps),
        "n_too_close": int(seen.too_close.sum()),
        "n_atoms": seen.n_atoms,
        "species": seen.species,
        "first_step": steps[0],
        "last_step": steps[-1],
        "content_hash": seen.content_hash,
        "cut": None if seen.choice.cut is None else _told_of_cells(seen),
        "asked": {part: int(getattr(seen.choice, part)) for part in (LEARNED, HELD_OUT)},
        "chosen": {part: int((seen.chosen & (seen.part == part)).sum()) for part in (LEARNED, HELD_OUT)},
        "max_std": {"least": float(known.min()), "median": float(np.median(known)), "most": float(known.max())}
        if len(known)
        else None,
        "max_unknown": float(np.nanmax(seen.unknown)) if np.isfinite(seen.unknown).any() else None,
        "n_screened": int(seen.screened.sum()),
        "reasons": {name: int((seen.reason == name).sum()) for name in sorted(set(seen.reason[seen.chosen].tolist()))},
        "blocks": blocks,
    }


def _told_of_cells(seen: Run) -> dict[str, Any]:
    """Return how a run was cut, and what it took."""
    assert seen.choice.cut is not None
    return {
        **seen.choice.cut.model_dump(),
        "n_cells": int((seen.centre_id >= 0).sum()),
        "n_removed": int(seen.n_removed.sum()),
        "n_relaxed": int(seen.relaxed.sum()),
    }


main = program("seireact-select", SelectJob, run, packages=("ase", "matscipy", "numpy", "torch"), example=EXAMPLE)

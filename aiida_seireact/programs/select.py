"""``seireact-select``: which frames of a model's own runs are worth a label, and which of them are held out."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.dump import DumpError, Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.select import RunChoice, SelectJob
from aiida_seireact.formats.sgp import SgpError, load_gp
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, mean_descriptors
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.selection import (
    blocks_by_number,
    equally_weighted,
    is_held_out,
    share_quotas,
    spread_evenly,
    uncertain_and_different,
)
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPError
from aiida_seireact.science.uncertainty import least_deviations

LEARNED, HELD_OUT = "learned", "held_out"
EXAMPLE = """
{"runs": {"production": {"files": ["production.dump.gz"], "skip_first": 1, "learned": 4, "held_out": 2},
          "training":   {"files": ["training.dump.gz"],   "skip_first": 1, "learned": 16, "held_out": 8}},
 "gps": {"interface_300": "interface_300.npz", "Li6PS5Cl_300": "Li6PS5Cl_300.npz"},
 "min_learned": 16, "min_held_out": 8}
"""


@dataclass
class Run:
    """What is known of the frames of one run, in their order.

    :param stream: the frames themselves.
    :param max_std: largest of the atoms' uncertainties, NaN where it is not known; ``mean_std``: their mean.
    :param features: ``(n_frames, n_features)`` by which frames are unlike each other.
    :param block: time block, -1 in a gap.
    :param part: learned, held_out, or empty.
    """

    name: str
    choice: RunChoice
    stream: FrameStream
    n_atoms: int
    species: list[str]
    frame_ids: list[str]
    max_std: NDArray[np.float64]
    mean_std: NDArray[np.float64]
    too_close: NDArray[np.bool_]
    features: NDArray[np.float64]
    block: NDArray[np.int64]
    part: NDArray[np.str_]
    chosen: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.chosen = np.zeros(len(self.block), dtype=bool)

    @property
    def content_hash(self) -> str:
        """Hash of the frames of the run."""
        return hashlib.sha256("\n".join(self.frame_ids).encode()).hexdigest()

    def candidates(self, part: str, block: int | None = None) -> NDArray[np.int64]:
        """Return the frames of a part, or of one of its blocks, that may be taken."""
        may = (self.part == part) & ~self.too_close
        return np.flatnonzero(may if block is None else may & (self.block == block))

    def blocks(self, part: str) -> list[int]:
        """Return the blocks of a part, in time."""
        return [int(block) for block in np.unique(self.block[self.part == part])]

    def group(self, block: int) -> str:
        """Return the name of a block, made of content: two runs never share one."""
        return f"augment-{self.name}/{self.content_hash[:12]}/block-{block}"


def run(job: SelectJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Choose frames of a model's own runs to label: uncertain ones, unlike each other, apart in time.

    Each run is cut into time blocks with gaps between them, and of some consecutive blocks the last is held out. The
    uncertainty of a frame is the largest of its atoms', and that of an atom the smallest that any Gaussian process
    gives; one that lacks a species of its environment does not know it (1). Writes selected.npz (the frames) and
    selection.npz (a row for every frame seen).
    """
    for package in ("matscipy", *(["torch"] if job.gps else [])):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(
                f"{package} is not installed, choosing frames needs it: pip install 'aiida-seireact[select]'."
            )
    try:
        gps = {name: load_gp(folder / file) for name, file in sorted(job.gps.items())}
        runs = [_look_at(name, job, gps, folder, progress) for name, _ in sorted(job.runs.items())]
        quotas = {part: _quotas(runs, part, job) for part in (LEARNED, HELD_OUT)}
        for seen in runs:
            for part, quota in quotas.items():
                _choose(seen, part, quota[seen.name], job)
        selected = Frames.from_atoms([atoms for seen in runs for atoms in _chosen_frames(seen)])
    except (DescriptorError, DumpError, FramesError, SgpError, SparseGPError) as error:
        raise InvalidInput(str(error)) from error
    selected.save(folder / files.SELECTED)
    with write_atomically(folder / files.SELECTION) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **_rows(runs))
    return _outputs(job, gps, runs)


# ---------------------------------------------------------------- what the runs show
def _look_at(name: str, job: SelectJob, gps: dict[str, SparseGP], folder: Path, progress: Progress) -> Run:
    choice = job.runs[name]
    stream = FrameStream(
        [folder / file for file in choice.files],
        skip_first=choice.skip_first,
        stride=choice.stride,
        stop_before_truncated=choice.stop_before_truncated,
    )
    frame_ids, most, mean, close, features = [], [], [], [], []
    first: Atoms | None = None
    for number, frame in enumerate(stream):
        atoms = _atoms(frame)
        if first is None:
            first, species = atoms, tuple(sorted(set(atoms.get_chemical_symbols())))
            spec = DescriptorSpec(species=species, centre=species[0], **job.difference.model_dump())
        elif not np.array_equal(first.numbers, atoms.numbers):
            raise InvalidInput(
                f"{name}, step {frame.step}: the atoms are not those of the first frame; give other cells apart."
            )
        frame_ids += Frames.from_atoms([atoms]).frame_ids
        close.append(smallest_distance(atoms.positions, atoms.cell.array, atoms.pbc)[0] < job.min_distance_ang)
        deviations = np.full(1, np.nan)
        # A frame that is not taken is not looked at: atoms on each other have no descriptors.
        if not close[-1]:
            features.append(mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec))
            if gps:
                deviations = least_deviations(list(gps.values()), atoms)
        most.append(deviations.max())
        mean.append(deviations.mean())
        uncertain = f", largest uncertainty {most[-1]:.3f}" if np.isfinite(most[-1]) else ""
        progress(f"{name}: frame {number + 1} of {len(stream)}, step {frame.step}{uncertain}")
    assert first is not None  # a stream has at least one frame
    block = blocks_by_number(len(frame_ids), job.n_blocks, job.gap_frames)
    part = [HELD_OUT if is_held_out(int(number), job.held_out_every) else LEARNED for number in block]
    seen = np.flatnonzero(~np.array(close))
    compared = equally_weighted(features) if len(seen) else np.zeros((0, 0))
    placed = np.zeros((len(block), compared.shape[1]))
    placed[seen] = compared
    return Run(
        name=name,
        choice=choice,
        stream=stream,
        n_atoms=len(first),
        species=list(spec.species),
        frame_ids=frame_ids,
        max_std=np.array(most),
        mean_std=np.array(mean),
        too_close=np.array(close),
        features=placed,
        block=block,
        part=np.where(block < 0, "", np.array(part)),
    )


def _atoms(frame: Snapshot) -> Atoms:
    """Return a frame of its own, atoms inside the cell: a labeller shall not meet long ways."""
    atoms = Atoms(frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=frame.pbc)
    atoms.wrap()
    return atoms


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
    """Mark the frames taken of a part: in each block the uncertain ones, unlike each other and those before."""
    blocks = seen.blocks(part)
    counts = spread_evenly(quota, [len(seen.candidates(part, block)) for block in blocks])
    # Without Gaussian processes all frames are alike but for their difference.
    has_scores = bool(np.isfinite(seen.max_std).any())
    for block, count in zip(blocks, counts, strict=True):
        places = seen.candidates(part, block)
        taken = np.flatnonzero(seen.chosen & (seen.part == part))
        best = uncertain_and_different(
            seen.max_std[places] if has_scores else np.zeros(len(places)),
            seen.features[places],
            count,
            shortlist=job.shortlist if has_scores else float(len(places)),
            taken=seen.features[taken],
        )
        seen.chosen[places[best]] = True


def _chosen_frames(seen: Run) -> list[Atoms]:
    images = []
    for number, frame in enumerate(seen.stream):
        if seen.chosen[number]:
            atoms = _atoms(frame)
            atoms.info.update(
                config_type=f"augment-{seen.name}",
                group=seen.group(int(seen.block[number])),
                parent_id=seen.choice.start_id,
                md_step=frame.step,
            )
            images.append(atoms)
    return images


# ---------------------------------------------------------------- output
def _rows(runs: list[Run]) -> dict[str, NDArray[Any]]:
    """Return a row for every frame seen."""
    columns = {
        "run": [np.full(len(seen.block), seen.name) for seen in runs],
        "md_step": [np.array(seen.stream.steps, dtype=np.int64) for seen in runs],
        "frame_ids": [np.array(seen.frame_ids) for seen in runs],
        "n_atoms": [np.full(len(seen.block), seen.n_atoms, dtype=np.int64) for seen in runs],
    }
    for name in ("max_std", "mean_std", "block", "part", "too_close", "chosen"):
        columns[name] = [getattr(seen, name) for seen in runs]
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _outputs(job: SelectJob, gps: dict[str, SparseGP], runs: list[Run]) -> dict[str, Any]:
    difference = "unlike each other and those chosen before, by B2 averaged over the atoms of each species"
    uncertainty = (
        "largest over the atoms of the smallest standard deviation of any Gaussian process, relative to the signal; "
    )
    counts = {
        part: sum(int((seen.chosen & (seen.part == part)).sum()) for seen in runs) for part in (LEARNED, HELD_OUT)
    }
    return {
        "files": {"frames": files.SELECTED, "selection": files.SELECTION},
        "criterion": (uncertainty if gps else "") + difference,
        "block_rule": (
            f"Each run is cut into {job.n_blocks} time blocks, fewer if it is too short, with {job.gap_frames} frames "
            f"between them that are not taken; of every {job.held_out_every} blocks the last is held out."
        ),
        "n_blocks": job.n_blocks,
        "gap_frames": job.gap_frames,
        "held_out_every": job.held_out_every,
        "gps": {
            name: {"species": list(gp.species), "n_sparse": gp.n_sparse, "content_hash": gp.content_hash}
            for name, gp in gps.items()
        },
        "n_chosen": sum(counts.values()),
        **{f"n_{part}": count for part, count in counts.items()},
        "runs": {seen.name: _told(seen) for seen in runs},
    }


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
        "asked": {part: int(getattr(seen.choice, part)) for part in (LEARNED, HELD_OUT)},
        "chosen": {part: int((seen.chosen & (seen.part == part)).sum()) for part in (LEARNED, HELD_OUT)},
        "max_std": {"least": float(known.min()), "median": float(np.median(known)), "most": float(known.max())}
        if len(known)
        else None,
        "blocks": blocks,
    }


main = program("seireact-select", SelectJob, run, packages=("ase", "matscipy", "numpy", "torch"), example=EXAMPLE)

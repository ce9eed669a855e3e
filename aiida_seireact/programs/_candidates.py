"""What the frames of a model's own runs show: how uncertain, how unknown, how they ended, how unlike each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.environments import Course
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.select import RunChoice, SelectJob
from aiida_seireact.programs._cells import Cutter
from aiida_seireact.programs._program import Progress
from aiida_seireact.science.cutouts import CutoutError
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, mean_descriptors
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.selection import blocks_by_number, equally_weighted, is_held_out

LEARNED, HELD_OUT = "learned", "held_out"
UNKNOWN = "unknown"
Judge = Callable[[Atoms], NDArray[np.float64]]
"""Gives the uncertainty of each atom, ``(n_atoms,)``."""


@dataclass
class Run:
    """What is known of the frames of one run, in their order.

    :param stream: the frames themselves.
    :param max_std: largest of the atoms' uncertainties, NaN where it is not known; ``mean_std``: their mean.
    :param uncertain_atom: the atom with the largest, -1 where it is not known.
    :param unknown: part of the environments that the classifier calls unknown, NaN where it was not asked.
    :param screened: whether a stop rule ended the run soon after.
    :param features: ``(n_frames, n_features)`` by which frames are unlike each other.
    :param block: time block, -1 in a gap.
    :param part: learned, held_out, or empty.
    :param reason: why the frame was taken, empty where it was not.
    :param cell_ids: id of what was given out of each frame, empty where nothing was; the frame's own unless it was cut.
    :param centre_id: id of the atom around which a cell was cut, -1 for none.
    :param n_removed: atoms that were taken out at its seam; ``relaxed``: whether the model moved others there.
    """

    name: str
    choice: RunChoice
    stream: FrameStream
    n_atoms: int
    species: list[str]
    frame_ids: list[str]
    max_std: NDArray[np.float64]
    mean_std: NDArray[np.float64]
    uncertain_atom: NDArray[np.int64]
    unknown: NDArray[np.float64]
    screened: NDArray[np.bool_]
    too_close: NDArray[np.bool_]
    features: NDArray[np.float64]
    block: NDArray[np.int64]
    part: NDArray[np.str_]
    reason: NDArray[np.str_] = field(init=False)
    cell_ids: list[str] = field(init=False)
    centre_id: NDArray[np.int64] = field(init=False)
    n_removed: NDArray[np.int64] = field(init=False)
    relaxed: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        n_frames = len(self.block)
        self.reason = np.full(n_frames, "", dtype="<U9")
        self.cell_ids = [""] * n_frames
        self.centre_id = np.full(n_frames, -1, dtype=np.int64)
        self.n_removed = np.zeros(n_frames, dtype=np.int64)
        self.relaxed = np.zeros(n_frames, dtype=bool)

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """Which frames were taken."""
        return np.asarray(self.reason != "")

    @property
    def content_hash(self) -> str:
        """Hash of the frames of the run."""
        return hashlib.sha256("\n".join(self.frame_ids).encode()).hexdigest()

    def scores(self, reason: str) -> NDArray[np.float64]:
        """Return how much there is of a reason to take each frame, ``(n_frames,)``; 0: nothing."""
        found = {UNKNOWN: self.unknown, "screened": self.screened.astype(float), "uncertain": self.max_std}[reason]
        return np.nan_to_num(found, nan=0.0)

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

    def chosen_frames(self, cutter: Cutter) -> list[Atoms]:
        """Return what is given out of the frames taken, each with where it comes from.

        :param cutter: cuts cells out of frames, where the run is cut.
        """
        images = []
        for number, frame in enumerate(self.stream):
            if self.chosen[number]:
                atoms = self._given_out(number, frame, cutter)
                atoms.info.update(
                    config_type=f"augment-{self.name}",
                    group=self.group(int(self.block[number])),
                    parent_id=self.choice.start_id,
                    md_step=frame.step,
                )
                self.cell_ids[number] = Frames.from_atoms([atoms]).frame_ids[0]
                images.append(atoms)
        return images

    def _given_out(self, number: int, frame: Snapshot, cutter: Cutter) -> Atoms:
        atoms = _atoms(frame)
        if self.choice.cut is None:
            return atoms
        uncertain = None if self.uncertain_atom[number] < 0 else int(self.uncertain_atom[number])
        amid = self.reason[number] == UNKNOWN or uncertain is None
        try:
            cell = cutter.cut(atoms, self.choice.cut, uncertain=uncertain, amid_unknown=amid)
        except (CutoutError, DescriptorError) as error:
            raise InvalidInput(f"{self.name}, step {frame.step}: {error}") from error
        self.centre_id[number] = frame.ids[cell.centre]
        self.n_removed[number], self.relaxed[number] = cell.n_removed, cell.relaxed
        return cell.atoms


def look_at(name: str, job: SelectJob, judge: Judge | None, folder: Path, progress: Progress) -> Run:
    """Read the frames of a run once and tell what they show.

    :param judge: who tells the uncertainty of atoms; None: nobody.
    :raises InvalidInput: other atoms along the way, or labels of another run.
    """
    choice = job.runs[name]
    stream = FrameStream(
        [folder / file for file in choice.files],
        skip_first=choice.skip_first,
        stride=choice.stride,
        stop_before_truncated=choice.stop_before_truncated,
    )
    frame_ids, most, mean, worst, close, features = [], [], [], [], [], []
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
            if judge is not None:
                # A judge without an answer knows nothing of such atoms.
                deviations = np.nan_to_num(judge(atoms), nan=np.inf)
        most.append(deviations.max())
        mean.append(deviations.mean())
        worst.append(-1 if np.isnan(deviations).any() else int(deviations.argmax()))
        uncertain = f", largest uncertainty {most[-1]:.3f}" if np.isfinite(most[-1]) else ""
        progress(f"{name}: frame {number + 1} of {len(stream)}, step {frame.step}{uncertain}")
    assert first is not None  # a stream has at least one frame
    block = blocks_by_number(len(frame_ids), job.n_blocks, job.gap_frames)
    part = [HELD_OUT if is_held_out(int(number), job.held_out_every) else LEARNED for number in block]
    seen = np.flatnonzero(~np.array(close))
    compared = equally_weighted(features) if len(seen) else np.zeros((0, 0))
    placed = np.zeros((len(block), compared.shape[1]))
    placed[seen] = compared
    steps = np.array(stream.steps, dtype=np.int64)
    return Run(
        name=name,
        choice=choice,
        stream=stream,
        n_atoms=len(first),
        species=list(spec.species),
        frame_ids=frame_ids,
        max_std=np.array(most),
        mean_std=np.array(mean),
        uncertain_atom=np.array(worst, dtype=np.int64),
        unknown=_unknown(name, choice, steps, folder),
        screened=_screened(choice, steps, job.screened_frames),
        too_close=np.array(close),
        features=placed,
        block=block,
        part=np.where(block < 0, "", np.array(part)),
    )


def _unknown(name: str, choice: RunChoice, steps: NDArray[np.int64], folder: Path) -> NDArray[np.float64]:
    """Return the part of unknown environments of each frame; NaN of frames that were not classified."""
    found = np.full(len(steps), np.nan)
    if choice.labels is None:
        return found
    labels = Course.read(folder / choice.labels)
    part = dict(zip(labels.steps.tolist(), labels.unknown.tolist(), strict=True))
    found[:] = [part.get(step, np.nan) for step in steps.tolist()]
    if np.isnan(found).all():
        raise InvalidInput(
            f"{name}: no frame of the run has labels in {choice.labels}, which begin at step {labels.steps[0]}: give "
            "the labels of this run."
        )
    return found


def _screened(choice: RunChoice, steps: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Tell which frames are the last before a stop rule ended the run."""
    found = np.zeros(len(steps), dtype=bool)
    if choice.stopped_step is not None:
        found[np.flatnonzero(steps <= choice.stopped_step)[-count:]] = True
    return found


def _atoms(frame: Snapshot) -> Atoms:
    """Return a frame of its own, atoms inside the cell: a labeller shall not meet long ways."""
    atoms = Atoms(frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=frame.pbc)
    atoms.wrap()
    return atoms

"""What a leg of ``seireact-flare`` is given, read and checked before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.leg_state import NOTHING_ASKED, LegState, LegStateError
from aiida_seireact.formats.sgp import SgpError, load_gp
from aiida_seireact.science.sparse_gp import SparseGP

SAME_PLACE_ANG = 1e-5


@dataclass(frozen=True, eq=False)
class Known:
    """All labels in their order, one entry for each frame id, and what the last leg left.

    :param images: frame id -> labelled atoms.
    :param start: the start of the condition.
    :param level: hash of the labelling settings.
    """

    images: dict[str, Atoms]
    start: Atoms
    start_id: str
    species: tuple[str, ...]
    level: str
    gp: SparseGP | None
    state: LegState | None

    @property
    def new_ids(self) -> list[str]:
        """Frame ids of the labels that no leg has met."""
        seen = set(self.state.seen_ids) if self.state else set()
        return [frame_id for frame_id in self.images if frame_id not in seen]


def read_input(job: FlareJob, folder: Path) -> Known:
    """Read and check everything, before anything is computed."""
    start = Frames.load(folder / job.start)
    if len(start) != 1:
        raise InvalidInput(f"A condition starts from one frame, but {job.start} holds {len(start)}: select one.")
    start.validate()
    species = tuple(start.species)
    labels = {name: _labels(folder, name, species) for name in job.labels}
    levels = {frames.settings_hash: name for name, frames in labels.items()}
    if len(levels) > 1:
        named = " and ".join(f"{name} ({level[:12] or 'unknown'})" for level, name in levels.items())
        raise InvalidInput(
            f"The labels of {named} were made with different settings: a GP learns one level of theory, label them "
            "alike."
        )
    images: dict[str, Atoms] = {}
    for frames in labels.values():
        for index, frame_id in enumerate(frames.frame_ids):
            images.setdefault(frame_id, frames.to_atoms(index))
    level = next(iter(levels))
    gp = state = None
    if job.gp is not None and job.state is not None:
        try:
            gp, state = load_gp(folder / job.gp), LegState.load(folder / job.state)
        except (SgpError, LegStateError) as error:
            raise InvalidInput(str(error)) from error
    known = Known(images, start.to_atoms(0), start.frame_ids[0], species, level, gp, state)
    if gp is not None and state is not None:
        _require_one_run(job, known, gp, state)
    return known


def _labels(folder: Path, name: str, species: Sequence[str]) -> Frames:
    frames = Frames.load(folder / name)
    if not frames.has_stress:
        raise InvalidInput(f"The frames of {name} have no energy, forces and stress: label them first.")
    foreign = [symbol for symbol in frames.species if symbol not in species]
    if foreign:
        raise InvalidInput(
            f"The labels of {name} hold {', '.join(foreign)}, but the start has only {', '.join(species)}: leave such "
            "frames out, their environments do not occur in this run."
        )
    frames.validate()
    return frames


def _require_one_run(job: FlareJob, known: Known, gp: SparseGP, state: LegState) -> None:
    """Refuse a GP and a state that do not belong to each other, to the start, the settings and the labels.

    :raises InvalidInput: the first thing that does not fit.
    """
    for owner, species in ((f"The state {job.state}", state.species), (f"The GP {job.gp}", gp.species)):
        if species != known.species:
            raise InvalidInput(
                f"{owner} is of {', '.join(species)}, but the start {job.start} of {', '.join(known.species)}: "
                "give those of this system, or neither of the two to begin anew."
            )
    if state.start_id != known.start_id or not np.array_equal(state.numbers, known.start.numbers):
        raise InvalidInput(
            f"The state {job.state} belongs to a run from the frame {state.start_id[:12]}, but {job.start} is "
            f"{known.start_id[:12]}: give the start of that run, or neither gp nor state to begin anew."
        )
    if state.settings_hash != job.settings.content_hash:
        raise InvalidInput(
            f"The state {job.state} was written under other settings: only `steps`, `leg_steps`, `seconds_max` and "
            "`memory_gb` may change within a run. Keep the settings, or give neither gp nor state to begin anew."
        )
    if state.gp_hash != gp.content_hash:
        raise InvalidInput(
            f"The GP {job.gp} is not the one that the run of {job.state} ended with: give the two files of one leg."
        )
    if gp.settings_hash != known.level:
        raise InvalidInput(
            f"The GP {job.gp} learned labels of the settings {gp.settings_hash[:12] or 'unknown'}, but these are of "
            f"{known.level[:12] or 'unknown'}: label with the same settings, or begin anew."
        )
    lost = [frame_id[:12] for frame_id in gp.frame_ids if frame_id not in known.images]
    if lost:
        raise InvalidInput(
            f"{len(lost)} frames that the GP learned are not among the labels (first {lost[0]}): give the labels of "
            "all rounds, in order."
        )
    if job.energies_ev is not None:
        for symbol, energy in zip(gp.species, gp.energies_ev.tolist(), strict=True):
            if abs(job.energies_ev.get(symbol, np.inf) - energy) > 1e-9:
                raise InvalidInput(
                    f"energies_ev has {job.energies_ev.get(symbol)} eV for {symbol}, but the GP learned with "
                    f"{energy} eV: they stay the same through all legs."
                )


def asked_label(job: FlareJob, known: Known) -> str | None:
    """Return the frame id of the label that the last leg asked for, None if it asked for none.

    :raises InvalidInput: it is not among the new labels.
    """
    state = known.state
    if state is None or state.asked_step == NOTHING_ASKED:
        return None
    for frame_id in known.new_ids:
        image = known.images[frame_id]
        if (
            image.info.get("md_step") == state.asked_step
            and image.info.get("parent_id") == known.start_id
            and np.array_equal(image.numbers, state.numbers)
            # Conditions that differ in seed or temperature share start and step, but not the structure.
            and np.allclose(image.positions, state.positions, rtol=0, atol=SAME_PLACE_ANG)
        ):
            return frame_id
    raise InvalidInput(
        f"The label of the frame at MD step {state.asked_step} is missing, and the last leg ended there because it "
        f"needs it: label the last frame of its {files.ASKED} and add the file to labels."
    )

"""First pass of ``seireact-classify``: landmarks, equally many from each frame and from each slab of a large cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.arrays_file import PhasesError, load_arrays
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.programs._classify_frames import Progress, Run, describe_frame
from aiida_seireact.science.analysis import height_along_z, z_fractions
from aiida_seireact.science.landmarks import draw_landmarks


@dataclass(frozen=True, eq=False)
class Drawn:
    """Landmarks before they are clustered.

    :param descriptors: ``(n, n_features)``
    :param frames: ``(n,)`` place of each one's frame in the run, ascending.
    :param rows: ``(n,)`` which of the centres of that frame it is.
    :param n_environments: of the whole run.
    :param spec_hash: of the descriptors.
    """

    descriptors: NDArray[np.float32]
    frames: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_environments: int
    spec_hash: str

    def save(self, path: Path) -> None:
        """Write it, atomically; not compressed, for descriptors hardly shrink."""
        with write_atomically(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **{item.name: np.asarray(getattr(self, item.name)) for item in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Drawn:
        """Read what :meth:`save` wrote.

        :raises PhasesError: missing, truncated or foreign file.
        """
        held = load_arrays(path, "landmarks", [item.name for item in fields(cls)])
        return cls(**{**held, "n_environments": int(held["n_environments"]), "spec_hash": str(held["spec_hash"])})


def draw(
    run: Run, share: tuple[int, int], *, n_landmarks: int, slab_ang: float | None, seed: int, progress: Progress
) -> Drawn:
    """Draw the landmarks of a share of the frames; those of all shares are the same however many there are.

    :param n_landmarks: of the whole run.
    """
    n_frames = len(run.stream)
    places = run.places(share)
    parts, frames, rows = [], [], []
    for place, frame in zip(places, run.stream.at(places), strict=True):
        centres = run.centres_of(frame)
        z = z_fractions(frame.positions[centres], frame.cell, frame.origin)
        count = landmarks_at(place, n_frames, n_landmarks)
        chosen = draw_landmarks(z, height_along_z(frame.cell), count, slab_ang=slab_ang, seed=[seed, place])
        if len(chosen):
            parts.append(describe_frame(frame, run.spec, "trajectory", rows=chosen))
        frames.append(np.full(len(chosen), place, dtype=np.int64))
        rows.append(chosen)
        progress(
            f"descriptors: frame {place + 1} of {n_frames}, step {frame.step}, {len(chosen)} landmarks of "
            f"{len(centres)} environments"
        )
    empty = np.zeros((0, run.spec.n_features), dtype=np.float32)
    return Drawn(
        descriptors=np.concatenate([empty, *parts]),
        frames=np.concatenate(frames),
        rows=np.concatenate(rows),
        n_environments=run.n_environments,
        spec_hash=run.spec.content_hash,
    )


def landmarks_at(place: int, n_frames: int, n_landmarks: int) -> int:
    """Return how many landmarks a frame gives; fewer than there are frames are spread over the whole run."""
    each, rest = divmod(n_landmarks, n_frames)
    if each:
        return each + (place < rest)
    return (place + 1) * rest // n_frames - place * rest // n_frames


def gathered(parts: Sequence[Drawn]) -> Drawn:
    """Put the draws of shares one after the other.

    :raises PhasesError: of unlike runs or descriptors, or out of order.
    """
    for before, after in pairwise(parts):
        if (before.n_environments, before.spec_hash) != (after.n_environments, after.spec_hash):
            raise PhasesError("The landmarks come from unlike runs or descriptors: draw them anew by one job.")
        if len(before.frames) and len(after.frames) and before.frames[-1] >= after.frames[0]:
            raise PhasesError("The landmarks of shares are out of order, or twice the same: give each once, in order.")
    return Drawn(
        descriptors=np.concatenate([part.descriptors for part in parts]),
        frames=np.concatenate([part.frames for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        n_environments=parts[0].n_environments,
        spec_hash=parts[0].spec_hash,
    )

"""Atoms that go far within a time: which, from where to where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray, PathBlocks


@dataclass(frozen=True)
class Jumps:
    """Displacements longer than a limit, in order of atom and time; arrays of one row a jump.

    :param atoms: index of the atom.
    :param origins: frame that the time begins at.
    :param moved_ang: ``(n_jumps, 3)`` displacement, the drift of the cell subtracted.
    :param begun_ang: ``(n_jumps, 3)`` displacement from the run's first frame at the origin, as the blocks give it.
    :param n_watched: displacements that were looked at.
    """

    atoms: IntArray
    origins: IntArray
    moved_ang: FloatArray
    begun_ang: FloatArray
    n_watched: int


def far_movers(
    blocks: PathBlocks,
    *,
    origins: ArrayLike,
    length: int,
    longer_than_ang: float = 10.0,
    chosen: ArrayLike | None = None,
    drift: ArrayLike | None = None,
) -> Jumps:
    """Return the atoms that are farther than a limit from where they were a time before (SCIENCE.md §1.6).

    :param blocks: paths, Å, a block of atoms at a time.
    :param origins: frames that the time begins at.
    :param length: the time, in frames; the paper: 5 ns.
    :param longer_than_ang: the paper: 10 Å.
    :param chosen: ``(n_atoms,)`` bool: the atoms that are watched; None: all.
    :param drift: ``(n_frames, 3)`` Å, path of the centre of mass of the cell; None: nothing is subtracted.
    :raises ValueError: a time that ends after the run.
    """
    begins = np.asarray(origins, dtype=np.int64)
    keep = None if chosen is None else np.asarray(chosen, dtype=bool)
    common = None if drift is None else np.asarray(drift, dtype=np.float64)
    found: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    watched = 0
    for atoms, paths in blocks:
        if len(begins) and (begins.min() < 0 or begins.max() + length >= len(paths)):
            raise ValueError(
                f"from frame {begins.max()} on {length} frames end after the run of {len(paths)} frames: take a "
                "shorter time or an earlier origin"
            )
        of = np.arange(len(atoms)) if keep is None else np.flatnonzero(keep[atoms])
        for begin in begins.tolist():
            start = paths[begin, of].astype(np.float64)
            moved = paths[begin + length, of] - start
            if common is not None:
                moved -= common[begin + length] - common[begin]
            far = np.flatnonzero((moved**2).sum(axis=1) > longer_than_ang**2)
            found.append((atoms[of[far]], np.full(len(far), begin), moved[far], start[far]))
        watched += len(of) * len(begins)
    if not found:
        empty = np.zeros(0, dtype=np.int64)
        return Jumps(empty, empty, np.zeros((0, 3)), np.zeros((0, 3)), watched)
    which, when, moved, start = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((when, which))
    return Jumps(which[order], when[order], moved[order], start[order], watched)

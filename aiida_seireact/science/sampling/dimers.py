"""Two atoms in a box: what a potential must know of the shortest distances, down to where the nuclei repel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.sampling.packing import pair_name
from aiida_seireact.science.structures import ATOM_BOX_ANG, rounded


def pairs_of(species: Sequence[str], wanted: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Return the pairs of elements, each once in alphabetical order; of ``wanted`` (``Li-S``) those alone.

    :raises ValueError: a pair of an element that is not among the species.
    """
    known = {pair_name(*pair): pair for pair in combinations_with_replacement(sorted(species), 2)}
    if wanted is None:
        return list(known.values())
    found = {}
    for name in wanted:
        parts = name.split("-")
        key = pair_name(*parts) if len(parts) == 2 else name
        if key not in known:
            raise ValueError(f"There is no pair {name!r} of {', '.join(sorted(species))}: write for example Li-S.")
        found[key] = known[key]
    return [found[key] for key in sorted(found)]


def dimer_distances(low_ang: float, high_ang: float, count: int) -> NDArray[np.float64]:
    """Return distances in Å from one end to the other, ``(count,)``, closer where they are short: r grows by the same
    ratio from one to the next, as the repulsion falls by about the same one."""
    return np.geomspace(low_ang, high_ang, count) if count > 1 else np.array([low_ang])


def dimer(first: str, second: str, distance_ang: float) -> Atoms:
    """Return two atoms on the x axis of a box that is as much wider as they are apart, so that their images are as far
    from each other as those of an isolated atom."""
    a, b, c = ATOM_BOX_ANG
    box = (a + distance_ang, b, c)
    centre = np.array(box) / 2
    half = np.array([distance_ang / 2, 0.0, 0.0])
    return rounded(Atoms([first, second], positions=[centre - half, centre + half], cell=box, pbc=True))

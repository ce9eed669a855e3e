"""Known phases: environments of each, and the length within which they recognise others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks import distinct_rows
from aiida_seireact.science.labelling.errors import LabellingError, require_name
from aiida_seireact.science.nearest import k_nearest

FEWEST_REFERENCES = 20


@dataclass(frozen=True, eq=False)
class Reference:
    """Environments of one known phase.

    :param name: name of the phase, which becomes the label.
    :param points: ``(n, d)`` reduced points.
    :param gate: 99th percentile of the distance of a reference to the nearest other of its phase.
    :param adopted: clusters that were named after this phase because it was made of them; empty for a phase that
        was given. Numbers of clusters belong to one clustering.
    """

    name: str
    points: NDArray[np.float32]
    gate: float
    adopted: tuple[int, ...] = ()


def reference(
    name: str,
    points: ArrayLike,
    *,
    atoms: ArrayLike | None = None,
    most: int = 1000,
    seed: int = 0,
    quantile: float = 0.99,
) -> Reference:
    """Make a reference phase of reduced points; exact duplicates count once.

    :param atoms: ``(n,)`` the atom each point belongs to, where an atom gives several. Those are near each other as
        little time passed between them, so the gate is measured to points of other atoms. None: all are others.

    :param most: points kept, drawn at random. The gate is that of the points kept, so it fits their spacing.
    :raises LabellingError: no name (:func:`require_name`), NaN, or too few distinct points.
    """
    places = np.asarray(points, dtype=np.float32)
    require_name(name)
    if not np.isfinite(places).all():
        raise LabellingError(f"The references of {name} hold NaN or infinity: drop the frame they come from.")
    owner = np.arange(len(places)) if atoms is None else np.asarray(atoms)
    if owner.shape != (len(places),):
        raise LabellingError(f"{len(places)} references of {name} were given with {len(owner)} atoms.")
    if len(places):
        first = distinct_rows(places)[0]
        places, owner = places[first], owner[first]
    if len(places) < FEWEST_REFERENCES:
        raise LabellingError(
            f"The reference phase {name} has {len(places)} distinct environments, at least {FEWEST_REFERENCES} are "
            "needed: give frames of an MD run, not the crystal at rest."
        )
    if len(places) > most:
        drawn = np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False))
        places, owner = places[drawn], owner[drawn]
    return Reference(name=name, points=places, gate=float(np.quantile(_spacing(name, places, owner), quantile)))


def _spacing(name: str, points: NDArray[np.float32], owner: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each point to the nearest point of another owner."""
    _, counts = np.unique(owner, return_counts=True)
    if len(counts) < 2:
        raise LabellingError(f"All references of {name} are of one atom: give a larger cell.")
    # So many neighbours hold one of another owner, the point itself among them.
    distances, indices = k_nearest(points, points, int(counts.max()) + 1)
    other = owner[indices] != owner[:, None]
    return np.asarray(distances[np.arange(len(points)), np.argmax(other, axis=1)])

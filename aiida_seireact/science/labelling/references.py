"""Known phases: environments of each, and the length within which they recognise others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks import distinct_rows
from aiida_seireact.science.labelling.errors import UNKNOWN, LabellingError
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


def reference(name: str, points: ArrayLike, *, most: int = 1000, seed: int = 0, quantile: float = 0.99) -> Reference:
    """Make a reference phase of reduced points; exact duplicates count once.

    :param most: points kept, drawn at random. The gate is that of the points kept, so it fits their spacing.
    :raises LabellingError: a name in use for "unknown", NaN, or too few distinct points.
    """
    places = np.asarray(points, dtype=np.float32)
    if name == UNKNOWN or not name.strip():
        raise LabellingError(f"A reference phase can't be named {name!r}.")
    if not np.isfinite(places).all():
        raise LabellingError(f"The references of {name} hold NaN or infinity: drop the frame they come from.")
    places = places[distinct_rows(places)[0]] if len(places) else places
    if len(places) < FEWEST_REFERENCES:
        raise LabellingError(
            f"The reference phase {name} has {len(places)} distinct environments, at least {FEWEST_REFERENCES} are "
            "needed: give frames of an MD run, not the crystal at rest."
        )
    if len(places) > most:
        places = places[np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False))]
    # The nearest of its own set is the point itself.
    spacing = k_nearest(places, places, 2)[0][:, 1]
    return Reference(name=name, points=places, gate=float(np.quantile(spacing, quantile)))

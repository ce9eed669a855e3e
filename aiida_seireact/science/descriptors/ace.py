"""The built-in source: ACE invariants of the neighbours' expansion; B2 in the form FLARE computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from aiida_seireact.science.descriptors.b3 import gaunt_terms
from aiida_seireact.science.descriptors.functions import (
    FloatArray,
    bessel_smooth,
    chebyshev_quadratic,
    real_harmonics,
)
from aiida_seireact.science.descriptors.spec import DescriptorSpec, MissingSourceError
from aiida_seireact.science.descriptors.structure import INSTALL, Part, Structure, neighbours_by_slab

RADIAL = {"chebyshev": chebyshev_quadratic, "bessel": bessel_smooth}
# Centres expanded at a time: bounds the memory beside neighbours and result (tens of MB).
CHUNK = 1024


def ace_rows(
    structure: Structure, spec: DescriptorSpec, *, dtype: DTypeLike = np.float32, chunk: int = CHUNK
) -> NDArray[Any]:
    """Return what :func:`ace_blocks` gives, in the order of the centres, ``(n_centres, n_features)``."""
    compute = _computer(structure, spec)
    n_centres = len(structure.centres)
    found: NDArray[Any] | None = None
    for part in neighbours_by_slab(structure, max(spec.cutoff_of)):
        # Only now: what the search has freed is memory at hand.
        found = np.empty((n_centres, spec.n_features), dtype=dtype) if found is None else found
        for some in _pieces(part, chunk):
            if len(part.places) == n_centres:
                compute(part, some, found[some])
            else:
                block = np.empty((len(part.places[some]), spec.n_features), dtype=dtype)
                compute(part, some, block)
                found[part.places[some]] = block
    return np.empty((0, spec.n_features), dtype=dtype) if found is None else found


def ace_blocks(
    structure: Structure, spec: DescriptorSpec, *, dtype: DTypeLike = np.float32, chunk: int = CHUNK
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Compute [B1,] B2 [, B3] around the centres, some at a time; of a large structure slab by slab.

    With ``c[s n, l m] = Σ_j R_n(r_j) Y_lm(r̂_j)`` over neighbours ``j`` of species ``s``,
    ``B1 = c[s n, 0 0]``, ``B2[(s n) ≤ (s' n'), l] = Σ_m c[s n, l m] c[s' n', l m]``, and B3 as
    :func:`b3.gaunt_terms` says. R_n chebyshev is T_n(r / r_c) (r − r_c)²: then B2 equals FLARE's ``B2("chebyshev",
    "quadratic")`` (Vandermause et al., Nat. Commun. 13, 5183 (2022); Drautz, Phys. Rev. B 99, 014104 (2019)), whose
    values grow as r_c⁴. To weigh the same in a distance, B1 is multiplied and B3 divided by r_c² there.

    :param dtype: of the result; computed in float64.
    :param chunk: centres computed at a time.
    :returns: places among the centres ``(n,)`` and their descriptors ``(n, n_features)``.
    :raises DescriptorError: two atoms on each other. :raises MissingSourceError: no numba or matscipy.
    """
    compute = _computer(structure, spec)
    for part in neighbours_by_slab(structure, max(spec.cutoff_of)):
        for some in _pieces(part, chunk):
            block = np.empty((len(part.places[some]), spec.n_features), dtype=dtype)
            compute(part, some, block)
            yield part.places[some], block


def _pieces(part: Part, chunk: int) -> Iterator[slice]:
    for start in range(0, len(part.places), chunk):
        yield slice(start, start + chunk)


def _computer(structure: Structure, spec: DescriptorSpec) -> Callable[[Part, slice, NDArray[Any]], None]:
    """Return a function that writes the descriptors of some centres of a part into ``(n, n_features)``."""
    try:
        from aiida_seireact.science.descriptors import kernels
    except ImportError as error:
        raise MissingSourceError(f"The built-in descriptors need numba ({error}): `{INSTALL}`.") from None

    cutoff_of = np.array(spec.cutoff_of)
    n_channels, n_lm = len(spec.species) * spec.n_max, (spec.l_max + 1) ** 2
    b1 = n_channels if spec.b1 else 0
    b2 = b1 + n_channels * (n_channels + 1) // 2 * (spec.l_max + 1)
    scale = spec.cutoff_ang**2 if spec.radial == "chebyshev" else 1.0

    def compute(part: Part, some: slice, block: NDArray[Any]) -> None:
        starts, rows = part.neighbours.rows_of(part.rows[some])
        channels = structure.channels[part.neighbours.atoms[rows]]
        distances = part.neighbours.distances[rows]
        radial = _radial(distances, cutoff_of[channels], spec)
        x, y, z = (part.neighbours.vectors[rows] / distances[:, None]).T
        angular = np.stack(real_harmonics(x, y, z, spec.l_max))
        c = np.zeros((len(block), n_lm, n_channels))
        kernels.expand(starts, channels, radial, angular, c)
        if spec.b1:
            block[:, :b1] = c[:, 0] * scale
        kernels.power_spectrum(c, spec.l_max, block[:, b1:b2])
        if spec.b3_n_max:
            terms = gaunt_terms(len(spec.species) * spec.b3_n_max, spec.b3_l_max)
            # Channels of B3 are the first radial functions of each species.
            wide = terms.channels // spec.b3_n_max * spec.n_max + terms.channels % spec.b3_n_max
            kernels.bispectrum(c, wide, terms.begin, terms.end, terms.lm, terms.weights, 1 / scale, block[:, b2:])

    return compute


def _radial(distances: FloatArray, cutoffs: FloatArray, spec: DescriptorSpec) -> FloatArray:
    """Return the radial functions, ``(n_max, n)``; zero beyond the cutoff of a neighbour's species."""
    assert spec.radial is not None  # the spec fills it in
    values = RADIAL[spec.radial](distances, cutoffs, spec.n_max)
    return np.where(distances < cutoffs, values, 0.0) if spec.cutoffs_ang else values

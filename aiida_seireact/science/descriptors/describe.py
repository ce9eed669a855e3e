"""The door to descriptors of every source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, DTypeLike, NDArray

from aiida_seireact.science.descriptors.ace import ace_rows
from aiida_seireact.science.descriptors.functions import FloatArray
from aiida_seireact.science.descriptors.pyace import pyace_rows
from aiida_seireact.science.descriptors.soap import soap_rows
from aiida_seireact.science.descriptors.spec import DescriptorSpec
from aiida_seireact.science.descriptors.structure import check_structure

SOURCES = {"ace": ace_rows, "soap": soap_rows, "pyace": pyace_rows}


def describe(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    spec: DescriptorSpec,
    *,
    rows: ArrayLike | None = None,
    dtype: DTypeLike = np.float32,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Compute the descriptors around the atoms of the spec's centre element, by the spec's source.

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)``; :param pbc: ``(3,)``.
    :param rows: which of the centres, by their place among them; None: all.
    :param dtype: of the result, float32 by default; all sources compute in float64.
    :returns: descriptors ``(n_centres, n_features)`` and the atom index of each centre ``(n_centres,)``.
    :raises DescriptorError: an unknown species, NaN, atoms on each other, no atom of the centre element, a source of
        another version than the spec's; its subclass MissingSourceError: the source is not installed here.
    """
    structure = check_structure(positions, numbers, cell, pbc, spec)
    if rows is not None:
        structure = replace(structure, centres=structure.centres[np.asarray(rows, dtype=np.int64)])
    return SOURCES[spec.source](structure, spec, dtype=dtype), structure.centres


def mean_descriptors(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, spec: DescriptorSpec
) -> FloatArray:
    """Return the descriptors averaged over the atoms of each species, ``(n_species, n_features)``.

    One matrix for a frame, whatever its size: frames of one run are compared by it. The centre of the spec is not used;
    a species of which there is no atom has zeros.

    :raises DescriptorError: as :func:`describe`.
    """
    present = set(np.unique(np.asarray(numbers)).tolist())
    means = np.zeros((len(spec.species), spec.n_features))
    for row, symbol in enumerate(spec.species):
        if atomic_numbers[symbol] in present:
            found, _ = describe(positions, numbers, cell, pbc, replace(spec, centre=symbol))
            means[row] = found.mean(axis=0, dtype=np.float64)
    return means

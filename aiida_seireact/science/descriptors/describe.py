"""The door to descriptors of every source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, DTypeLike, NDArray

from aiida_seireact.science.descriptors.ace import ace_blocks, ace_rows
from aiida_seireact.science.descriptors.functions import FloatArray
from aiida_seireact.science.descriptors.pyace import pyace_rows
from aiida_seireact.science.descriptors.soap import soap_rows
from aiida_seireact.science.descriptors.spec import DescriptorSpec
from aiida_seireact.science.descriptors.structure import Structure, check_structure

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
    structure = _chosen(check_structure(positions, numbers, cell, pbc, spec), rows)
    return SOURCES[spec.source](structure, spec, dtype=dtype), structure.centres


def describe_blocks(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    spec: DescriptorSpec,
    *,
    rows: ArrayLike | None = None,
    most: int = 20_000,
    dtype: DTypeLike = np.float32,
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Compute what :func:`describe` does, a block at a time: what is held does not grow with the frame.

    A source other than the built-in one computes the frame whole and only hands out blocks of it.

    :param rows: which of the centres, by their place among them; None: all.
    :param most: centres of a block; all but the last have as many.
    :returns: places in `rows` ``(n,)``, not in order where the frame is large, and the descriptors ``(n, n_features)``,
        whose memory the next block takes.
    :raises DescriptorError: as :func:`describe`.
    """
    structure = _chosen(check_structure(positions, numbers, cell, pbc, spec), rows)
    n_centres = len(structure.centres)
    if spec.source == "ace":
        found = ace_blocks(structure, spec, dtype=dtype)
    else:
        found = iter([(np.arange(n_centres), SOURCES[spec.source](structure, spec, dtype=dtype))])
    places = np.empty(min(most, n_centres), dtype=np.int64)
    block = np.empty((len(places), spec.n_features), dtype=dtype)
    filled = 0
    for which, part in found:
        while len(which):
            taken = min(len(which), len(places) - filled)
            places[filled : filled + taken], block[filled : filled + taken] = which[:taken], part[:taken]
            which, part, filled = which[taken:], part[taken:], filled + taken
            if filled == len(places):
                yield places.copy(), block
                filled = 0
    if filled:
        yield places[:filled].copy(), block[:filled]


def _chosen(structure: Structure, rows: ArrayLike | None) -> Structure:
    return (
        structure if rows is None else replace(structure, centres=structure.centres[np.asarray(rows, dtype=np.int64)])
    )


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

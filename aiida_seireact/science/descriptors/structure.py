"""A structure that descriptors can be made of, checked once for all sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.descriptors.functions import FloatArray
from aiida_seireact.science.descriptors.spec import DescriptorError, DescriptorSpec, MissingSourceError

# Atoms nearer than this have no direction to each other, Å.
SAME_PLACE_ANG = 1e-9
SLAB_ATOMS = 50_000
"""Atoms whose neighbours are held at a time: 6 Å around each take some 100 MB."""
INSTALL = "pip install 'aiida-seireact[classify]'"


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms, their channels and the centres.

    :param positions: ``(n_atoms, 3)``, Å; :param cell: ``(3, 3)``, completed; :param pbc: ``(3,)``.
    :param numbers: ``(n_atoms,)`` atomic numbers; :param channels: ``(n_atoms,)`` index into the spec's species.
    :param centres: ``(n_centres,)`` index of each atom of the centre element.
    """

    positions: FloatArray
    numbers: NDArray[np.int64]
    cell: FloatArray
    pbc: NDArray[np.bool_]
    channels: NDArray[np.int64]
    centres: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Neighbours of all atoms within a cutoff, one row for each, sorted by the atom whose neighbour it is.

    :param first: ``(n_atoms + 1,)`` the rows of atom ``i`` are ``first[i]`` to ``first[i + 1]``.
    :param atoms: ``(n_pairs,)`` the neighbour; :param vectors: ``(n_pairs, 3)`` the way there, Å.
    :param distances: ``(n_pairs,)``, Å.
    """

    first: NDArray[np.int64]
    atoms: NDArray[np.int32]
    vectors: FloatArray
    distances: FloatArray

    def rows_of(self, centres: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the neighbours of some centres, and where those of each start, ``(n_centres + 1,)``.

        :returns: starts and rows.
        """
        counts = self.first[centres + 1] - self.first[centres]
        starts = np.zeros(len(centres) + 1, dtype=np.int64)
        np.cumsum(counts, out=starts[1:])
        return starts, np.repeat(self.first[centres] - starts[:-1], counts) + np.arange(int(starts[-1]))


def check_structure(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, spec: DescriptorSpec
) -> Structure:
    """Return what is checked.

    :raises DescriptorError: NaN, a species the spec lacks, no atom of the centre element.
    """
    places = np.asarray(positions, dtype=np.float64)
    elements = np.asarray(numbers)
    lattice = np.asarray(complete_cell(np.asarray(cell, dtype=np.float64)))
    if not (np.isfinite(places).all() and np.isfinite(lattice).all()):
        raise DescriptorError("Positions or cell hold NaN or infinity, so there are no descriptors.")
    channels = _channels(elements, spec.species)
    centres = np.flatnonzero(elements == atomic_numbers[spec.centre])
    if not len(centres):
        raise DescriptorError(f"The structure holds no {spec.centre}, whose environments are asked for.")
    return Structure(places, elements, lattice, np.asarray(pbc, dtype=bool), channels, centres)


def find_neighbours(structure: Structure, cutoff_ang: float, names: NDArray[np.int64] | None = None) -> Neighbours:
    """Return all neighbours, images of an atom in a small cell among them.

    :param names: ``(n_atoms,)`` what messages call the atoms; None: their index.
    :raises DescriptorError: two atoms on each other. :raises MissingSourceError: no matscipy.
    """
    # Imported here: programs that only name a spec need not have it.
    try:
        from matscipy.neighbours import neighbour_list
    except ImportError:
        raise MissingSourceError(f"Descriptors need matscipy, which is not installed: `{INSTALL}`.") from None

    i, j, distances, vectors = neighbour_list(
        "ijdD", positions=structure.positions, cell=structure.cell, pbc=structure.pbc, cutoff=float(cutoff_ang)
    )
    if len(distances) and distances.min() < SAME_PLACE_ANG:
        nearest = distances.argmin()
        pair = sorted((int(of[nearest]) if names is None else int(names[of[nearest]])) for of in (i, j))
        raise DescriptorError(f"Atoms {pair[0]} and {pair[1]} lie on each other.")
    first = np.searchsorted(i, np.arange(len(structure.positions) + 1))
    return Neighbours(first, j, vectors, distances)


@dataclass(frozen=True, eq=False)
class Part:
    """Centres that lie together, and the neighbours of them.

    :param places: ``(n,)`` place of each among the centres of the structure.
    :param rows: ``(n,)`` what `neighbours` calls them: give these to :meth:`Neighbours.rows_of`.
    :param neighbours: whose ``atoms`` are those of the whole structure.
    """

    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    neighbours: Neighbours


def neighbours_by_slab(structure: Structure, cutoff_ang: float, most: int | None = None) -> Iterator[Part]:
    """Yield the neighbours of all centres; of a large structure slab by slab, so that not all are held at once.

    Slabs are cut across the longest periodic height, as thick as two cutoffs at least, each with what is within reach
    of it on both sides. Which slabs there are does not hang on the centres.

    :param most: atoms of a slab, about; a structure of fewer is taken whole. None: :data:`SLAB_ATOMS`.
    :raises DescriptorError: two atoms on each other. :raises MissingSourceError: no matscipy.
    """
    n_atoms = len(structure.positions)
    inverse = np.linalg.inv(structure.cell)
    heights = np.where(structure.pbc, 1.0 / np.linalg.norm(inverse, axis=0), 0.0)
    axis = int(np.argmax(heights))
    n_slabs = min(-(-n_atoms // (most or SLAB_ATOMS)), int(heights[axis] / (2 * cutoff_ang)))
    if n_slabs < 2:
        yield Part(np.arange(len(structure.centres)), structure.centres, find_neighbours(structure, cutoff_ang))
        return
    fractions = structure.positions @ inverse[:, axis]
    turns = np.floor(fractions)
    turns[fractions - turns >= 1.0] += 1.0  # −1e-17 + 1 is 1
    along = np.maximum(fractions - turns, 0.0)
    slab = np.minimum((along * n_slabs).astype(np.int64), n_slabs - 1)
    reach = cutoff_ang / float(heights[axis])
    pbc = structure.pbc.copy()
    pbc[axis] = False
    for number in range(n_slabs):
        places = np.flatnonzero(slab[structure.centres] == number)
        if not len(places):
            continue
        begin, length = number / n_slabs - reach, 1 / n_slabs + 2 * reach
        above = (along - begin) % 1.0
        # Not by its height alone: what rounding puts on the other side of a cut is still of its slab.
        atoms = np.flatnonzero((above <= length) | (slab == number))
        # In one piece, a little inside of a cell that is open on both sides.
        around = np.rint(above[atoms] - along[atoms] + begin)
        shift = around - turns[atoms] - begin + 0.01
        cell = structure.cell.copy()
        cell[axis] *= length + 0.02
        piece = Structure(
            structure.positions[atoms] + shift[:, None] * structure.cell[axis],
            structure.numbers[atoms],
            cell,
            pbc,
            structure.channels[atoms],
            np.zeros(0, dtype=np.int64),
        )
        found = find_neighbours(piece, cutoff_ang, atoms)
        rows = np.searchsorted(atoms, structure.centres[places])
        yield Part(places, rows, replace(found, atoms=atoms[found.atoms].astype(np.int32)))


def check_apart(structure: Structure) -> None:
    """Do nothing where no two atoms lie on each other: for sources with a neighbour list of their own.

    :raises DescriptorError: two do. :raises MissingSourceError: no matscipy.
    """
    find_neighbours(structure, 0.5)


def _channels(numbers: NDArray[np.int64], species: Sequence[str]) -> NDArray[np.int64]:
    table = np.full(max(len(chemical_symbols), int(numbers.max(initial=0)) + 1), -1)
    table[[atomic_numbers[symbol] for symbol in species]] = np.arange(len(species))
    channels = table[numbers]
    if (channels < 0).any():
        unknown = sorted({chemical_symbols[number] for number in numbers[channels < 0].tolist()})
        raise DescriptorError(
            f"The structure holds {', '.join(unknown)}, but the descriptors know only {', '.join(species)}: "
            "add the species to the spec (of references and trajectory alike)."
        )
    return np.asarray(channels)

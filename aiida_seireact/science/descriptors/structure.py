"""A structure that descriptors can be made of, checked once for all sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.descriptors.functions import FloatArray
from aiida_seireact.science.descriptors.spec import DescriptorError, DescriptorSpec, MissingSourceError

# Atoms nearer than this have no direction to each other, Å.
SAME_PLACE_ANG = 1e-9
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


def find_neighbours(structure: Structure, cutoff_ang: float) -> Neighbours:
    """Return all neighbours, images of an atom in a small cell among them.

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
        raise DescriptorError(f"Atoms {i[nearest]} and {j[nearest]} lie on each other.")
    first = np.searchsorted(i, np.arange(len(structure.positions) + 1))
    return Neighbours(first, j, vectors, distances)


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

"""What several Gaussian processes together do not know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import complete_cell
from numpy.typing import NDArray

from aiida_seireact.science.sparse_gp import SparseGP, standard_deviations


def deviations_where_known(gp: SparseGP, atoms: Atoms) -> NDArray[np.float64]:
    """Return the relative standard deviation of each atom's energy, ``(n_atoms,)``, 1 where a species is foreign.

    An environment is an atom with its neighbours within the cutoff. If it holds a species that the process does not
    have, nothing is known of it; of the others the process is asked, and atoms beyond the cutoff don't matter to it.

    :raises SparseGPError: NaN, or two atoms in one place.
    """
    known = np.isin(atoms.numbers, [atomic_numbers[symbol] for symbol in gp.species])
    found = np.ones(len(atoms))
    if known.all():
        return standard_deviations(gp, atoms)
    if not known.any():
        return found

    from matscipy.neighbours import neighbour_list

    cell = np.asarray(complete_cell(atoms.cell.array))
    i, j = neighbour_list("ij", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=float(gp.cutoff_ang))
    whole = known.copy()
    whole[i[~known[j]]] = False
    found[whole] = standard_deviations(gp, atoms[known])[whole[known]]
    return found


def least_deviations(gps: Sequence[SparseGP], atoms: Atoms) -> NDArray[np.float64]:
    """Return for each atom the smallest deviation of any process, ``(n_atoms,)``: known to one is known.

    :param gps: at least one, each trained under its own condition.
    :raises SparseGPError: NaN, or two atoms in one place.
    """
    return np.asarray(np.min([deviations_where_known(gp, atoms) for gp in gps], axis=0))

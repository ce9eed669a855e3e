"""What several models together do not know: Gaussian processes, or the members of a committee."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray

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


def committee_deviation(forces: ArrayLike) -> NDArray[np.float64]:
    """Return for each atom how far the members of a committee are apart, ``(n_atoms,)``, eV/Å.

    The root mean square over the members of the length of their forces' deviation from the mean force, with the number
    of members in the denominator: the "force deviation" of DP-GEN (Zhang et al., Comput. Phys. Commun. 253, 107206
    (2020)). Its largest value in a frame is what selection goes by, ``committee_deviation(forces).max()``.

    :param forces: ``(n_members, n_atoms, 3)``, of one frame or of many in one row, eV/Å.
    :raises ValueError: fewer than two members, or another shape.
    """
    members = np.asarray(forces, dtype=np.float64)
    if members.ndim != 3 or members.shape[2] != 3:
        raise ValueError(f"Forces of a committee have the shape (n_members, n_atoms, 3), not {members.shape}.")
    if len(members) < 2:
        raise ValueError("One member has nobody to deviate from: a committee has two or more.")
    deviations = members - members.mean(axis=0)
    return np.asarray(np.sqrt(np.square(deviations).sum(axis=2).mean(axis=0)))

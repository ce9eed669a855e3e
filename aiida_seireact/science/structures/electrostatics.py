"""Electrostatic energy of point charges on the sites of a periodic cell, by pymatgen's Ewald summation.

All arrangements of a crystal share their sites, so the sum is done once, for unit charges: each arrangement then is
one product with its charges.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

FloatArray = NDArray[np.float64]

MAX_SITES = 2000
"""1,000 sites take 2.5 s and 0.2 GB, 1,728 take 6 s and 0.4 GB, both on one core; both grow with the square."""

NEUTRAL_E = 1e-4
"""Charge in e of a cell that counts as none: charges that are thirds do not add up to zero."""


def interactions(cell: ArrayLike, fractional: ArrayLike) -> FloatArray:
    """Return the energy of unit charges on the sites of a periodic cell, ``(n_sites, n_sites)`` in eV/e².

    Of charges ``q`` that sum to zero, the energy of the cell is ``q @ interactions @ q``: the background that balances
    the unit charges drops out. Sites at one and the same place do not see each other, so never fill both.

    :param cell: ``(3, 3)`` in Å, rows are lattice vectors.
    :param fractional: ``(n_sites, 3)`` fractional coordinates.
    :raises ValueError: more than `MAX_SITES` sites.

    Source: A. Y. Toukmaji, J. A. Board, Comput. Phys. Commun. 95, 73 (1996), as `pymatgen.core.ewald` has it.
    """
    from pymatgen.core.ewald import EwaldSummation

    sites = np.asarray(fractional, dtype=np.float64).reshape(-1, 3)
    check_size(len(sites))
    unit = Structure(Lattice(np.asarray(cell, dtype=np.float64)), ["H+"] * len(sites), sites)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that unit charges are not neutral
        return np.asarray(EwaldSummation(unit).total_energy_matrix, dtype=np.float64)


def check_size(n_sites: int) -> None:
    """Refuse cells of which `interactions` would take too long.

    :raises ValueError: more than `MAX_SITES` sites.
    """
    if n_sites > MAX_SITES:
        raise ValueError(
            f"{n_sites} sites are too many for an Ewald sum, which takes seconds at 1,000 and grows with the "
            f"square: rank cells of at most {MAX_SITES} sites, or leave out the ranking."
        )


def energy(matrix: FloatArray, charges: ArrayLike) -> float:
    """Return the energy in eV of a neutral cell.

    :param matrix: of `interactions`.
    :param charges: ``(n_sites,)`` in e, zero on an empty site.
    :raises ValueError: the charges do not sum to zero, so that the energy has no limit.
    """
    q = np.asarray(charges, dtype=np.float64)
    if abs(q.sum()) > NEUTRAL_E:
        raise ValueError(
            f"The cell has a charge of {q.sum():+.4g} e, and an infinite crystal of it has no electrostatic energy: "
            "rank neutral cells."
        )
    return float(q @ matrix @ q)

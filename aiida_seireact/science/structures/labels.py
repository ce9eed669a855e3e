"""One label for the sites of one sublattice, where a file without symmetry gives each site a label of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import spglib
from pymatgen.core.structure import Structure

SYMPREC_ANG = 1e-2
"""Files without symmetry have rounded coordinates: four decimals of 10 Å are 0.001 Å."""


def with_joined_labels(crystal: Structure) -> Structure:
    """Return a crystal in which disordered sites that symmetry maps onto each other share the first one's label.

    Only sites that are alone with their label are joined, so that labels which tell sublattices apart stay. Without
    it each site would be a sublattice of one site, whose occupancy of a half is no random choice but a rounded number.
    """
    labels = [str(site.label) for site in crystal]
    count = Counter(labels)
    lone = [index for index, site in enumerate(crystal) if count[labels[index]] == 1 and not site.is_ordered]
    if len(lone) < 2:
        return crystal
    kinds: dict[str, int] = {}
    types = [kinds.setdefault(str(site.species), len(kinds)) for site in crystal]
    cell = (crystal.lattice.matrix.tolist(), crystal.frac_coords.tolist(), types)
    found: Any = spglib.get_symmetry_dataset(cell, symprec=SYMPREC_ANG)
    if found is None:  # sites on each other: no two of them are told to be alike
        return crystal
    first: dict[int, str] = {}
    for index in lone:
        labels[index] = first.setdefault(int(found.equivalent_atoms[index]), labels[index])
    return Structure(crystal.lattice, [site.species for site in crystal], crystal.frac_coords, labels=labels)

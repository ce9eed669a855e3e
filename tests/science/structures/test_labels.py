"""A file without symmetry is drawn like one with it."""

from __future__ import annotations

from collections import Counter

from pymatgen.core.structure import Structure
from pymatgen.io.cif import CifWriter

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.labels import with_joined_labels


def without_symmetry() -> Structure:
    """Li6PS5Cl with a label for each site, as a file in P1 has them."""
    crystal = library.structure("Li6PS5Cl")
    labels = [f"{site.label}{index}" for index, site in enumerate(crystal)]
    return Structure(crystal.lattice, [site.species for site in crystal], crystal.frac_coords, labels=labels)


def test_sublattices_of_a_cif_without_symmetry_are_those_of_the_crystal() -> None:
    cell = DisorderedCell.from_structure(library.from_cif(str(CifWriter(without_symmetry()))))
    mixed = {(part.n_sites, part.has_vacancies) for part in cell.sublattices if len(part.ions) > 1}
    assert mixed == {(4, False)}
    assert [part.n_sites for part in cell.sublattices if part.has_vacancies] == [48]
    draws = [cell.draw(seed) for seed in range(4)]
    assert len({drawn.choice.tobytes() for drawn in draws}) == 4
    assert cell.counts() == {"Li": 24, "P": 4, "S": 20, "Cl": 4}


def test_ordered_sites_and_labels_of_several_sites_stay() -> None:
    joined = with_joined_labels(without_symmetry())
    count = Counter(str(site.label) for site in joined)
    assert sorted(count.values(), reverse=True)[:3] == [48, 4, 4]
    assert len(count) == 3 + 4 + 16  # P and S keep a label for each site
    crystal = library.structure("Li6PS5Cl")
    assert with_joined_labels(crystal) is crystal

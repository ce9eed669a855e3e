"""Ewald sums: Madelung constants that are known, and what no choice of cell may change."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core.ewald import EwaldSummation
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from scipy import constants

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.electrostatics import MAX_SITES, energy, interactions

COULOMB_EV_ANG = constants.e / (4 * np.pi * constants.epsilon_0) * 1e10


def of(crystal: Structure) -> float:
    """Energy of an ordered crystal with oxidation states, eV a cell."""
    charges = [site.specie.oxi_state for site in crystal]
    return energy(interactions(crystal.lattice.matrix, crystal.frac_coords), charges)


@pytest.mark.parametrize(
    ("group", "anion", "nearest", "madelung"),
    [
        ("Fm-3m", (0.5, 0.5, 0.5), 0.5, 1.747565),  # rock salt
        ("Pm-3m", (0.5, 0.5, 0.5), np.sqrt(3) / 2, 1.762675),  # CsCl
        ("F-43m", (0.25, 0.25, 0.25), np.sqrt(3) / 4, 1.638055),  # zinc blende
    ],
)
def test_madelung_constants(group: str, anion: tuple[float, ...], nearest: float, madelung: float) -> None:
    a = 5.14  # Å, of LiCl
    crystal = Structure.from_spacegroup(group, Lattice.cubic(a), ["Li+", "Cl-"], [[0, 0, 0], anion])
    per_pair = of(crystal) / (len(crystal) / 2)
    assert -per_pair * nearest * a / COULOMB_EV_ANG == pytest.approx(madelung, abs=1e-6)


def test_the_librarys_lithium_chloride_is_rock_salt() -> None:
    crystal = library.structure("LiCl")
    assert -of(crystal) / 4 * crystal.lattice.a / 2 / COULOMB_EV_ANG == pytest.approx(1.747565, abs=1e-5)


@pytest.fixture(scope="module")
def skew() -> Structure:
    return Structure(
        Lattice.from_parameters(4.1, 5.3, 6.2, 80, 101, 113), ["Li+", "Li+", "S2-"],
        [[0.1, 0.2, 0.3], [0.6, 0.5, 0.8], [0.3, 0.8, 0.1]],
    )  # fmt: skip


def test_neither_origin_nor_supercell_changes_the_energy_of_an_atom(skew: Structure) -> None:
    moved = skew.copy()
    moved.translate_sites([0, 1, 2], [0.37, 4.2, -1.6], to_unit_cell=False)
    assert of(moved) == pytest.approx(of(skew), abs=1e-8)
    for matrix in ([2, 1, 2], [[1, 1, 0], [-1, 1, 0], [0, 1, 2]]):
        larger = skew.make_supercell(matrix, in_place=False)
        assert of(larger) / len(larger) == pytest.approx(of(skew) / len(skew), abs=1e-8)


def test_empty_sites_do_not_count() -> None:
    cell = DisorderedCell.from_structure(library.structure("Li6PS5Cl"))
    drawn = cell.draw(3)
    atoms = drawn.to_ase()
    alone = Structure(Lattice(atoms.cell.array), list(atoms.symbols), atoms.get_scaled_positions())
    alone.add_oxidation_state_by_site(drawn.charges.tolist())
    assert energy(interactions(cell.cell, cell.fractional), drawn.site_charges) == pytest.approx(
        EwaldSummation(alone).total_energy, abs=1e-6
    )


def test_charged_and_large_cells_are_refused(skew: Structure) -> None:
    matrix = interactions(skew.lattice.matrix, skew.frac_coords)
    with pytest.raises(ValueError, match=r"has a charge of \+1 e"):
        energy(matrix, [1, 1, -1])
    with pytest.raises(ValueError, match=f"2001 sites are too many .* at most {MAX_SITES} sites"):
        interactions(np.eye(3) * 40, np.zeros((MAX_SITES + 1, 3)))

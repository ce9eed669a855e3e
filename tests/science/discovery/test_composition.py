from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.science.discovery import composition
from aiida_seireact.science.discovery.surroundings import Surroundings
from aiida_seireact.science.structures.argyrodite import argyrodite
from tests.science.discovery import cells

CUTOFFS = {16: 3.4, 15: 3.4, 17: 3.4}
ANIONS = (16, 15, 17)


def shells_of(atoms: Atoms) -> tuple[Surroundings, np.ndarray, np.ndarray]:
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 4.0)
    centres = np.flatnonzero(atoms.numbers == 3)
    return frame, centres, frame.nearest(centres, ANIONS, 4, CUTOFFS)[0]


def amounts_of(atoms: Atoms, members: np.ndarray | None = None) -> dict[str, float]:
    frame, centres, shells = shells_of(atoms)
    mine = np.ones(len(centres), dtype=bool) if members is None else members
    weights = composition.shares(shells, mine, len(atoms))
    weights = composition.with_enclosed(weights, *composition.enclosed(frame, shells, ANIONS))
    return composition.amounts(weights, atoms.numbers, mine.sum(), "Li")


def test_a_mixed_crystal_has_the_counts_of_its_generator_however_it_is_rattled() -> None:
    atoms = cells.mixed(1)
    wanted = {symbol: float(atoms.symbols.count(symbol)) for symbol in ("Li", "Cl", "P", "S")}
    for sigma in (0.0, 0.1, 0.15):
        assert amounts_of(cells.rattled(atoms, 2, sigma)) == pytest.approx(wanted)
    assert composition.formula(wanted, "Li") == "Li2S0.72P0.14Cl0.14"


@pytest.mark.parametrize(
    ("atoms", "formula"), [(cells.li3p(), "Li3P"), (cells.licl(), "LiCl"), (cells.lithium(), "Li")]
)
def test_crystals_have_their_formula(atoms: Atoms, formula: str) -> None:
    assert composition.formula(amounts_of(cells.rattled(atoms, 3, 0.1)), "Li") == formula


def test_phosphorus_inside_ps4_is_counted_with_its_sulfur() -> None:
    atoms = argyrodite(seed=1)
    found = amounts_of(atoms)
    assert found == pytest.approx({s: float(atoms.symbols.count(s)) for s in ("Li", "Cl", "P", "S")})


def test_parts_add_up_to_the_whole_and_environments_of_one_kind_hold_their_own_anions() -> None:
    atoms = cells.mixed(4)
    around = cells.anions_around(atoms)
    frame = cells.rattled(atoms, 5, 0.1)
    kinds, of = np.unique(around, axis=0, return_inverse=True)
    parts = [amounts_of(frame, of.ravel() == number) for number in range(len(kinds))]
    for symbol in ("Li", "Cl", "P", "S"):
        assert sum(part.get(symbol, 0.0) for part in parts) == pytest.approx(atoms.symbols.count(symbol))
    (only,) = [part for kind, part in zip(kinds, parts, strict=True) if kind.tolist() == [16, 16, 16, 17]]
    # Each Li takes an eighth of each of its four anions.
    assert only["Cl"] == pytest.approx(only["Li"] / 8)
    assert composition.formula(only, "Li") == "Li2S0.75Cl0.25"


def test_composition_is_that_of_a_supercell_and_of_a_turned_cell() -> None:
    atoms = cells.rattled(cells.mixed(6, 2), 7, 0.1)
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    assert amounts_of(turned) == pytest.approx(amounts_of(atoms))
    assert amounts_of(atoms.repeat((2, 1, 1))) == pytest.approx({k: 2 * v for k, v in amounts_of(atoms).items()})


def test_anions_beyond_the_cutoff_are_no_neighbours() -> None:
    atoms = Atoms("LiS4", [[0, 0, 0], [2.5, 0, 0], [-2.5, 0, 0], [0, 2.5, 0], [0, 0, 3.9]], cell=[20] * 3, pbc=True)
    _, _, shells = shells_of(atoms)
    assert sorted(shells[0].tolist()) == [-1, 1, 2, 3]

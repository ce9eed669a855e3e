from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.discovery.order import Recurrence, tetrahedrality
from aiida_seireact.science.discovery.surroundings import Surroundings
from tests.science.discovery import cells


def order_of(atoms: Atoms) -> float:
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 10.0)
    centres = np.flatnonzero(atoms.numbers == 3)
    return Recurrence(frame, centres).crystallinity(centres).value


CRYSTALS = {"Li": cells.lithium(), "mixed": cells.mixed(1), "Li3P": cells.li3p(), "LiCl": cells.licl()}


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_crystal_at_rest_has_one_and_a_warm_one_clearly_more_than_a_glass(name: str) -> None:
    assert order_of(CRYSTALS[name]) == pytest.approx(1.0, abs=1e-4)
    assert order_of(cells.rattled(CRYSTALS[name], 2, 0.15)) > 0.55
    assert order_of(cells.rattled(CRYSTALS[name], 2, 0.10)) > 0.7


def test_a_glass_has_none() -> None:
    assert abs(order_of(cells.glass(3))) < 0.1


def test_order_does_not_depend_on_how_the_cell_lies() -> None:
    atoms = cells.rattled(cells.mixed(1), 2, 0.15)
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    assert order_of(turned) == pytest.approx(order_of(atoms), abs=0.03)  # the random turns lie otherwise
    assert order_of(atoms.repeat((2, 1, 1))) == pytest.approx(order_of(atoms), abs=0.05)  # 40 other centres


def test_centres_without_company_are_not_judged() -> None:
    atoms = Atoms("LiS", [[0, 0, 0], [2.4, 0, 0]], cell=[30] * 3, pbc=True)
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 10.0)
    found = Recurrence(frame, [0]).crystallinity([0])
    assert np.isnan(found.value)
    assert found.n_centres == 0


def test_tetrahedra_have_one_and_random_directions_none() -> None:
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
    random = np.random.default_rng(1).normal(size=(20_000, 4, 3))
    assert tetrahedrality(corners[None]) == pytest.approx([1.0])
    assert tetrahedrality(random).mean() == pytest.approx(0.0, abs=0.02)
    assert np.isnan(tetrahedrality(np.full((1, 4, 3), np.nan))).all()


def test_atoms_adrift_do_not_spoil_what_is_known_of_the_others() -> None:
    # Five Li see each other within 10 Å, and nothing within 5 Å.
    crystal = bulk("Li", "bcc", a=3.42, cubic=True).repeat(4)
    lone = [[2, 2, 30], [9, 2, 30], [2, 9, 30], [2, 2, 37], [9, 9, 30]]
    atoms = crystal + Atoms("Li5", lone)
    atoms.cell[2, 2] = 60.0
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 10.0)
    whole = Recurrence(frame, np.arange(len(atoms))).crystallinity(np.arange(128, 133))
    assert (whole.n_centres, np.isnan(whole.value)) == (0, True)
    mixed = Recurrence(frame, np.arange(len(atoms))).crystallinity(np.arange(len(atoms)), most=200)
    assert np.isfinite(mixed.value)
    assert mixed.n_centres == 128

"""Cells cut out of large frames."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.contacts import too_close
from aiida_seireact.science.cutouts import Cutout, CutoutError, cut_out, densest
from aiida_seireact.science.descriptors import DescriptorSpec, describe


def crystal(repeat: tuple[int, int, int], rattle: float = 0.05, seed: int = 1) -> Atoms:
    atoms = bulk("LiF", "rocksalt", a=4.03, cubic=True) * repeat
    atoms.set_chemical_symbols(["S" if symbol == "F" else symbol for symbol in atoms.get_chemical_symbols()])
    atoms.set_cell(atoms.cell.array * 1.27, scale_atoms=True)  # 5.12 Å, the size of LiCl
    atoms.rattle(rattle, seed=seed)
    return atoms


def cut(atoms: Atoms, centre: int, **settings: float) -> Cutout:
    return cut_out(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, centre, **settings)


def as_atoms(frame: Atoms, found: Cutout) -> Atoms:
    return Atoms(frame.numbers[found.atoms], positions=found.positions, cell=found.cell, pbc=frame.pbc)


def environment(atoms: Atoms, centre: int, reach: float) -> np.ndarray:
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=reach, centre=str(atoms.symbols[centre]))
    found, rows = describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
    return found[rows.tolist().index(centre)]


@pytest.mark.parametrize("shear", [0.0, 3.0])
def test_the_environment_of_the_centre_is_that_of_the_frame(shear: float) -> None:
    frame = crystal((6, 5, 5))
    cell = frame.cell.array
    cell[2, 0] += shear
    frame.set_cell(cell, scale_atoms=True)
    centre = 77
    found = cut(frame, centre, core_ang=6.0, edge_ang=14.5)
    small = as_atoms(frame, found)
    assert found.cut.all()
    assert found.atoms[found.centre] == centre
    assert len(small) < len(frame) / 5
    np.testing.assert_allclose(environment(small, found.centre, 6.0), environment(frame, centre, 6.0), rtol=1e-5)


def test_no_atoms_come_too_near_across_the_seam() -> None:
    rng = np.random.default_rng(3)
    for seed in range(5):
        frame = crystal((5, 5, 5), rattle=0.5, seed=seed)
        found = cut(frame, int(rng.integers(len(frame))), core_ang=4.0, edge_ang=10.3)
        own = {pair.atoms for pair in too_close(frame.positions, frame.numbers, frame.cell.array, frame.pbc)}
        small = as_atoms(frame, found)
        new = too_close(small.positions, small.numbers, small.cell.array, small.pbc)
        assert {tuple(found.atoms[list(pair.atoms)].tolist()) for pair in new} <= own


def test_a_crystal_is_cut_to_whole_cells() -> None:
    # 10.24 Å are two cells: a cut there has no seam at all, and nothing is taken out.
    frame = crystal((6, 6, 6), rattle=0.0)
    found = cut(frame, 0, core_ang=4.0, edge_ang=10.3)
    assert found.n_removed == 0
    small = as_atoms(frame, found)
    for atom in (0, 5):
        np.testing.assert_allclose(
            environment(small, atom, 4.0), environment(frame, int(found.atoms[atom]), 4.0), rtol=0.1, atol=0.01
        )


def test_a_direction_that_is_short_keeps_its_period() -> None:
    frame = crystal((2, 2, 9))
    found = cut(frame, 10, core_ang=6.0, edge_ang=14.0)
    assert found.cut.tolist() == [False, False, True]
    np.testing.assert_array_equal(found.cell[:2], frame.cell.array[:2])
    assert found.cell[2, 2] < 14.01
    assert found.core.sum() > 30


def test_a_small_frame_stays_whole() -> None:
    frame = crystal((2, 2, 2))
    found = cut(frame, 3, core_ang=6.0, edge_ang=14.5)
    assert not found.cut.any()
    assert len(found.atoms) == len(frame)
    assert found.n_removed == 0


def test_near_pairs_of_the_run_itself_stay() -> None:
    frame = crystal((5, 5, 5), rattle=0.0)
    frame.positions[9] = frame.positions[8] + [0.8, 0.0, 0.0]
    found = cut(frame, 8, core_ang=4.0, edge_ang=10.3)
    assert {8, 9} <= set(found.atoms.tolist())


def test_wrapping_and_order_of_atoms_change_nothing() -> None:
    frame = crystal((5, 4, 6))
    moved = frame.copy()
    moved.positions += np.array([7.1, -3.0, 11.0])
    moved.wrap()
    first, second = cut(frame, 40), cut(moved, 40)
    np.testing.assert_array_equal(first.atoms, second.atoms)
    np.testing.assert_allclose(first.cell, second.cell)


def test_an_edge_without_room_for_the_core_is_refused() -> None:
    with pytest.raises(CutoutError, match="edge_ang must be at least 13.7"):
        cut(crystal((4, 4, 4)), 0, core_ang=6.0, edge_ang=12.5)
    with pytest.raises(CutoutError, match="no atom 9999"):
        cut(crystal((4, 4, 4)), 9999)


def test_the_densest_is_in_the_middle_of_the_crowd() -> None:
    places = np.array([[1.0, 1, 1], [10, 10, 10], [11, 10, 10], [9, 10, 10], [19.5, 1, 1]])
    cell = 20.0 * np.eye(3)
    assert densest(places, cell, [True] * 3, [0, 1, 2, 3, 4], reach_ang=1.2) == 1
    # Atom 4 is near atom 0 across the boundary.
    assert densest(places, cell, [True] * 3, [4, 0, 3], reach_ang=2.0) == 4
    assert densest(places, cell, [False] * 3, [2, 4, 1], reach_ang=2.0) == 2

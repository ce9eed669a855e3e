"""Clusters and percolation on nets whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.analysis import Clusters, bonded_clusters

BOX = np.diag([12.0, 12.0, 12.0])


def clusters(positions: object, cell: np.ndarray = BOX, cutoff: float = 3.3, pbc: object = True) -> Clusters:
    return bonded_clusters(np.asarray(positions, dtype=float), cell, np.broadcast_to(pbc, 3), cutoff)


def row(axis: int, n: int = 4, at: float = 1.0) -> np.ndarray:
    places = np.full((n, 3), at)
    places[:, axis] = np.arange(n) * 3.0
    return places


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shift", [0.0, -7.3, 1000.1])
def test_a_chain_wraps_along_its_axis_wherever_the_cell_is_cut(axis: int, shift: float) -> None:
    found = clusters(row(axis) + shift)
    assert found.sizes.tolist() == [4]
    assert found.dimensions.tolist() == [1]
    assert found.wraps.tolist() == [[axis == other for other in range(3)]]


def test_a_cut_chain_an_island_and_an_open_boundary_do_not_wrap() -> None:
    for found in (clusters(row(2)[:3]), clusters(row(2), pbc=[True, True, False])):
        assert found.dimensions.tolist() == [0]
        assert not found.wraps.any()
    across = clusters([[11.5, 1, 1], [0.5, 1, 1], [5, 5, 5]])
    assert across.sizes.tolist() == [2, 1]  # the first two are bonded through the boundary, an island all the same
    assert across.dimensions.tolist() == [0, 0]
    assert across.members.tolist() == [0, 0, 1]


def test_a_layer_has_two_dimensions_and_a_net_three() -> None:
    layer = [[x, y, 5.0] for x in range(0, 12, 3) for y in range(0, 12, 3)]
    found = clusters(layer)
    assert found.dimensions.tolist() == [2]
    assert found.wraps.tolist() == [[True, True, False]]
    cubic = bulk("Po", "sc", a=3.0).repeat(4)
    assert clusters(cubic.positions).dimensions.tolist() == [3]
    # One atom alone, bonded to its own images: the smallest cell of the same net.
    primitive = clusters([[0.0, 0, 0]], np.diag([3.0] * 3))
    assert primitive.dimensions.tolist() == [3]
    assert primitive.sizes.tolist() == [1]


def test_rods_side_by_side_are_clusters_of_their_own() -> None:
    found = clusters(np.concatenate([row(0, at=1.0), row(2, at=6.0), [[9.5, 9.5, 1.0]]]))
    assert found.sizes.tolist() == [4, 4, 1]
    assert found.dimensions.tolist() == [1, 1, 0]
    assert sorted(found.wraps[:2].tolist()) == [[False, False, True], [True, False, False]]


def test_a_chain_that_closes_only_after_two_cells_wraps_all_the_same() -> None:
    """Skewed so that the chain leaves at x = 12 and enters on the other strand: its period is two cells long."""
    cell = np.array([[12.0, 6.0, 0], [0, 12.0, 0], [0, 0, 12.0]])
    strands = np.concatenate([np.c_[np.arange(4) * 3.0, np.full(4, y), np.full(4, 1.0)] for y in (0.0, 6.0)])
    found = clusters(strands, cell)
    assert found.sizes.tolist() == [8]
    assert found.dimensions.tolist() == [1]
    # From an atom to its image 2a − b: along x after two cells.
    assert found.wraps.tolist() == [[True, True, False]]
    supercell = Atoms("Li8", strands, cell=cell, pbc=True).repeat((2, 1, 1))
    doubled = clusters(supercell.positions, supercell.cell.array)
    assert doubled.sizes.tolist() == [8, 8]
    assert doubled.dimensions.tolist() == [1, 1]


def test_random_nets_do_not_depend_on_order_or_wrapping() -> None:
    rng = np.random.default_rng(4)
    cell = np.array([[11.0, 0, 0], [3, 10, 0], [-2, 4, 12]])
    for n in (10, 40, 80):
        places = rng.random((n, 3)) @ cell
        found = clusters(places, cell)
        order = rng.permutation(n)
        moved = clusters((places + rng.integers(-3, 4, (n, 3)) @ cell)[order], cell)
        assert moved.sizes.tolist() == found.sizes.tolist()
        assert sorted(map(tuple, np.c_[moved.dimensions, moved.wraps])) == sorted(
            map(tuple, np.c_[found.dimensions, found.wraps])
        )
        same = found.members[order][:, None] == found.members[order][None]
        assert (same == (moved.members[:, None] == moved.members[None])).all()


def test_supercells_keep_the_dimension() -> None:
    rng = np.random.default_rng(5)
    atoms = Atoms("Li12", scaled_positions=rng.random((12, 3)), cell=[7, 8, 9], pbc=True)
    one = clusters(atoms.positions, atoms.cell.array)
    many = atoms.repeat((2, 2, 3))
    assert clusters(many.positions, many.cell.array).dimensions.max() == one.dimensions.max()


def test_bonds_as_long_as_the_cutoff_do_not_close_ways_that_are_not_there() -> None:
    # Rounding puts such a bond inside in one direction and outside in the other.
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, n = rng.uniform(2.0, 4.0), int(rng.integers(3, 6))
        grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        some = rng.permutation(grid * a + rng.uniform(0.0, 1.0, 3))[: len(grid) // 3]
        exact, longer = (clusters(some, np.eye(3) * n * a, cutoff=cutoff) for cutoff in (a, 1.0001 * a))
        assert exact.dimensions.max() <= longer.dimensions.max()


def test_nothing_and_nonsense() -> None:
    assert clusters(np.zeros((0, 3))).sizes.tolist() == []
    with pytest.raises(ValueError, match="must be positive"):
        clusters([[0.0, 0, 0]], cutoff=0.0)
    with pytest.raises(ValueError, match="expected"):
        clusters([0.0, 0, 0])

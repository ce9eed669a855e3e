from __future__ import annotations

import hashlib

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from aiida_seireact.science.analysis import intact_ps4
from aiida_seireact.science.structures import argyrodite, library
from aiida_seireact.science.structures.disorder import DisorderedCell, Ion, random_raw

CHARGES = {"Li": 1, "P": 5, "S": -2, "Cl": -1, "In": 3}


@pytest.fixture(scope="module")
def argyrodite_cell():
    return DisorderedCell.from_structure(library.structure("Li6PS5Cl"))


def smallest(atoms, first="Li", second="Li"):
    """Smallest distance of two elements over the periodic cell, by ASE's neighbour list."""
    distances = neighbor_list("d", atoms, {(first, second): 6.0})
    return distances.min()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), repeat=st.tuples(*[st.integers(1, 2)] * 3))
def test_argyrodites_are_neutral_exact_and_nowhere_too_near(argyrodite_cell, seed, repeat):
    drawn = argyrodite_cell.draw(seed, repeat)
    atoms, n = drawn.to_ase(), int(np.prod(repeat))
    wanted = {"Li": 24 * n, "P": 4 * n, "S": 20 * n, "Cl": 4 * n}
    assert {symbol: atoms.symbols.count(symbol) for symbol in wanted} == wanted
    assert sum(CHARGES[s] for s in atoms.symbols) == 0
    assert drawn.charges.sum() == 0
    assert argyrodite_cell.counts(repeat) == wanted
    assert smallest(atoms) > 2.0
    assert intact_ps4(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc).all()
    # Exactly one of each doublet: every Li would have its partner 1.87 Å away, and half the sites are filled.
    mixed = {part["label"]: part["drawn"] for part in drawn.report()["sublattices"]}
    assert mixed["X1"] == mixed["X2"] == {"Cl": 2 * n, "S": 2 * n}


def test_the_cell_survives_a_supercell_and_a_wrap(argyrodite_cell):
    atoms = argyrodite_cell.draw(5, (2, 1, 1)).to_ase()
    first = smallest(atoms)
    moved = atoms.repeat((2, 2, 2))
    moved.positions += [3.3, -7.1, 40.0]
    moved.wrap()
    assert smallest(moved) == pytest.approx(first, abs=1e-6)


def test_no_doublet_is_lost_across_a_seam_wherever_the_origin_lies(argyrodite_cell):
    whole = argyrodite_cell.exclusions()[0]
    assert len(whole.pairs) == 24
    for shift in ([0.19, 0.02, 0.4], [0.81, 0.5, 0.976]):
        places = (argyrodite_cell.fractional + shift) % 1.0
        moved = DisorderedCell(argyrodite_cell.cell, places, argyrodite_cell.labels, argyrodite_cell.ions)
        excluded = moved.exclusions()[0]
        assert len(excluded.pairs) == 24
        assert excluded.offsets.any()  # some doublets lie across a face
        atoms = moved.draw(2, (1, 2, 3)).to_ase()
        assert atoms.symbols.count("Li") == 24 * 6
        assert smallest(atoms) > 2.0


def test_the_same_seed_is_the_same_cell_on_any_machine(argyrodite_cell):
    drawn = argyrodite_cell.draw(7, (2, 2, 2))
    assert np.array_equal(drawn.choice, argyrodite_cell.draw(7, (2, 2, 2)).choice)
    assert not np.array_equal(drawn.choice, argyrodite_cell.draw(8, (2, 2, 2)).choice)
    # Seen on one machine, and written down: a change of stream or order is a change of every cell.
    assert hashlib.sha256(drawn.choice.tobytes()).hexdigest()[:16] == "e4205a41b26686f0"


def test_the_random_stream_is_the_one_of_pcg64():
    # The first number of PCG64(SeedSequence([1, 0, 0])).
    assert random_raw(1, 0, 0, 1)[0] == 9441442522235856127


def test_the_order_of_the_sites_of_a_file_does_not_matter():
    structure = library.structure("Li6PS5Cl")
    shuffled = Structure.from_sites([structure[i] for i in np.random.default_rng(0).permutation(len(structure))])
    first, second = (DisorderedCell.from_structure(s).draw(3).to_ase() for s in (structure, shuffled))
    assert first == second


def test_layers_are_the_cell(argyrodite_cell):
    drawn = argyrodite_cell.draw(1, (2, 3, 4))
    atoms = drawn.to_ase()
    layers = list(drawn.layers())
    assert len(layers) == 4
    assert sum(len(layer.numbers) for layer in layers) == drawn.n_atoms == len(atoms)
    assert np.array_equal(np.concatenate([layer.numbers for layer in layers]), atoms.numbers)
    together = np.concatenate([drawn.positions(layer) for layer in layers]) - atoms.positions
    whole = together @ np.linalg.inv(atoms.cell.array)
    assert np.allclose(whole, whole.round(), atol=1e-7)
    strained = drawn.positions(layers[3], argyrodite_cell.cell * 1.1)
    assert np.allclose(strained, drawn.positions(layers[3]) * 1.1)


def test_it_has_the_statistics_of_the_cells_of_the_demo(argyrodite_cell):
    ours = [argyrodite_cell.draw(seed).to_ase() for seed in range(40)]
    theirs = [argyrodite(seed=seed, a=argyrodite_cell.cell[0, 0]) for seed in range(40)]
    for cells in (ours, theirs):
        assert {atoms.get_chemical_formula() for atoms in cells} == {"Cl4Li24P4S20"}
        assert min(smallest(atoms) for atoms in cells) > 2.0
    # Pairs of Li nearer than 2.6 Å (the two sites 2.2 Å apart within a cage, both filled): 12 of 24 doublets' worth.
    near = [np.mean([len(neighbor_list("i", c, {("Li", "Li"): 2.6})) for c in cells]) for cells in (ours, theirs)]
    assert near[0] == pytest.approx(near[1], rel=0.15)


def test_both_sites_of_a_doublet_are_filled_alike_and_independently(argyrodite_cell):
    drawn = argyrodite_cell.draw(0, (6, 6, 6))
    lithium = np.array([label == "Li" for label in argyrodite_cell.labels])
    filled = (drawn.choice[..., lithium] >= 0).reshape(216, 48)
    # 216 draws of one half each: a standard deviation of 0.034.
    assert np.abs(filled.mean(axis=0) - 0.5).max() < 0.17
    # No two of the 216 cells are alike: there are 2**24 ways.
    assert len(np.unique(filled, axis=0)) == 216


def test_partial_sites_of_li3incl6_are_filled_to_thirds():
    cell = DisorderedCell.from_structure(library.structure("Li3InCl6"))
    assert cell.counts() == {"Li": 6, "Cl": 12, "In": 2}
    atoms = cell.draw(1, (3, 1, 1)).to_ase()
    assert sum(CHARGES[s] for s in atoms.symbols) == 0
    assert smallest(atoms) > 2.0


def test_an_ordered_crystal_comes_back_as_it_is():
    cell = DisorderedCell.from_structure(library.structure("Li2S"))
    assert cell.is_ordered
    assert cell.draw(1).to_ase() == cell.draw(2).to_ase()
    assert cell.draw(1, (2, 2, 2)).n_atoms == 96


def square_net(occupancy, *, spacing=2.5):
    """A square net of Li sites in one plane, counter charge far away: an infinite network of exclusions."""
    lattice = np.diag([spacing, spacing, 12.0])
    return DisorderedCell(
        lattice,
        np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]),
        ("Li", "X"),
        ((Ion("Li", 1.0, occupancy),), (Ion("Cl", -occupancy),)),
    )


@pytest.mark.parametrize("occupancy", [0.25, 0.375, 0.45])
def test_a_network_without_end_is_filled_to_the_number(occupancy):
    atoms = square_net(occupancy).draw(3, (8, 10, 1), min_distance_ang=3.0).to_ase()
    assert atoms.symbols.count("Li") == 80 * occupancy
    assert smallest(atoms) > 3.0


def test_a_network_that_cannot_hold_so_many_is_refused_with_a_distance_and_an_occupancy():
    with pytest.raises(ValueError, match=r"of the 48 ions on Li find .*at most 2.5, or an occupancy of at most"):
        square_net(0.6).draw(1, (8, 10, 1), min_distance_ang=3.0)
    square_net(0.6).draw(1, (8, 10, 1), min_distance_ang=2.5)


def test_a_network_too_large_to_fill_one_by_one_is_refused():
    with pytest.raises(ValueError, match="form a network of 250000 sites.*or take a min_distance_ang of at most 2.5"):
        square_net(0.25).draw(1, (500, 500, 1), min_distance_ang=3.0)


def test_a_site_that_meets_its_own_image_stays_empty():
    with pytest.raises(ValueError, match="Only 0 of the 2 ions"):
        square_net(0.25).draw(1, (1, 8, 1), min_distance_ang=2.6)


def test_too_many_ions_for_the_doublets_are_refused():
    with pytest.raises(ValueError, match=r"Only 24 of the 28 ions on Li .*min_distance_ang of at most 1.89"):
        DisorderedCell.from_structure(library.structure("Li7PS6")).draw(1)
    atoms = DisorderedCell.from_structure(library.structure("Li7PS6")).draw(1, min_distance_ang=1.89).to_ase()
    assert atoms.get_chemical_formula() == "Li28P4S24"


def test_a_site_too_near_to_a_full_one_is_refused(argyrodite_cell):
    with pytest.raises(ValueError, match=r"which is always filled, so it never could be: take a"):
        argyrodite_cell.draw(1, min_distance_ang=6.0)


def test_a_structure_without_charges_is_refused_with_a_charge():
    bare = Structure(Lattice.cubic(3.4), [{"Li": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match=r"Li on Li:0.5 has no oxidation state: give .* charges=\{'Li': 1\}"):
        DisorderedCell.from_structure(bare)


@pytest.mark.parametrize("repeat", [(0, 1, 1), (1, 1), (1.5, 1, 1)])
def test_repetitions_are_three_whole_numbers(argyrodite_cell, repeat):
    with pytest.raises(ValueError, match="repeat is three whole numbers of at least 1"):
        argyrodite_cell.draw(1, repeat)


def test_a_cell_of_three_million_atoms_is_drawn_at_once(argyrodite_cell):
    drawn = argyrodite_cell.draw(1, (28, 28, 83))
    assert drawn.n_atoms == 52 * 28 * 28 * 83
    assert drawn.choice.nbytes < 5_000_000
    layer = drawn.layer(40)
    assert (layer.numbers == 3).sum() == pytest.approx(24 * 784, abs=400)

"""Numbers a frame, near doubles, and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.curation import (
    compositions,
    energies_beyond_composition,
    formulas,
    largest_forces,
    near_doubles,
    relative_distances,
    robust_scores,
    same_formula,
    smallest_distances,
    volumes_per_atom,
)
from aiida_seireact.science.descriptors import DescriptorSpec, mean_descriptors

SPEC = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=3, l_max=2)


def features(images: list[Atoms]) -> np.ndarray:
    return np.array(
        [mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, SPEC) for atoms in images]
    )


def lithium_sulfide(a: float = 5.71) -> Atoms:
    atoms = bulk("Li2S", "fluorite", a=a)
    atoms.symbols = ["S", "Li", "Li"]
    return atoms


def test_numbers_of_frames_are_those_of_their_atoms() -> None:
    offsets = np.array([0, 2, 3])
    forces = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    assert largest_forces(forces, offsets).tolist() == [5.0, 2.0]
    cells = np.array([np.eye(3) * 4, np.eye(3) * 3])
    assert volumes_per_atom(cells, offsets) == pytest.approx([32.0, 27.0])
    positions = np.array([[0.0, 0, 0], [1.5, 0, 0], [0, 0, 0]])
    # The second frame is one atom in a cube of 3 Å: its own image is nearest.
    assert smallest_distances(positions, offsets, cells, np.ones((2, 3), bool)) == pytest.approx([1.5, 3.0])


def test_a_formula_is_reduced_however_it_is_written() -> None:
    numbers, offsets = np.array([3, 3, 16, 3, 16, 3, 3, 3, 16]), np.array([0, 3, 9])
    counts, species = compositions(numbers, offsets)
    assert (counts.tolist(), species) == ([[2, 1], [4, 2]], ["Li", "S"])
    assert formulas(numbers, offsets) == ["Li2S", "Li2S"]
    assert same_formula("SLi2") == same_formula("Li4S2") == "Li2S"
    with pytest.raises(ValueError, match="'li2s' is no chemical formula"):
        same_formula("li2s")


def test_energies_of_unlike_compositions_become_comparable() -> None:
    # E = 2 eV a Li and -1 eV a S, and 0.3 eV in the last frame that the atoms don't explain.
    numbers, offsets = np.array([3, 16, 3, 3, 16, 3, 3, 16]), np.array([0, 2, 5, 8])
    beyond = energies_beyond_composition(numbers, offsets, [1.0, 3.0, 3.3])
    assert beyond[2] - beyond[1] == pytest.approx(0.1)


def test_an_outlier_does_not_hide_itself() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=100), [40.0], 5 + 0.1 * rng.normal(size=100)])
    kinds = ["a"] * 101 + ["b"] * 100
    scores = robust_scores(values, kinds)
    assert scores[100] > 30
    assert np.abs(np.delete(scores, 100)).max() < 6
    assert robust_scores([1.0, 1.0, 1.0, 9.0], ["a"] * 4).tolist() == [0.0] * 4


def test_a_turned_structure_is_near_and_a_strained_one_is_not() -> None:
    one = lithium_sulfide()
    turned = one.copy()
    turned.rotate(30, "z", rotate_cell=True)
    rows = features([one, turned, lithium_sulfide(5.9)])
    distances = relative_distances(rows, rows[0])
    assert distances[:2] == pytest.approx(0.0, abs=1e-5)
    assert distances[2] > 0.02
    assert near_doubles(rows, ["Li2S"] * 3, 1e-3).tolist() == [-1, 0, -1]


def test_only_frames_of_one_kind_are_doubles() -> None:
    rows = features([lithium_sulfide()] * 2)
    assert near_doubles(rows, ["Li2S", "other"], 0.5).tolist() == [-1, -1]

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
    unlike_each_other,
    volumes_per_atom,
)
from aiida_seireact.science.descriptors import DescriptorSpec, mean_descriptors
from aiida_seireact.science.selection import equally_weighted, uncertain_and_different

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
    beyond = energies_beyond_composition([[1, 1], [2, 1], [2, 1]], [1.0, 3.0, 3.3])
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
    assert near_doubles(rows.__getitem__, 3, 1e-3).tolist() == [-1, 0, -1]


def clouds(n_clouds: int, each: int, *, seed: int = 0) -> np.ndarray:
    """Return made-up descriptors, ``(n, 2, 30)``: clouds of near copies, shuffled."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(n_clouds, 1, 2, 30)) @ np.diag(0.7 ** np.arange(30))
    rows = (middles + 1e-3 * rng.normal(size=(n_clouds, each, 2, 30))).reshape(-1, 2, 30)
    return rows[rng.permutation(len(rows))]


@pytest.mark.parametrize("closest", [0.003, 0.005, 0.05, 0.9])
def test_sketches_change_no_double(closest: float) -> None:
    rows = clouds(30, 12)
    expected, kept = [], []
    for index in range(len(rows)):
        distances = relative_distances(rows[kept], rows[index]) if kept else np.array([1.0])
        nearest = int(np.argmin(distances))
        expected.append(kept[nearest] if distances[nearest] < closest else -1)
        if expected[-1] < 0:
            kept.append(index)
    assert near_doubles(rows.__getitem__, len(rows), closest).tolist() == expected
    assert closest < 0.01 or len(kept) <= 30


@pytest.mark.parametrize("seed", range(3))
def test_sketches_change_no_choice_of_unlike_frames(seed: int) -> None:
    rows = clouds(20, 15, seed=seed)
    scores = np.zeros(len(rows))
    scores[7] = 1.0
    expected = uncertain_and_different(scores, equally_weighted(rows), 40, shortlist=len(rows))
    assert unlike_each_other(rows.__getitem__, len(rows), 40, 7) == expected


def test_few_frames_are_compared_in_full() -> None:
    rows, fetched = clouds(100, 20), []

    def fetch(indices: np.ndarray) -> np.ndarray:
        fetched.append(len(indices))
        return rows[indices]

    unlike_each_other(fetch, len(rows), 100, 0)
    # All pairs would be 100 times 2000.
    assert sum(fetched) < 30_000
    fetched.clear()
    near_doubles(fetch, len(rows), 0.005)
    assert sum(fetched) < 30_000

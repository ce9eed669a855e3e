from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.stats import kstest

from aiida_seireact.science.discovery.spatial import Segregation, segregation
from aiida_seireact.science.discovery.surroundings import Surroundings
from tests.science.discovery import cells

SULFUR = 16


def test_of(atoms: Atoms, **options: int) -> Segregation | None:
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 4.0)
    centres = np.flatnonzero(atoms.numbers == 3)
    shells, _ = frame.nearest(centres, (16, 15, 17), 4, {16: 3.4, 15: 3.4, 17: 3.4})
    place = np.full(len(atoms), -1)
    place[centres] = np.arange(len(centres))
    first, neighbour, _ = frame.within(centres, 3.4)
    second = place[neighbour]
    pairs = np.unique(np.stack([first, second], axis=1)[second > first], axis=0)
    return segregation(shells, atoms.numbers, pairs, kind=SULFUR, **options)


test_of.__test__ = False  # type: ignore[attr-defined]


def test_a_random_mixture_has_p_evenly_spread() -> None:
    values = []
    for seed in range(60):
        found = test_of(cells.mixed(seed, 3), n_permutations=99, seed=1000 + seed)
        assert found is not None
        values.append(found.p_value)
    assert kstest(values, "uniform").pvalue > 0.01
    assert min(values) < 0.2 < 0.8 < max(values)


@pytest.mark.parametrize("seed", range(3))
def test_domains_are_found(seed: int) -> None:
    found = test_of(cells.rattled(cells.mixed(seed, 4, sorted_along_z=True), seed, 0.1))
    assert found is not None
    assert found.p_value < 0.01
    assert found.counted > found.expected + 0.1
    assert found.joins > found.joins_at_random + 5 * found.joins_spread


def test_what_is_counted_is_what_the_generator_made() -> None:
    atoms = cells.mixed(7)
    found = test_of(cells.rattled(atoms, 8, 0.12))
    assert found is not None
    assert found.n_anions == 256
    assert found.share == 184 / 256
    assert found.expected == pytest.approx((184 / 256) ** 4)
    assert found.counted == (cells.anions_around(atoms) == SULFUR).all(axis=1).mean()
    assert found.expected_exact < found.expected


def test_ordered_guests_have_p_near_one() -> None:
    atoms = cells.li2s(4)
    # Every fourth anion, one a conventional cell: each Li has exactly one guest.
    sulfur = np.flatnonzero(atoms.numbers == SULFUR)
    scaled = np.round(atoms.get_scaled_positions()[sulfur] * 8).astype(int)
    atoms.symbols[sulfur[(scaled % 2 == 0).all(axis=1)]] = "Cl"
    found = test_of(atoms)
    assert found is not None
    assert found.joins == 0
    assert found.p_value > 0.99


def test_one_element_alone_is_nothing_to_test() -> None:
    assert test_of(cells.li2s(2)) is None
    assert segregation(np.full((5, 4), -1), [16], np.zeros((0, 2)), kind=SULFUR) is None

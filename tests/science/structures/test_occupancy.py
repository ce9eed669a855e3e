from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.science.structures.occupancy import Ion, Sublattice, apportion, mean_charge

LI = Ion("Li", 1.0, 0.5)
ANIONS = (Ion("Cl", -1.0, 0.5), Ion("S", -2.0, 0.5))


def charge(sublattices, numbers):
    return sum(
        n * ion.charge
        for part, row in zip(sublattices, numbers, strict=True)
        for n, ion in zip(row, part.ions, strict=True)
    )


def differences(rows, targets):
    """Numbers less targets, without the vacancies that a filled sublattice has not."""
    return [n - t for row, target in zip(rows, targets, strict=True) for n, t in zip(row, target, strict=False)]


def test_whole_targets_are_taken_as_they_are():
    parts = [
        Sublattice("48h", 48, (LI,)),
        Sublattice("P", 4, (Ion("P", 5.0),)),
        Sublattice("16e", 16, (Ion("S", -2.0),)),
    ]
    parts += [Sublattice(name, 4, ANIONS) for name in ("4a", "4c")]
    assert apportion(parts, (1, 1, 3)) == [(72,), (12,), (48,), (6, 6), (6, 6)]


@settings(max_examples=60, deadline=None)
@given(
    sites=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    thirds=st.lists(st.integers(1, 11), min_size=2, max_size=2),
    cells=st.integers(1, 5),
)
def test_numbers_are_neutral_within_one_of_the_target_and_the_nearest_of_all(sites, thirds, cells):
    x, y = (n / 12 for n in thirds)
    parts = [
        Sublattice("A", sites[0], (Ion("Li", 1.0, x),)),
        Sublattice("B", sites[1], (Ion("Cl", -1.0, y), Ion("S", -2.0, 1 - y))),
        Sublattice("C", sites[2], (Ion("Li", 1.0, 0.5), Ion("Mg", 2.0, 0.5))),
    ]
    targets = [part.targets(cells) for part in parts]
    # All whole numbers within one of every target, counted one by one.
    ways = []
    for a, b, c in product(range(sites[0] * cells + 1), range(sites[1] * cells + 1), range(sites[2] * cells + 1)):
        rows = [(a, sites[0] * cells - a), (b, sites[1] * cells - b), (c, sites[2] * cells - c)]
        near = all(abs(item) < 1 - 1e-9 for item in differences(rows, targets))
        if near and a - b - 2 * rows[1][1] + c + 2 * rows[2][1] == 0:
            ways.append(sum(item**2 for item in differences(rows, targets)))
    if not ways:
        with pytest.raises(ValueError, match="no whole numbers of ions"):
            apportion(parts, (1, 1, cells))
        return
    found = apportion(parts, (1, 1, cells))
    assert charge(parts, found) == 0
    rows = [(found[0][0], sites[0] * cells - found[0][0]), found[1], found[2]]
    cost = sum(item**2 for item in differences(rows, targets))
    assert cost == pytest.approx(min(ways), abs=1e-6)


def test_an_odd_occupancy_is_refused_with_the_one_that_works():
    parts = [Sublattice("48h", 48, (Ion("Li", 1.0, 0.45),)), Sublattice("X", 12, (Ion("S", -2.0),))]
    assert mean_charge(parts) == pytest.approx(-2.4)
    with pytest.raises(
        ValueError, match=r"mean charge is -2.4 e a unit cell\): give Li on 48h the occupancy 0.5 \(it is"
    ) as told:
        apportion(parts, (1, 1, 1))
    assert "repeat" not in str(told.value)  # no repetition mends a charge of the mean
    mended = [Sublattice("48h", 48, (LI,)), parts[1]]
    assert apportion(mended, (1, 1, 1)) == [(24,), (12,)]


def test_a_cell_too_small_for_its_occupancies_is_told_the_repetition_that_works():
    parts = [Sublattice("M", 1, (Ion("Al", 3.0, 1 / 3),)), Sublattice("X", 1, (Ion("Cl", -1.0),))]
    with pytest.raises(ValueError, match="on the mean they are\\): repeat the cell 1 x 1 x 3"):
        apportion(parts, (1, 1, 1))
    assert apportion(parts, (1, 1, 3)) == [(1,), (3,)]


def test_rounded_thirds_of_a_file_fill_a_site():
    assert apportion([Sublattice("X", 3, tuple(Ion(s, 0.0, 0.333) for s in ("Li", "In", "Cl")))], (10, 10, 10)) == [
        (1000, 1000, 1000)
    ]


@pytest.mark.parametrize(
    ("ions", "said"),
    [
        ((Ion("Cl", -1.0, 0.7), Ion("S", -2.0, 0.5)), "sum to 1.2: with Cl 0.5833, S 0.4167 they sum to 1"),
        ((Ion("Cl", -1.0, 0.0),), "must be above 0 and at most 1"),
        ((Ion("Cl", -1.0, -0.5),), "leave out an ion that is never there"),
    ],
)
def test_occupancies_beyond_0_to_1_are_refused(ions, said):
    with pytest.raises(ValueError, match=said):
        Sublattice("4a", 4, ions)

"""Slabs of a disordered crystal: exact, neutral, of any in-plane shape, the same whenever a layer is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.fill import drawn, with_occupancies
from aiida_seireact.science.structures.orient import oriented_unit
from aiida_seireact.science.structures.plan import CellPlan, plan_cell
from aiida_seireact.science.structures.slab import SlabSpec

STRAIGHT = [[2, -2], [2, 2]]  # 2 × 2 conventional cells: the smallest vectors of the plane lie at 45°
LOZENGE = [[3, 1], [0, 2]]


def slab(matrix: list[list[int]], layers: int, seed: int = 1) -> CellPlan:
    unit = oriented_unit(library.structure("Li6PS5Cl", a=9.91), (1, 0, 0))
    spec = SlabSpec("SE", unit, matrix, layers, fill=drawn(2.0, matrix))
    return plan_cell([spec], gaps_ang=20.0, seed=seed)


def nearest(numbers: NDArray[np.int64], positions: NDArray[np.float64], number: int) -> float:
    points = positions[numbers == number]
    return float(cKDTree(points).query(points, k=2)[0][:, 1].min())


@pytest.mark.parametrize(("matrix", "layers"), [(STRAIGHT, 4), (LOZENGE, 5)])
def test_composition_is_exact_and_neutral(matrix: list[list[int]], layers: int) -> None:
    plan, atoms = slab(matrix, layers), slab(matrix, layers).to_ase()
    units = round(np.linalg.det(matrix)) * layers  # two formula units in the smallest cell of a layer
    one = plan.counts["P"] // units
    assert plan.counts == {"Cl": one * units, "Li": 6 * one * units, "P": one * units, "S": 5 * one * units}
    assert plan.counts == {symbol: atoms.get_chemical_symbols().count(symbol) for symbol in plan.counts}
    assert plan.report["slabs"][0]["charge_e"] == 0.0


def test_no_two_lithium_share_a_doublet() -> None:
    atoms = slab(LOZENGE, 6).to_ase()
    assert nearest(atoms.numbers, atoms.positions, 3) > 2.0  # the sites of a doublet are 1.9 Å apart


def test_a_layer_is_the_same_whenever_it_is_asked_for_and_unlike_the_next() -> None:
    made = slab(STRAIGHT, 4).slabs[0]
    again, first, second = made.layer(0), made.layer(0), made.layer(2)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(slab(STRAIGHT, 4, seed=2).slabs[0].layer(0)[0], first[0])


def test_disorder_without_charges_is_refused() -> None:
    crystal = library.structure("Li6PS5Cl")
    crystal.remove_oxidation_states()
    unit = oriented_unit(crystal, (1, 0, 0))
    with pytest.raises(ValueError, match="has no charge, and disorder is drawn neutral"):
        plan_cell([SlabSpec("SE", unit, STRAIGHT, 2, fill=drawn(2.0, STRAIGHT))], gaps_ang=20.0)


def test_occupancies_are_replaced_by_label() -> None:
    crystal = library.structure("Li6PS5Cl")
    ordered = with_occupancies(crystal, {"X1": {"Cl": 1.0}, "X2": {"S": 1.0}}, {})
    cell = DisorderedCell.from_structure(ordered)
    assert cell.draw(0).report()["counts"] == {"Li": 24, "P": 4, "S": 20, "Cl": 4}
    assert [part.label for part in cell.sublattices if part.has_vacancies] == ["Li"]
    assert with_occupancies(crystal, {}, {}) is crystal


@pytest.mark.parametrize(
    ("occupancies", "charges", "said"),
    [
        ({"4a": {"Cl": 1.0}}, {}, "no site has the label 4a: the labels are Li, P, S1, X1, X2"),
        ({"X1": {"Br": 1.0}}, {}, "Br is new to the crystal: give its charge too, in charges"),
        ({"X1": {"Xx": 1.0}}, {}, "Xx is no chemical element"),
        ({}, {"Br": -1}, "a charge is given for Br, which the crystal does not hold"),
    ],
)
def test_what_the_crystal_does_not_hold_is_refused(
    occupancies: dict[str, dict[str, float]], charges: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        with_occupancies(library.structure("Li6PS5Cl"), occupancies, charges)

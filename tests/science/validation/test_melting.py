from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_seireact.science.validation.melting import (
    bracket_of,
    crystalline_fraction,
    next_temperatures,
    outcome_of,
    shaken,
    two_phase_cell,
)


@pytest.mark.parametrize("unit", [bulk("Li", "bcc", a=3.5, cubic=True), bulk("Ar", "fcc", a=5.3, cubic=True)])
def test_cell_is_crystal_below_and_has_room_to_melt_above(unit) -> None:
    found = two_phase_cell(unit, (4, 4, 8), expansion=1.1)
    atoms = found.atoms
    assert len(atoms) == 128 * len(unit)
    assert found.n_held == len(atoms) // 2
    a = unit.cell[0, 0]
    assert atoms.cell.lengths() == pytest.approx([4 * a, 4 * a, 8 * a * 1.05])
    heights = atoms.get_positions()[:, 2]
    assert heights[: found.n_held].max() < 4 * a < heights[found.n_held :].min()
    # The lower half is the crystal, its planes half of a lattice parameter apart.
    planes = np.unique(heights[: found.n_held].round(6))
    assert np.diff(planes) == pytest.approx(a / 2)
    assert crystalline_fraction(atoms.positions, atoms.cell.array, found.peaks, found.n_layers) == 1.0


def test_half_a_melt_is_seen_as_a_half() -> None:
    found = two_phase_cell(bulk("Ar", "fcc", a=5.3, cubic=True), (5, 5, 10))
    rng = np.random.default_rng(1)
    places = found.atoms.positions + rng.normal(scale=0.25, size=found.atoms.positions.shape)
    upper = slice(found.n_held, None)
    places[upper, :2] += rng.normal(scale=3.0, size=places[upper, :2].shape)
    fraction = crystalline_fraction(places, found.atoms.cell.array, found.peaks, found.n_layers)
    assert fraction == pytest.approx(0.5, abs=0.11)
    # It moves as a whole in a run, and is the same.
    moved = crystalline_fraction(
        places + np.array([3.1, 0.7, 2.0]), found.atoms.cell.array, found.peaks, found.n_layers
    )
    assert moved == pytest.approx(fraction, abs=0.11)


def test_outcome_is_the_phase_that_is_left_or_grows() -> None:
    assert outcome_of(np.linspace(0.5, 1.0, 12).clip(0, 0.95)) == "froze"
    assert outcome_of([0.5, 0.3, 0.2, 0.1, 0.0, 0.0]) == "melted"
    assert outcome_of(np.linspace(0.5, 0.8, 12)) == "froze"
    assert outcome_of(np.linspace(0.5, 0.2, 12)) == "melted"
    assert outcome_of([0.5, 0.4, 0.6, 0.5, 0.4, 0.6]) == "both"
    with pytest.raises(ValueError, match="5 frames"):
        outcome_of([0.5] * 5)


def tries(melting_k: float, low_k: float, high_k: float, tolerance_k: float, **keywords):
    known = {}
    while batch := next_temperatures(known, low_k, high_k, tolerance_k, **keywords):
        known |= {kelvin: "froze" if kelvin < melting_k else "melted" for kelvin in batch}
    return known


@pytest.mark.parametrize("at_once", [1, 3])
def test_bracket_closes_around_the_truth(at_once: int) -> None:
    known = tries(453.7, 300.0, 700.0, 10.0, at_once=at_once)
    bracket = bracket_of(known)
    assert abs(bracket.temperature_k - 453.7) <= bracket.error_k <= 10.0
    assert len(known) <= {1: 7, 3: 11}[at_once]


def test_coexistence_within_the_bracket_goes_on_beside_it() -> None:
    known = {300.0: "froze", 700.0: "melted", 500.0: "both"}
    bracket = bracket_of(known)
    assert (bracket.temperature_k, bracket.error_k, bracket.both_k) == (500.0, 200.0, (500.0,))
    assert next_temperatures(known, 300.0, 700.0, 10.0, at_once=2) == [400.0, 600.0]
    assert next_temperatures({**known, 400.0: "froze"}, 300.0, 700.0, 10.0) == [600.0]
    closed = {**known, 495.0: "froze", 505.0: "melted"}
    assert next_temperatures(closed, 300.0, 700.0, 10.0) == []
    # What is undecided over more than the tolerance can't be closed by runs as long as these.
    wide = {**known, 417.0: "both", 583.0: "both"}
    assert next_temperatures(wide, 300.0, 700.0, 50.0, at_once=2) == []
    assert bracket_of(wide).error_k == 200.0


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_bracket_around_a_narrow_coexistence_closes(at_once: int) -> None:
    known: dict[float, str] = {}
    while batch := next_temperatures(known, 300.0, 700.0, 15.0, at_once=at_once):
        for kelvin in batch:
            known[kelvin] = "both" if abs(kelvin - 470.0) < 8 else "froze" if kelvin < 470 else "melted"
    bracket = bracket_of(known)
    assert abs(bracket.temperature_k - 470.0) <= bracket.error_k <= 15.0
    assert len(known) < 20


def test_a_melting_temperature_outside_of_the_range_is_said() -> None:
    with pytest.raises(ValueError, match="melted at 300 K, the lowest temperature: begin lower"):
        next_temperatures({300.0: "melted", 700.0: "melted"}, 300.0, 700.0, 10.0)
    with pytest.raises(ValueError, match="grew at 700 K, the highest temperature: begin higher"):
        next_temperatures({300.0: "froze", 700.0: "froze"}, 300.0, 700.0, 10.0)
    with pytest.raises(ValueError, match="neither phase grew"):
        next_temperatures({300.0: "both", 700.0: "melted"}, 300.0, 700.0, 10.0)


def test_contradicting_runs_are_no_bracket() -> None:
    with pytest.raises(ValueError, match="grew at 500 K and melted at 400 K"):
        bracket_of({300.0: "froze", 400.0: "melted", 500.0: "froze", 700.0: "melted"})


def test_odd_and_flat_cells_are_refused() -> None:
    unit = bulk("Li", "bcc", a=3.5, cubic=True)
    with pytest.raises(ValueError, match="even number from 4 on"):
        two_phase_cell(unit, (4, 4, 5))
    with pytest.raises(ValueError, match="at least 1"):
        two_phase_cell(unit, (4, 4, 4), expansion=0.9)


@pytest.mark.parametrize("unit", [bulk("Li", "bcc", a=3.5, cubic=True), bulk("LiCl", "rocksalt", a=5.1, cubic=True)])
def test_shaken_half_is_in_disorder_without_contacts_and_the_other_untouched(unit) -> None:
    cell = two_phase_cell(unit, (4, 4, 8) if len(unit) == 2 else (3, 3, 6), expansion=1.1)
    found = shaken(cell)
    np.testing.assert_allclose(found.atoms.positions[: cell.n_held], cell.atoms.positions[: cell.n_held], atol=1e-9)
    fraction = crystalline_fraction(found.atoms.positions, found.atoms.cell.array, found.peaks, found.n_layers)
    assert fraction == pytest.approx(0.5, abs=0.17)
    nearest = neighbor_list("d", unit, 4.0).min()
    assert neighbor_list("d", found.atoms, nearest).min() >= 0.849 * nearest
    assert found.atoms.positions.tobytes() == shaken(cell).atoms.positions.tobytes()
    assert not np.allclose(found.atoms.positions, shaken(cell, seed=2).atoms.positions)


def test_too_dense_a_half_is_refused() -> None:
    cell = two_phase_cell(bulk("Ar", "fcc", a=5.3, cubic=True), (3, 3, 4), expansion=1.0)
    with pytest.raises(ValueError, match="too little room"):
        shaken(cell, nearest=1.0)

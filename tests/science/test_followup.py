"""Stability with disorder, and whether something conducts, on made-up energies."""

from __future__ import annotations

import pytest
from ase.units import kB

from aiida_seireact.science.followup import conductivity_s_per_cm, conducts, stability
from aiida_seireact.science.hull import hull_of
from aiida_seireact.science.mixing import mixing_entropy
from aiida_seireact.science.products import PhaseEnergy

HULL = hull_of(
    {"Li", "S", "Se"},
    [
        PhaseEnergy("Li", {"Li": 1}, 0.0),
        PhaseEnergy("S", {"S": 1}, 0.0),
        PhaseEnergy("Se", {"Se": 1}, 0.0),
        PhaseEnergy("Li2S", {"Li": 2, "S": 1}, -4.0),
        PhaseEnergy("Li2Se", {"Li": 2, "Se": 1}, -3.0),
    ],
)
CELL = {"Li": 16, "S": 4, "Se": 4}
SHARES = {"S": 0.5, "Se": 0.5}


def found(energies: list[float], degeneracies: list[int], temperatures: list[float]) -> dict:
    orderings = [PhaseEnergy(f"o{index}", CELL, energy) for index, energy in enumerate(energies)]
    return stability(orderings, degeneracies, HULL, shares=SHARES, n_shared_sites=8, temperatures_k=temperatures)


def test_the_lowest_ordering_is_above_the_hull_of_what_it_would_become():
    # The hull has 4 (-4) + 4 (-3) = -28 eV for the cell of 24 atoms.
    values = found([-27.4, -27.52], [6, 64], [300.0])
    assert values["lowest"] == 1
    assert values["above_hull_mev_per_atom"] == pytest.approx(20.0)
    assert values["orderings"][0]["above_hull_mev_per_atom"] == pytest.approx(25.0)
    assert values["orderings"][0]["above_lowest_mev_per_atom"] == pytest.approx(5.0)
    assert [row["name"] for row in values["decomposition"]] == ["Li2S", "Li2Se"]
    assert values["mean_above_hull_mev_per_atom"] == pytest.approx((6 * 25 + 64 * 20) / 70, abs=1e-3)


def test_ideal_mixing_is_counted_per_atom_of_the_whole_cell():
    (row,) = found([-27.52], [70], [300.0])["temperatures"]
    per_site = 1000 * kB * 300 * mixing_entropy(SHARES)
    assert row["ideal"]["ts_mev_per_shared_site"] == pytest.approx(per_site, abs=1e-3)
    assert row["ideal"]["ts_mev_per_atom"] == pytest.approx(per_site / 3, abs=1e-3)
    assert row["ideal"]["above_hull_mev_per_atom"] == pytest.approx(20 - per_site / 3, abs=2e-3)
    assert row["ensemble"]["ts_mev_per_atom"] < row["ideal"]["ts_mev_per_atom"]


def test_at_0_k_disorder_is_worth_nothing_by_either_estimate():
    values = found([-27.4, -27.52], [6, 64], [0.0])
    (row,) = values["temperatures"]
    assert row["ideal"]["ts_mev_per_atom"] == row["ensemble"]["ts_mev_per_atom"] == 0
    assert row["ensemble"]["above_hull_mev_per_atom"] == values["above_hull_mev_per_atom"]


def test_no_ordering_and_two_compositions_are_refused():
    with pytest.raises(ValueError, match="no energy of any ordering"):
        stability([], [], HULL, shares=SHARES, n_shared_sites=8, temperatures_k=[300.0])
    odd = [PhaseEnergy("a", CELL, -27.0), PhaseEnergy("b", {"Li": 2, "S": 1}, -4.0)]
    with pytest.raises(ValueError, match="b is of another composition"):
        stability(odd, [1, 1], HULL, shares=SHARES, n_shared_sites=8, temperatures_k=[300.0])


def test_nernst_and_einstein():
    # n q^2 D / kT: 1 ion in 1000 Å^3 with 1e-8 cm^2/s at 300 K; 1e21 * 2.567e-38 * 1e-8 / 4.142e-21.
    assert conductivity_s_per_cm(1e-8, 1, 1000.0, 300.0) == pytest.approx(6.198e-5, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "interval", "below", "is_conductor", "begin"),
    [
        (1e-3, (8e-4, 1.2e-3), 1.2e-3, True, "A conductor: D is 1.0e-03"),
        (1e-5, (-1e-6, 2e-5), 2e-5, False, "No conductor: D is"),
        (1e-4, (5e-5, 1.5e-4), 1.5e-4, None, "The run can't tell: D is"),
        (None, None, 1e-6, False, "No conductor: no diffusion was seen"),
        (None, None, 1e-2, None, "The run can't tell: no diffusion was seen"),
        (None, None, None, None, "Nobody can say"),
    ],
)
def test_it_is_said_to_conduct_only_where_the_bars_tell(value, interval, below, is_conductor, begin):
    told, sentence = conducts(value, interval, below, 1.0, minimum_s_per_cm=1e-4)
    assert told is is_conductor
    assert sentence.startswith(begin)

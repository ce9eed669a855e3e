"""Products of two phases: known answers, an independent minimisation, and sentences for bad input."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core.composition import Composition
from scipy.optimize import linprog

from aiida_seireact.science.products import PhaseEnergy, common_level, predict

FORMATION_EV = {
    "Li": 0.0,
    "P": 0.0,
    "S": 0.0,
    "Cl": 0.0,
    "Li2S": -4.5,
    "LiCl": -4.1,
    "Li3P": -3.4,
    "LiP": -1.4,
    "Li3PS4": -8.0,
    "Li6PS5Cl": -16.5,
}
"""Made by hand, eV a formula unit: close to what is known, and exact to add up."""


def energies(table: dict[str, float], level: str = "") -> list[PhaseEnergy]:
    return [
        PhaseEnergy(name, Composition(name).get_el_amt_dict(), value, level, f"table/{name}")
        for name, value in table.items()
    ]


def lowest_mix(table: dict[str, float], mix: dict[str, float]) -> float:
    """Return the lowest energy in eV of any mix of the phases with these atoms, by linear programming."""
    elements = sorted(mix)
    phases = [name for name in table if set(Composition(name).get_el_amt_dict()) <= set(elements)]
    atoms = np.array([[Composition(name)[element] for name in phases] for element in elements])
    answer = linprog([table[name] for name in phases], A_eq=atoms, b_eq=[mix[element] for element in elements])
    assert answer.success
    return float(answer.fun)


def test_lithiation_of_argyrodite_ends_in_li2s_li3p_and_licl():
    products = predict("Li", "Li6PS5Cl", energies(FORMATION_EV))
    end = products.lithiation_end
    assert end is not None
    assert end.reaction == "8 Li + Li6PS5Cl → 5 Li2S + Li3P + LiCl"
    assert end.products == {"Li2S": 5.0, "Li3P": 1.0, "LiCl": 1.0}
    # 5 (-4.5) - 3.4 - 4.1 + 16.5, over the 8 + 13 atoms.
    assert end.energy_ev == pytest.approx(-13.5)
    assert end.energy_ev_per_atom == pytest.approx(-13.5 / 21, abs=1e-6)
    assert end.mixing_fraction == pytest.approx(8 / 21, abs=1e-6)


def test_the_kinks_go_through_p_and_lip():
    products = predict("Li", "Li6PS5Cl", energies(FORMATION_EV))
    assert [kink.reaction for kink in products.kinks] == [
        "Li6PS5Cl → Li2S + Li3PS4 + LiCl",
        "5 Li + Li6PS5Cl → 5 Li2S + LiCl + P",
        "6 Li + Li6PS5Cl → 5 Li2S + LiCl + LiP",
        "8 Li + Li6PS5Cl → 5 Li2S + Li3P + LiCl",
        "Li → Li",
    ]
    # -4.5 - 8.0 - 4.1 + 16.5: the electrolyte itself is 0.1 eV above the hull.
    assert products.kinks[0].energy_ev == pytest.approx(-0.1)
    above = {phase["name"]: phase["above_hull_ev_per_atom"] for phase in products.phases}
    assert above["Li6PS5Cl"] == pytest.approx(0.1 / 13, abs=1e-6)
    assert above["Li3P"] == 0.0
    assert products.strongest == products.first_end == 3


def test_the_order_of_the_pair_changes_the_fraction_alone():
    forth = predict("Li", "Li6PS5Cl", energies(FORMATION_EV))
    back = predict("Li6PS5Cl", "Li", energies(FORMATION_EV))
    assert forth.lithiation_end is not None
    assert back.lithiation_end is not None
    assert back.lithiation_end.products == forth.lithiation_end.products
    assert back.lithiation_end.energy_ev == forth.lithiation_end.energy_ev
    assert back.lithiation_end.mixing_fraction == pytest.approx(1 - forth.lithiation_end.mixing_fraction)


def test_a_stable_electrolyte_does_not_react_and_ends_with_itself():
    stable = {"Li": 0.0, "Cl": 0.0, "LiCl": -4.1}
    products = predict("Li", "LiCl", energies(stable))
    assert [kink.reaction for kink in products.kinks] == ["LiCl → LiCl", "Li → Li"]
    assert products.kinks[products.first_end].products == {"LiCl": 1.0}


def test_indium_chloride_is_reduced_to_the_metal_and_without_an_alloy_no_further():
    table = {"Li": 0.0, "In": 0.0, "Cl": 0.0, "LiCl": -4.1, "InCl": -1.9, "InCl3": -5.6, "Li3InCl6": -18.3}
    end = predict("Li", "Li3InCl6", energies(table)).lithiation_end
    assert end is not None
    assert end.products == {"In": 1.0, "LiCl": 6.0}
    alloyed = predict("Li", "Li3InCl6", energies({**table, "LiIn": -0.6})).lithiation_end
    assert alloyed is not None
    assert alloyed.products == {"LiCl": 6.0, "LiIn": 1.0}


@pytest.mark.parametrize("step", range(1, 20))
def test_no_other_mix_is_lower(step: int):
    """Between kinks the energy is linear; linear programming over all phases finds nothing below it."""
    fraction = step / 20
    kinks = predict("Li", "Li6PS5Cl", energies(FORMATION_EV)).kinks
    found = np.interp(fraction, [k.mixing_fraction for k in kinks], [k.energy_ev_per_atom for k in kinks])
    mix = {"Li": fraction + (1 - fraction) * 6 / 13, "P": 0.0, "S": 0.0, "Cl": 0.0}
    for element, amount in {"P": 1, "S": 5, "Cl": 1}.items():
        mix[element] = (1 - fraction) * amount / 13
    reactants = (1 - fraction) * FORMATION_EV["Li6PS5Cl"] / 13
    assert found == pytest.approx(lowest_mix(FORMATION_EV, mix) - reactants, abs=2e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-6, 0.5), min_size=6, max_size=6))
def test_no_other_mix_is_lower_at_any_kink_whatever_the_energies(values: list[float]):
    compounds = dict(zip(["Li2S", "LiCl", "Li3P", "LiP", "Li3PS4", "Li6PS5Cl"], values, strict=True))
    table = {"Li": 0.0, "P": 0.0, "S": 0.0, "Cl": 0.0, **compounds}
    for kink in predict("Li", "Li6PS5Cl", energies(table)).kinks:
        mix = Composition({"Li": kink.n_first}) + Composition("Li6PS5Cl") * kink.n_second
        mix_of = {element: mix[element] for element in ("Li", "P", "S", "Cl")}
        expected = lowest_mix(table, mix_of) - kink.n_second * table["Li6PS5Cl"]
        assert kink.energy_ev == pytest.approx(expected, abs=1e-4)


def test_atoms_are_conserved_at_every_kink():
    for kink in predict("Li", "Li6PS5Cl", energies(FORMATION_EV)).kinks:
        before = Composition({"Li": kink.n_first}) + Composition("Li6PS5Cl") * kink.n_second
        after = sum((Composition(name) * amount for name, amount in kink.products.items()), Composition())
        assert before.almost_equals(after, atol=1e-4)


def test_a_shift_of_the_reference_energies_changes_nothing():
    """Energies of whole cells count from anywhere: only differences enter."""
    shift = {"Li": -1.9, "P": -5.4, "S": -4.1, "Cl": -1.8}
    shifted = {
        name: value + sum(shift[e] * n for e, n in Composition(name).get_el_amt_dict().items())
        for name, value in FORMATION_EV.items()
    }
    plain, moved = (predict("Li", "Li6PS5Cl", energies(table)) for table in (FORMATION_EV, shifted))
    for before, after in zip(plain.kinks, moved.kinks, strict=True):
        assert after.reaction == before.reaction
        assert after.energy_ev == pytest.approx(before.energy_ev, abs=1e-5)


def test_the_order_of_the_entries_changes_nothing():
    forth = predict("Li", "Li6PS5Cl", energies(FORMATION_EV))
    back = predict("Li", "Li6PS5Cl", energies(dict(reversed(FORMATION_EV.items()))))
    assert forth.to_dict() == back.to_dict()


def test_the_lower_of_two_polymorphs_counts():
    table = energies(FORMATION_EV)
    worse = PhaseEnergy("Li2S-hp", {"Li": 4, "S": 2}, -8.0)
    products = predict("Li", "Li6PS5Cl", [*table, worse])
    above = {phase["name"]: phase["above_hull_ev_per_atom"] for phase in products.phases}
    assert above["Li2S-hp"] == pytest.approx(0.5 / 3, abs=1e-6)
    assert products.lithiation_end == predict("Li", "Li6PS5Cl", table).lithiation_end


def test_phases_with_other_elements_are_left_out():
    assert {phase["name"] for phase in predict("Li", "Li2S", energies(FORMATION_EV)).phases} == {"Li", "S", "Li2S"}


def without(name: str) -> list[PhaseEnergy]:
    return energies({key: value for key, value in FORMATION_EV.items() if key != name})


@pytest.mark.parametrize(
    ("pair", "given_energies", "sentence"),
    [
        (("Li", "Li6PS5Br"), energies(FORMATION_EV), r"no energy of Li6PS5Br: did you mean Li6PS5Cl"),
        (("Li", "Li6PS5Cl"), without("Cl"), r"no energy of the element Cl: .* add Cl at the level of the others\."),
        (("Li", "Li"), energies(FORMATION_EV), "Li and Li are both Li"),
        (
            ("Li", "Li2S"),
            [*energies(FORMATION_EV), PhaseEnergy("odd", {"Lj": 1.0}, 0.0)],
            r"odd holds 'Lj', which is no chemical element \(did you mean L",
        ),
        (("Li", "Li2S"), [PhaseEnergy("Li", {"Li": 1}, float("nan"))], "energy of Li is nan: give a number"),
        (("Li", "Li2S"), [PhaseEnergy("Li", {}, 0.0)], "Li has no atoms"),
        (("Li", "Li2S"), [PhaseEnergy("Li", {"Li": -1}, 0.0)], "Li has -1 of Li"),
        (("Li", "Li2S"), [], "there are none at all"),
    ],
)
def test_bad_input_gets_a_sentence(pair: tuple[str, str], given_energies: list[PhaseEnergy], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        predict(*pair, given_energies)


def test_levels_of_theory_are_never_mixed():
    mixed = [*energies(FORMATION_EV, "a" * 64), *energies({"Li2S": -4.4}, "b" * 64)]
    with pytest.raises(ValueError, match=r"of 2 levels of theory \(a{16}: .*; b{16}: Li2S\) and can't be compared"):
        predict("Li", "Li6PS5Cl", mixed)
    with pytest.raises(ValueError, match=r"not said: "):
        common_level([*energies({"Li": 0.0}), *energies({"Li2S": -4.4}, "b" * 64)])
    assert common_level(energies(FORMATION_EV, "pbe")) == "pbe"


def test_names_are_found_before_formulas():
    table = [*energies(FORMATION_EV), PhaseEnergy("argyrodite", {"Li": 6, "P": 1, "S": 5, "Cl": 1}, -16.0)]
    assert predict("Li", "argyrodite", table).second == "Li6PS5Cl"


def test_every_pair_of_phases_gives_a_result():
    for first, second in itertools.permutations(["Li", "P", "Li2S", "LiP"], 2):
        kinks = predict(first, second, energies(FORMATION_EV)).kinks
        assert (kinks[0].mixing_fraction, kinks[-1].mixing_fraction) == (0.0, 1.0)
        assert all(kink.energy_ev_per_atom <= 1e-6 for kink in kinks)

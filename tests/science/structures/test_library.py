"""Every phase of the library against what is known of it: formula, symmetry, charge, shortest distance, density."""

import re

import numpy as np
import pytest
from pymatgen.core.composition import Composition
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_seireact.science.structures.library import entry, from_cif, names, structure, within

SHORTEST_ANG = {
    "In": 3.25,  # c/a = 1.52: four at 3.25, eight at 3.38; the nearest are those along a
    "Li": 3.5093 * np.sqrt(3) / 2,
    "Li2S": 5.716 * np.sqrt(3) / 4,
    "Li3P": 4.264 / np.sqrt(3),
    "LiCl": 5.1396 / 2,
    "LiIn": 6.786 * np.sqrt(3) / 4,
    "P": 2.224,  # Brown and Rundqvist
    "S": 2.04,  # S-S in S8: 2.04 to 2.06
}
"""Nearest neighbours in Å, from the structure's geometry or the paper."""


@pytest.mark.parametrize("name", names())
def test_a_phase_is_neutral_and_has_its_formula_and_space_group(name: str):
    cell, phase = structure(name), entry(name)
    assert cell.charge == pytest.approx(0.0, abs=1e-9)
    formula = {str(element): n for element, n in cell.composition.element_composition.reduced_composition.items()}
    assert formula == pytest.approx(Composition(name).reduced_composition.get_el_amt_dict())
    analyzer = SpacegroupAnalyzer(cell, symprec=1e-3)
    assert (analyzer.get_space_group_symbol(), analyzer.get_space_group_number()) == (phase.space_group, phase.number)


@pytest.mark.parametrize("name", names())
def test_the_multiplicities_of_the_wyckoff_sites_add_up_to_the_cell(name: str):
    cell = structure(name)
    assert sum(int(site.wyckoff[:-1]) for site in entry(name).sites) == len(cell)


@pytest.mark.parametrize("name", names())
def test_a_phase_names_its_source(name: str):
    phase = entry(name)
    assert len(phase.source) > 20
    assert phase.coordinates in {"published", "relaxed", "prototype", "model"}


@pytest.mark.parametrize("name", [name for name in names() if entry(name).density_g_cm3])
def test_the_density_is_within_two_percent_of_the_published(name: str):
    assert structure(name).density == pytest.approx(entry(name).density_g_cm3, rel=0.02)


@pytest.mark.parametrize(("name", "shortest"), SHORTEST_ANG.items())
def test_nearest_neighbours_are_those_of_the_structure(name: str, shortest: float):
    neighbours = structure(name).get_neighbor_list(r=4.0)[3]
    assert neighbours.min() == pytest.approx(shortest, abs=0.005)


@pytest.mark.parametrize("name", [name for name in names() if {"P", "S"} < entry(name).elements])
def test_every_p_of_a_thiophosphate_has_its_s_at_2_0_to_2_1_ang(name: str):
    cell = structure(name)
    per_p = 3 if name == "Li4P2S6" else 4
    for site in cell:
        if any(specie.symbol == "P" for specie in site.species):
            near = [n for n in cell.get_neighbors(site, 2.4) if any(s.symbol == "S" for s in n.species)]
            assert len(near) == per_p
            # The S between two P of P2S7 is farther: 2.15 to 2.17 Å.
            assert all(1.98 < n.nn_distance < (2.2 if name == "Li7P3S11" else 2.1) for n in near)


def test_li7p3s11_is_made_of_ps4_and_p2s7():
    """One P2S7 and one PS4 a formula unit: of 11 S one binds two P. Its density is that of Yamane et al., 1.98."""
    cell = structure("Li7P3S11")
    bonds = [
        sum(n.species_string == "P5+" for n in cell.get_neighbors(site, 2.4))
        for site in cell
        if site.species_string == "S2-"
    ]
    assert sorted(bonds) == [1] * 20 + [2] * 2
    assert cell.density == pytest.approx(1.98, rel=0.01)


@pytest.mark.parametrize("name", ["InCl3", "Li3InCl6"])
def test_every_in3_sits_in_an_octahedron_of_cl_at_2_5_to_2_6_ang(name: str):
    cell = structure(name)
    for site in cell:
        if site.species_string == "In3+":
            near = cell.get_neighbors(site, 3.2)
            assert [n.species_string for n in near] == ["Cl-"] * 6
            assert all(2.5 < n.nn_distance < 2.6 for n in near)
            cosines = _cosines(site, near)
            assert np.allclose(np.sort(cosines), [-1] * 3 + [0] * 12, atol=0.1)


def _cosines(site, near) -> np.ndarray:
    vectors = np.array([n.coords - site.coords for n in near])
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    return (vectors @ vectors.T)[np.triu_indices(len(near), 1)]


def test_lip_is_made_of_chains_of_p():
    """P-P 2.2 Å, two neighbours each, as in the helices of LiP (von Schnering et al.)."""
    cell = structure("LiP")
    for site in cell:
        if site.species_string == "P-":
            bonds = [n for n in cell.get_neighbors(site, 2.5) if n.species_string == "P-"]
            assert len(bonds) == 2
            assert all(2.1 < bond.nn_distance < 2.3 for bond in bonds)


def test_argyrodite_fills_24_of_48_sites_and_mixes_cl_with_s():
    cell = structure("Li6PS5Cl")
    li = [site for site in cell if "Li" in site.species_string]
    assert len(li) == 48
    assert sum(site.species.num_atoms for site in li) == pytest.approx(24)
    mixed = [site for site in cell if "Cl" in site.species_string and "S" in site.species_string]
    assert len(mixed) == 8
    assert not entry("Li6PS5Cl").ordered
    assert entry("Li2S").ordered


def test_lattice_parameters_are_arguments_and_only_free_ones():
    assert structure("Li3P", a=4.3, c=7.6).lattice.abc == pytest.approx((4.3, 4.3, 7.6))
    with pytest.raises(ValueError, match=r"Li2S \(Fm-3m\) has no free lattice parameter c: give a\."):
        structure("Li2S", c=5.0)


def test_an_unknown_phase_is_answered_by_the_nearest_one():
    with pytest.raises(ValueError, match=r"no phase 'Li6PS5Br': did you mean Li6PS5Cl .* as a CIF\."):
        structure("Li6PS5Br")


def test_phases_are_found_by_their_elements():
    assert set(within(["Li", "S"])) == {"Li", "Li2S", "S"}
    with pytest.raises(ValueError, match=r"'Xx' is no chemical element: the library holds Cl, In, Li, P, S\."):
        within(["Li", "Xx"])
    with pytest.raises(ValueError, match=r"No phase of the library holds Br: .* Give the phases with Br as CIFs\."):
        within(["Li", "Br"])


def test_a_cif_gives_back_the_cell_it_was_written_from():
    cell = structure("Li6PS5Cl")
    read = from_cif(cell.to(fmt="cif"))
    assert read.composition == cell.composition
    assert read.charge == pytest.approx(0.0)


def test_oxidation_states_are_guessed_where_the_cif_has_none():
    bare = structure("Li2S").remove_oxidation_states().to(fmt="cif")
    assert {str(specie) for specie in from_cif(bare).composition} == {"Li+", "S2-"}


def test_oxidation_states_are_guessed_where_thirds_are_rounded():
    """As files write them: 0.333 and 0.667, which no whole number of sites makes whole."""
    text = structure("Li3InCl6").remove_oxidation_states().to(fmt="cif")
    rounded = re.sub(r"0\.3333+$", "0.333", text, flags=re.MULTILINE)
    assert rounded != text
    read = from_cif(rounded)
    assert {str(specie) for specie in read.composition} == {"Li+", "In3+", "Cl-"}
    assert read.charge == pytest.approx(0.0, abs=5e-3)


def test_a_cell_without_whole_atoms_is_read_without_charges():
    text = structure("Li6PS5Cl").remove_oxidation_states().to(fmt="cif").replace("0.5\n", "0.4\n")
    assert not any(hasattr(specie, "oxi_state") and specie.oxi_state for specie in from_cif(text).composition)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "no data_ block"),
        ("data_x\n_cell_length_a 3\n", "no atom sites"),
        (structure("Li2S").remove_oxidation_states().to(fmt="cif").replace("  S  ", "  Qx  "), "unknown species 'Qx'"),
        (structure("Li2S").to(fmt="cif").replace("_cell_length_a   5.716", "_cell_length_a   five"), "can't be read"),
    ],
)
def test_a_bad_cif_is_refused_with_a_sentence(text: str, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        from_cif(text)

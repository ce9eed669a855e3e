"""Defects as frames: of a phase drawn anew, or of cells that each frame remembers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from pymatgen.io.cif import CifWriter

from aiida_seireact.formats.defects import DefectsSettings
from aiida_seireact.formats.disorder import EnsembleSettings, Made, read_settings
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.selection import split_by_group
from aiida_seireact.science.structures import crystal, library

ARGYRODITE = {"phase": {"name": "Li6PS5Cl"}}


def make(cells: Frames | None = None, **settings: Any) -> Made:
    return read_settings(DefectsSettings, settings).make(cells)


def hosts(*names: str) -> Frames:
    images = [crystal(name) for name in names]
    for name, atoms in zip(names, images, strict=True):
        atoms.info.update(config_type=name, group=f"cell/{name}")
    return Frames.from_atoms(images)


def test_a_disordered_phase_is_drawn_anew_for_each_frame() -> None:
    made = make(**ARGYRODITE, vacancies={"Li": 2}, antisites={"S:Cl": 1}, number=4, seed=5)
    assert [row["seed"] for row in made.rows] == [5, 6, 7, 8]
    assert len(set(made.frames.frame_ids)) == 4
    assert {row["formula"] for row in made.rows} == {"Cl4Li22P4S20"}
    assert {row["charge_e"] for row in made.rows} == {-2.0}
    draws = read_settings(EnsembleSettings, {**ARGYRODITE, "number": 4, "seed": 5}).make()
    assert made.frames.group.tolist() == draws.frames.group.tolist()
    assert len(set(made.frames.group)) == 4
    assert made.report["charges_e"] == {"Cl": -1.0, "Li": 1.0, "P": 5.0, "S": -2.0}
    again = make(**ARGYRODITE, vacancies={"Li": 2}, antisites={"S:Cl": 1}, number=4, seed=5)
    assert again.frames.content_hash == made.frames.content_hash


def test_frames_of_given_cells_remember_them() -> None:
    cells = hosts("Li2S", "LiCl")
    made = make(cells, vacancies={"Li": 1}, number=2, repeat=(2, 1, 1))
    assert made.frames.parent_id.tolist() == [cells.frame_ids[0]] * 2 + [cells.frame_ids[1]] * 2
    assert made.frames.config_type.tolist() == ["Li2S-defects"] * 2 + ["LiCl-defects"] * 2
    assert made.frames.group.tolist() == ["cell/Li2S"] * 2 + ["cell/LiCl"] * 2
    assert made.frames.n_atoms.tolist() == [23, 23, 15, 15]
    assert [row["seed"] for row in made.rows] == [0, 1, 2, 3]
    assert made.rows[0]["charge_e"] is None


def test_a_draw_and_its_vacancies_are_in_one_part() -> None:
    draws = read_settings(EnsembleSettings, {**ARGYRODITE, "number": 20}).make().frames
    made = make(draws, vacancies={"Li": 1}, number=2).frames
    groups = [*draws.group.tolist(), *made.group.tolist()]
    types = [*draws.config_type.tolist(), *made.config_type.tolist()]
    parts = split_by_group(groups, types, [*draws.frame_ids, *made.frame_ids], seed=1)
    assert set(parts[:20]) == set(parts[20:]) == {"train", "val", "test"}
    assert parts[20:].tolist() == np.repeat(parts[:20], 2).tolist()


def test_neutral_sets_are_made_and_others_refused_for_every_host() -> None:
    cells = hosts("Li2S", "LiCl")
    balanced = make(cells, vacancies={"Li": 1}, interstitials={"Li": 1}, neutral=True, repeat=(2, 2, 2))
    assert [row["charge_e"] for row in balanced.rows] == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"a charge of -2 e: 1 S vacancy or 2 Li interstitials more would balance"):
        make(cells, vacancies={"Li": 2}, neutral=True)
    with pytest.raises(ValueError, match=r"a charge of -2 e: 2 Cl vacancies or 2 Li interstitials more"):
        make(hosts("LiCl"), vacancies={"Li": 2}, neutral=True)
    made = make(**ARGYRODITE, vacancies={"Li": 1, "Cl": 1}, neutral=True)
    assert made.rows[0]["formula"] == "Cl3Li23P4S20"


def test_charges_that_no_one_knows_have_to_be_given() -> None:
    metal = Frames.from_atoms([Atoms("LiIn", positions=[[0, 0, 0], [3, 3, 3]], cell=[6, 6, 6], pbc=True)])
    with pytest.raises(ValueError, match=r"No charge is known of In and Li, .* or --charge In"):
        make(metal, vacancies={"In": 1}, interstitials={"Li": 3}, neutral=True)
    made = make(
        metal, vacancies={"In": 1}, interstitials={"Li": 3}, neutral=True, charges={"In": 3, "Li": 1}, repeat=(2, 2, 2)
    )
    assert made.rows[0]["formula"] == "In7Li11"


def random_cell(formula: str) -> Frames:
    atoms = Atoms(formula)
    atoms.set_cell([3 * np.ceil(len(atoms) ** (1 / 3))] * 3)
    atoms.set_scaled_positions(np.random.default_rng(0).uniform(size=(len(atoms), 3)))
    atoms.pbc = True
    return Frames.from_atoms([atoms])


def test_a_formula_that_does_not_reduce_takes_no_time() -> None:
    cells = random_cell("Cl31Li191P32S160")
    start = time.monotonic()
    made = make(cells, vacancies={"Li": 2, "S": 1}, neutral=True)
    assert made.report["charges_e"] == {"Cl": -1.0, "Li": 1.0, "P": 5.0, "S": -2.0}
    given = make(cells, vacancies={"Li": 2, "S": 1}, neutral=True, charges={"Cl": -1, "Li": 1, "P": 5, "S": -2})
    assert given.rows[0]["charge_e"] == 0
    assert time.monotonic() - start < 2


def test_no_charge_is_a_fraction() -> None:
    cells = random_cell("Li20P4S20Cl4")
    # pymatgen's likeliest S is -1.8 here, by which 9 Li and 5 S were neutral.
    with pytest.raises(ValueError, match=r"No charge is known of Li and S, .* --charge Li"):
        make(cells, vacancies={"Li": 9, "S": 5}, neutral=True)
    made = make(cells, vacancies={"Li": 2, "S": 1}, neutral=True, charges={"Li": 1, "S": -2})
    assert made.rows[0]["charge_e"] == 0


def test_a_cif_is_a_host(tmp_path: Any) -> None:
    text = str(CifWriter(library.structure("LiCl")))
    made = make(phase={"cif": text}, vacancies={"Li": 1, "Cl": 1}, neutral=True)
    assert made.frames.n_atoms.tolist() == [6]
    assert np.isclose(made.frames.cells[0, 0, 0], library.structure("LiCl").lattice.a)


def test_a_slab_without_its_cell_is_refused() -> None:
    slab = crystal("Li2S")
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match=r"Host 0 \(Li8S4\) is not periodic along c, .* give a cell with its vacuum"):
        make(Frames.from_atoms([slab]), vacancies={"Li": 1})


def test_an_ordered_crystal_needs_no_charges() -> None:
    alloy = library.structure("LiIn")
    alloy.remove_oxidation_states()
    made = make(phase={"cif": str(CifWriter(alloy))}, vacancies={"In": 1}, repeat=(2, 1, 1))
    assert made.rows[0]["charge_e"] is None
    assert made.frames.n_atoms.tolist() == [2 * len(alloy) - 1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ARGYRODITE, "no defect to make"),
        ({"vacancies": {"Li": 1}}, "need a host: give a phase, or cells"),
        ({**ARGYRODITE, "antisites": {"SCl": 1}}, "an antisite is of two elements, such as S:Cl, not 'SCl'"),
        ({**ARGYRODITE, "antisites": {"S:Br": 1}}, "1 Br can't be drawn from a cell of .* with 0 Br"),
        ({**ARGYRODITE, "interstitials": {"Xx": 1}}, "'Xx' is no element"),
        ({**ARGYRODITE, "interstitials": {"Li": 1}, "min_distance_ang": 4}, "no place 4 Å from all atoms"),
        ({**ARGYRODITE, "vacancies": {"Li": 0}}, "vacancies.Li: Input should be greater than or equal to 1"),
    ],
)
def test_what_can_not_be_made_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(**settings)

"""Ensembles and orderings as frames: seeds, groups, energies, and refusals in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from pymatgen.core.ewald import EwaldSummation
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from aiida_seireact.formats.disorder import EnsembleSettings, Made, OrderingsSettings, read_settings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.science.selection import split_by_group
from aiida_seireact.science.structures import library

CHARGES = {"Li": 1, "P": 5, "S": -2, "Cl": -1}
MIXED = {
    "name": "Li2S", "occupancies": {"S": {"S": 0.75, "P": 0.125, "Cl": 0.125}}, "charges": {"P": -3, "Cl": -1},
}  # fmt: skip


def ensemble(**settings: Any) -> Made:
    return read_settings(EnsembleSettings, {"phase": {"name": "Li6PS5Cl"}, **settings}).make()


def orderings(**settings: Any) -> Made:
    return read_settings(OrderingsSettings, {"phase": MIXED, **settings}).make()


@pytest.fixture(scope="module")
def ranked() -> Made:
    return ensemble(number=8, seed=3, rank="ewald")


def test_an_ensemble_is_of_unlike_neutral_frames_each_a_group() -> None:
    made = ensemble(number=5, seed=7, repeat=(2, 1, 1))
    assert [row["seed"] for row in made.rows] == [7, 8, 9, 10, 11]
    assert made.frames.group.tolist() == [f"disorder/{name[:16]}" for name in made.frames.structure_ids]
    assert made.report["groups"] == made.frames.group.tolist()
    assert set(made.frames.config_type) == {"Li6PS5Cl"}
    assert len(set(made.frames.frame_ids)) == made.report["n_distinct"] == 5
    assert made.report["counts"] == {"Li": 48, "P": 8, "S": 40, "Cl": 8}
    assert made.report["sublattices"][-1] == {
        "label": "X2", "n_sites": 8, "drawn": {"Cl": 4, "S": 4}, "target": {"Cl": 4.0, "S": 4.0},
    }  # fmt: skip
    for atoms in made.frames.iter_atoms():
        assert sum(CHARGES[symbol] for symbol in atoms.symbols) == 0
        assert neighbor_list("d", atoms, {("Li", "Li"): 4.0}).min() > 2.0


def test_a_seed_is_a_frame_whichever_ensemble_draws_it() -> None:
    first, second = ensemble(number=3, seed=1), ensemble(number=1, seed=3)
    assert first.frames.frame_ids[2] == second.frames.frame_ids[0]
    assert first.frames.content_hash == ensemble(number=3, seed=1).frames.content_hash


def test_an_ensemble_is_split_and_equal_draws_are_not() -> None:
    frames = ensemble(number=20).frames
    parts = split_by_group(frames.group.tolist(), frames.config_type.tolist(), frames.frame_ids, seed=0)
    assert {part: int((parts == part).sum()) for part in ("train", "val", "test")} == {"train": 16, "val": 2, "test": 2}
    few = ensemble(phase=MIXED, repeat=(1, 1, 2), number=60, config_type="one").frames
    again = ensemble(phase=MIXED, repeat=(1, 1, 2), number=60, seed=30, config_type="other").frames
    known = dict(zip(few.frame_ids, few.group.tolist(), strict=True))
    assert len(set(known.values())) == len(known) < 60
    assert all(known.get(name, group) == group for name, group in zip(again.frame_ids, again.group, strict=True))


def test_the_energies_are_those_of_the_frames(ranked: Made) -> None:
    atoms = ranked.frames.to_atoms(0)
    alone = Structure(Lattice(atoms.cell.array), list(atoms.symbols), atoms.get_scaled_positions())
    alone.add_oxidation_state_by_element(CHARGES)
    told = ranked.rows[0]
    assert told["ewald_ev"] == pytest.approx(EwaldSummation(alone).total_energy, abs=1e-5)
    assert told["ewald_ev_per_atom"] == pytest.approx(told["ewald_ev"] / 52, abs=1e-7)
    energies = [row["ewald_ev"] for row in ranked.rows]
    assert energies == sorted(energies)
    assert sorted(row["seed"] for row in ranked.rows) == list(range(3, 11))


def test_the_lowest_are_kept_and_all_are_told(ranked: Made) -> None:
    kept = ensemble(number=8, seed=3, rank="ewald", keep=2)
    assert kept.frames.frame_ids == ranked.frames.frame_ids[:2]
    assert [row["kept"] for row in kept.report["rows"]] == [True, True, *[False] * 6]
    assert [row["seed"] for row in kept.report["rows"]] == [row["seed"] for row in ranked.rows]


def test_equal_draws_are_kept_once() -> None:
    # Eight S sites with one P and one Cl: of 200 draws many are the same of 56 arrangements.
    made = read_settings(
        EnsembleSettings, {"phase": MIXED, "repeat": (1, 1, 2), "number": 200, "rank": "ewald", "keep": 100}
    ).make()
    assert len(made.frames) == len(set(made.frames.frame_ids)) == made.report["n_distinct"] <= 56
    assert made.report["n_distinct"] > 50


def test_orderings_are_told_with_degeneracies_and_energies() -> None:
    made = orderings(supercell=(1, 1, 2))
    assert made.report["n_arrangements"] == 56
    assert sum(row["degeneracy"] for row in made.rows) == 56
    assert sorted(row["degeneracy"] for row in made.rows) == [8, 8, 8, 32]
    assert [row["ordering"] for row in made.rows] == [1, 2, 3, 4]
    assert len(set(made.frames.group)) == 4
    assert [row["ewald_ev"] for row in made.rows] == sorted(row["ewald_ev"] for row in made.rows)
    unranked = orderings(supercell=(1, 1, 2), rank=None)
    assert "ewald_ev" not in unranked.rows[0]
    assert sorted(unranked.frames.frame_ids) == sorted(made.frames.frame_ids)


def test_primitive_and_matrix_tell_other_supercells() -> None:
    assert len(orderings(primitive=True, supercell=(2, 2, 2)).frames) == 2
    rows = ((1, 0, 0), (0, 1, 0), (1, 1, 2))
    made = orderings(supercell=rows)
    assert len(made.frames) == 4
    conventional = library.structure("Li2S").lattice.matrix
    assert np.allclose(made.frames.cells[0], np.array(rows) @ conventional)


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        (EnsembleSettings, {"keep": 1}, "keep takes the frames of lowest energy: give rank too"),
        (EnsembleSettings, {"keep": 3, "number": 2, "rank": "ewald"}, "keep is 3, and only 2 are drawn"),
        (EnsembleSettings, {"number": 0}, "number: Input should be greater than or equal to 1"),
        (EnsembleSettings, {"phase": {"name": "Li6PS5C"}}, "no phase 'Li6PS5C': did you mean Li6PS5Cl"),
        (EnsembleSettings, {"phase": {"name": "Li6PS5Cl", "occupancies": {"X9": {"S": 1}}}}, "no site has the label"),
        (
            EnsembleSettings,
            {"phase": {"name": "Li6PS5Cl", "occupancies": {"X1": {"Cl": 0.75, "S": 0.25}}}},
            r"neutral .*: give Li on Li the occupancy 0.479167",
        ),
        (EnsembleSettings, {"repeat": (6, 6, 6), "rank": "ewald"}, "16416 sites are too many for an Ewald sum"),
        (
            EnsembleSettings,
            {"phase": {"name": "Li6PS5Cl", "min_distance_ang": 3.4}},
            r"ions on Li find a place 3.4 Å .* take a min_distance_ang of at most",
        ),
        (OrderingsSettings, {"phase": MIXED, "supercell": (2, 2, 2)}, "736,281,000 ways, and at most 100,000"),
        (OrderingsSettings, {"phase": {"name": "Li6PS5Cl"}, "primitive": True}, "X1 would hold 0.5 Cl .* take 2 times"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_in_words(model: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_settings(model, {"phase": {"name": "Li6PS5Cl"}, **settings}).make()


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(InvalidInput, match="seeds: Extra inputs"):
        read_settings(EnsembleSettings, {"phase": {"name": "Li"}, "seeds": 3})

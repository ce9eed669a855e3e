"""The cell of 21,120 atoms of arXiv:2506.10944, to the atom, and what every stack must hold."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.science.analysis import intact_ps4
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.structures.plan import CellPlan

A_LI, A_SE = 3.42, 9.91
INNER = slice(210, -210)


@cache
def plan(seed: int = 1) -> CellPlan:
    """3 argyrodite cells along 10 Li periods of [111]/2, 6 along 7 of [11-2]; Li takes the mismatch."""
    return Recipe.model_validate(
        {
            "phases": {
                "SE": {"name": "Li6PS5Cl", "lattice": {"a": A_SE}},
                "Li": {"name": "Li", "lattice": {"a": A_LI}},
            },
            "slabs": [
                {"phase": "SE", "hkl": [1, 0, 0], "in_plane": [[0, 3, 0], [0, 0, 6]], "cells": 10},
                {"phase": "Li", "hkl": [1, 1, 0], "in_plane": [[5, -5, 5], [7, -7, -14]], "layers": 56},
            ],
            "lattice_of": "SE",
            "seed": seed,
        }
    ).plan()


@cache
def cell(seed: int = 1) -> Atoms:
    return plan(seed).to_ase()


def metal() -> Atoms:
    """The Li of the second slab, from below."""
    atoms = cell()[9360:]
    return atoms[np.argsort(atoms.positions[:, 2], kind="stable")]


def test_it_has_21120_atoms_of_exact_composition() -> None:
    assert plan().n_atoms == len(cell()) == 21_120
    assert plan().counts == {"Li": 6 * 720 + 11_760, "P": 720, "S": 5 * 720, "Cl": 720}
    assert {symbol: cell().get_chemical_symbols().count(symbol) for symbol in plan().counts} == plan().counts


def test_the_mismatch_is_that_of_the_paper_and_the_metal_takes_it() -> None:
    electrolyte, lithium = plan().report["slabs"]
    assert electrolyte["strain"] == [0.0, 0.0]
    along = (10 * sqrt(3) / 2 * A_LI / (3 * A_SE) - 1, 7 * sqrt(6) * A_LI / (6 * A_SE) - 1)
    assert lithium["mismatch"] == pytest.approx(along, abs=1e-7)
    assert [round(100 * value, 2) for value in lithium["mismatch"]] == [-0.38, -1.38]
    assert cell().cell.lengths()[:2] == pytest.approx([3 * A_SE, 6 * A_SE])


def test_a_layer_of_lithium_has_210_atoms_and_there_are_56() -> None:
    heights = metal().positions[:, 2].reshape(56, 210)
    assert np.ptp(heights, axis=1).max() < 1e-6
    assert np.diff(heights[:, 0]).min() > 2.3


def test_every_inner_lithium_has_8_neighbours_also_across_the_boundary() -> None:
    atoms = metal()
    # Half way from the first shell of bcc, (√3/2) a, to the second, a.
    first = neighbor_list("i", atoms, (sqrt(3) / 2 + 1) / 2 * A_LI)
    assert (np.bincount(first, minlength=len(atoms))[INNER] == 8).all()


def test_the_electrolyte_is_neutral_and_its_ps4_are_whole() -> None:
    assert plan().report["slabs"][0]["charge_e"] == 0
    atoms = cell()
    assert intact_ps4(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc).all()


def test_no_two_atoms_share_a_place_and_a_supercell_keeps_it_so() -> None:
    for atoms in (cell(), cell().repeat((2, 1, 1))):
        atoms = atoms.copy()
        atoms.wrap()
        distance, _ = smallest_distance(atoms.positions, np.asarray(atoms.cell), True)
        assert distance > 1.8


def test_blocks_are_the_cell() -> None:
    blocks = list(plan().blocks())
    assert (np.concatenate([block.positions for block in blocks]) == cell().positions).all()
    assert (np.concatenate([block.numbers for block in blocks]) == cell().numbers).all()


def test_a_seed_is_one_cell() -> None:
    plan.cache_clear()
    again = plan(1).to_ase()
    assert (again.positions == cell(1).positions).all()
    other = cell(2)
    assert len(other) == len(again)
    assert (other.numbers != again.numbers).any()
    assert (other.positions[9360:] == again.positions[9360:]).all()

"""Slabs and stacks of them: cells in plane, strains, gaps, order of atoms, refusals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.cut import cut_unit
from aiida_seireact.science.structures.orient import Unit, oriented_unit
from aiida_seireact.science.structures.plan import CellPlan, plan_cell
from aiida_seireact.science.structures.slab import (
    SlabSpec,
    standard,
    strained,
    supercell,
    translations_of,
    wrapped,
)


@cache
def unit(name: str, hkl: tuple[int, int, int]) -> Unit:
    return cut_unit(oriented_unit(library.structure(name), hkl))


def lithium(**more) -> SlabSpec:
    return SlabSpec("Li", unit("Li", (1, 0, 0)), [[3, 0], [0, 3]], 4, **more)


def salt(**more) -> SlabSpec:
    return SlabSpec("LiCl", unit("LiCl", (1, 0, 0)), [[2, -2], [2, 2]], 3, **more)


def stack(**settings_) -> CellPlan:
    return plan_cell([salt(), lithium()], **{"gaps_ang": 2.0, **settings_})


@settings(max_examples=60, deadline=None)
@given(matrix=st.tuples(*[st.integers(-4, 4)] * 4))
def test_a_supercell_holds_each_lattice_point_once(matrix):
    a, b, c, d = matrix
    assume(a * d - b * c > 0)
    rows = np.array([[a, b], [c, d]])
    points = translations_of(rows)
    assert len(points) == a * d - b * c
    places = wrapped(points @ np.linalg.inv(rows))
    assert len(np.unique(places.round(6), axis=0)) == len(points)


def test_the_first_vector_lies_along_x_and_lengths_stay():
    rows = np.array([[1.0, 2.0], [-3.0, 1.0]])
    turned = standard(rows)
    assert turned[0, 1] == 0
    assert turned @ turned.T == pytest.approx(rows @ rows.T)


def test_strains_of_a_stretch_and_of_a_shear():
    square = np.eye(2) * 10
    stretch = strained(square, np.diag([10.1, 9.8]))
    assert stretch["strain"] == pytest.approx([0.01, -0.02])
    assert stretch["mismatch"] == pytest.approx([10 / 10.1 - 1, 10 / 9.8 - 1])
    assert stretch["principal"] == pytest.approx([-0.02, 0.01])
    shear = strained(square, np.array([[10.0, 0.0], [0.2, 10.0]]))
    assert shear["angle_change_deg"] == pytest.approx(-np.degrees(np.arctan(0.02)))
    assert shear["principal"] == pytest.approx([-0.01, 0.01], abs=1e-4)


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [([[0, 1], [1, 0]], "left-handed or parallel: swap"), ([[1.5, 0], [0, 1]], "2x2 matrix of whole numbers")],
)
def test_supercells_that_are_none_are_refused(matrix, sentence):
    with pytest.raises(ValueError, match=sentence):
        supercell(SlabSpec("Li", unit("Li", (1, 0, 0)), matrix, 1))


def test_all_take_the_mean_lattice_or_that_of_one_phase():
    own = {"Li": 3 * 3.5093, "LiCl": 2 * 5.1396}
    assert stack().cell[0, 0] == pytest.approx(sum(own.values()) / 2, abs=1e-6)
    for name, length in own.items():
        plan = stack(lattice_of=name)
        assert plan.cell[0, 0] == pytest.approx(length, abs=1e-6)
        assert {slab["phase"]: slab["strain"] == [0, 0] for slab in plan.report["slabs"]}[name]


def test_a_strained_slab_keeps_its_volume_or_its_spacing():
    plan = stack(lattice_of="LiCl")
    stretch = 2 * 5.1396 / (3 * 3.5093)
    assert plan.slabs[1].spacing == pytest.approx(3.5093 / 2 / stretch**2)
    stiff = plan_cell([salt(), lithium(keep_volume=False)], gaps_ang=2.0, lattice_of="LiCl")
    assert stiff.slabs[1].spacing == pytest.approx(3.5093 / 2)


def test_gaps_are_between_outermost_atoms_and_the_last_crosses_the_boundary():
    plan = stack(gaps_ang=(1.5, 7.0))
    atoms = plan.to_ase()
    z = atoms.positions[:, 2]
    lower, upper = z[: plan.slabs[0].n_atoms], z[plan.slabs[0].n_atoms :]
    assert upper.min() - lower.max() == pytest.approx(1.5, abs=1e-6)
    assert lower.min() + plan.cell[2, 2] - upper.max() == pytest.approx(7.0, abs=1e-6)


def test_a_phase_is_centred():
    plan = stack(centred="LiCl", gaps_ang=(2.0, 2.5))
    z = plan.to_ase().positions[: plan.slabs[0].n_atoms, 2]
    assert (z.min() + z.max()) / 2 == pytest.approx(plan.cell[2, 2] / 2, abs=1e-6)


def test_a_shift_moves_a_slab_in_plane_alone():
    still = plan_cell([salt(), lithium()], gaps_ang=2.0)
    moved = plan_cell([salt(), lithium(shift=(0.25, 0.0))], gaps_ang=2.0)
    n = still.slabs[0].n_atoms
    step = moved.to_ase().get_scaled_positions() - still.to_ase().get_scaled_positions()
    assert step[:n] == pytest.approx(0, abs=1e-8)
    assert (step[n:, 0] % 1.0) == pytest.approx(0.25, abs=1e-7)
    assert step[n:, 1:] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_the_size_of_a_block_changes_nothing(size):
    plan = stack()
    blocks = list(plan.blocks(size))
    assert all(len(block.numbers) == size for block in blocks[:-1])
    assert (np.concatenate([block.positions for block in blocks]) == plan.to_ase().positions).all()
    assert sum(plan.counts.values()) == plan.n_atoms == sum(len(block.numbers) for block in blocks)


def test_charges_are_told_where_they_are_known():
    assert [slab["charge_e"] for slab in stack().report["slabs"]] == [0.0, 0.0]
    bare = oriented_unit(library.structure("LiCl").remove_oxidation_states(), (1, 0, 0))
    plan = plan_cell([SlabSpec("LiCl", cut_unit(bare), [[1, 0], [0, 1]], 2)], gaps_ang=10.0)
    assert plan.report["slabs"][0]["charge_e"] is None


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"gaps_ang": (1.0, 2.0, 3.0)}, "2 slabs have 2 gaps, the last across the cell's boundary; 3 are given"),
        ({"gaps_ang": 0.0}, "above 0 Å, not 0"),
        ({"lattice_of": "Na"}, "lattice_of names 'Na', which is not in the stack: it has LiCl, Li"),
        ({"centred": "Na"}, "centred names 'Na'"),
    ],
)
def test_what_is_not_in_the_stack_is_refused(given_, sentence):
    with pytest.raises(ValueError, match=sentence):
        stack(**given_)


def test_disorder_without_its_settings_is_refused():
    own = oriented_unit(library.structure("Li6PS5Cl"), (1, 0, 0))
    with pytest.raises(ValueError, match=r"sites of .* are occupied in part"):
        plan_cell([SlabSpec("SE", own, [[1, 0], [0, 1]], 1)], gaps_ang=2.0)


def test_no_slab_and_no_layer_are_refused():
    with pytest.raises(ValueError, match="at least one slab"):
        plan_cell([], gaps_ang=2.0)
    with pytest.raises(ValueError, match="at least one layer, not 0"):
        plan_cell([SlabSpec("Li", unit("Li", (1, 0, 0)), [[1, 0], [0, 1]], 0)], gaps_ang=2.0)

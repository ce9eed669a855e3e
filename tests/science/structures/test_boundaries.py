"""Grain boundaries: pymatgen's own cells as oracle, misorientation from the built frames, refusals that lead on."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from pymatgen.core.interface import GrainBoundaryGenerator
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_seireact.formats.boundary_recipe import boundary_recipe
from aiida_seireact.formats.recipe import PhaseRecipe
from aiida_seireact.science.analysis import intact_ps4
from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.boundaries import Boundary, boundary, sigmas

A_LI = 3.42
LI = PhaseRecipe(name="Li", lattice={"a": A_LI})
TILT, TWIST = ((0, 0, 1), 5, (2, 1, 0)), ((0, 0, 1), 5, None)
TWIN = ((1, 1, 0), 3, (1, -1, 2))
CASES = [TILT, TWIST, TWIN]


@cache
def of_lithium(axis, sigma, plane) -> Boundary:
    return boundary(LI.structure(), axis, sigma=sigma, plane=plane)


@pytest.mark.parametrize(("axis", "sigma", "plane"), CASES)
def test_a_cell_of_bcc_is_that_of_pymatgen_to_every_distance(axis, sigma, plane):
    found = of_lithium(axis, sigma, plane)
    spacing = found.lower.layer_ang
    own = boundary_recipe(LI, found, name="Li", thickness_ang=15.0, gap_ang=spacing).plan().to_ase()
    primitive = LI.structure().remove_oxidation_states().get_primitive_structure()
    generator = GrainBoundaryGenerator(primitive)
    settings = {"plane": plane, "normal": True, "rm_ratio": 0.0}
    one = generator.gb_from_parameters(axis, found.angle_deg, expand_times=1, **settings)
    times = round(len(own) / len(one))
    theirs = AseAtomsAdaptor.get_atoms(
        generator.gb_from_parameters(axis, found.angle_deg, expand_times=times, **settings)
    )
    assert len(own) == len(theirs)
    assert own.get_volume() == pytest.approx(theirs.get_volume(), rel=1e-5)
    distances = [np.sort(neighbor_list("d", atoms, 4.7)) for atoms in (own, theirs)]
    # pymatgen's primitive cell is good to 1e-5 Å.
    assert distances[0] == pytest.approx(distances[1], abs=5e-5)


@pytest.mark.parametrize(("axis", "sigma", "plane"), CASES)
def test_the_grains_are_turned_by_the_angle_about_the_axis(axis, sigma, plane):
    found = of_lithium(axis, sigma, plane)
    frames = []
    for grain in (found.lower, found.upper):
        first, second = np.array(grain.in_plane)
        across = second - (second @ first) / (first @ first) * first
        frames.append([first / np.linalg.norm(first), across / np.linalg.norm(across)])
        frames[-1].append(np.cross(*frames[-1]))
        assert frames[-1][2] == pytest.approx(np.array(grain.hkl) / np.linalg.norm(grain.hkl))
    # A direction of the upper crystal, seen from the lower one, is this times itself.
    turn = np.array(frames[0]).T @ np.array(frames[1])
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(np.radians(found.angle_deg)))
    assert turn @ axis == pytest.approx(axis)
    assert found.lower.hkl == (plane or axis)


@pytest.mark.parametrize(
    ("name", "axis", "sigma", "plane"),
    [
        ("LiCl", (1, 1, 1), 7, (1, 0, 0)),
        ("LiCl", (2, 1, 0), 3, (-1, -1, 2)),
        ("Li", (1, 1, 0), 9, (1, 1, 1)),
        ("In", (0, 0, 1), 13, (1, 1, 1)),
        ("Li3P", (0, 0, 1), 7, (2, 1, 0)),
    ],
)
def test_mixed_and_asymmetric_ones_share_their_vectors_and_their_axis(name, axis, sigma, plane):
    crystal = library.structure(name)
    found = boundary(crystal, axis, sigma=sigma, plane=plane)
    lattice, frames, metrics = np.asarray(crystal.lattice.matrix), [], []
    for grain in (found.lower, found.upper):
        first, second = np.array(grain.in_plane) @ lattice
        normal = np.linalg.inv(lattice) @ np.array(grain.hkl)
        z, x = normal / np.linalg.norm(normal), first / np.linalg.norm(first)
        assert [z @ first, z @ second] == pytest.approx([0, 0], abs=1e-6)
        frames.append(np.array([x, np.cross(z, x), z]))
        metrics.append(np.array([[first @ first, first @ second], [first @ second, second @ second]]))
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-6, abs=1e-5)
    turn = frames[0].T @ frames[1]
    direction = np.array(axis) @ lattice
    assert turn @ direction == pytest.approx(direction, abs=1e-5)
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(np.radians(found.angle_deg)), abs=1e-6)
    assert found.lower.hkl == plane
    assert found.strain < 1e-6


def test_names_of_the_well_known_ones():
    tilt, twist, twin = (of_lithium(*case) for case in (TILT, TWIST, TWIN))
    assert (tilt.kind, twist.kind, twin.kind) == ("tilt", "twist", "tilt")
    assert tilt.angle_deg == pytest.approx(2 * np.degrees(np.arctan(1 / 2)))
    assert twin.angle_deg == pytest.approx(np.degrees(np.arccos(1 / 3)))
    assert tilt.area_ang2 == pytest.approx(sqrt(5) * A_LI**2)
    assert twist.area_ang2 == pytest.approx(5 * A_LI**2)
    assert twin.area_ang2 == pytest.approx(sqrt(3) / 2 * sqrt(2) * A_LI**2)
    assert twist.name == "Σ5 36.87° [0 0 1] (0 0 1)"


def coordination(atoms: Atoms) -> np.ndarray:
    """Neighbours within half way from the first shell of bcc to the second."""
    return np.bincount(neighbor_list("i", atoms, (sqrt(3) / 2 + 1) / 2 * A_LI), minlength=len(atoms))


@pytest.mark.parametrize(("axis", "sigma", "plane"), CASES)
def test_away_from_the_boundaries_lithium_has_8_neighbours_and_none_is_too_near(axis, sigma, plane):
    plan = boundary_recipe(LI, of_lithium(axis, sigma, plane), name="Li", thickness_ang=22.0).plan()
    atoms = plan.to_ase()
    slab = plan.slabs[0]
    inner = np.concatenate(
        [
            (atoms.positions[:, 2] > low + 3.0) & (atoms.positions[:, 2] < low + slab.thickness - 3.0)
            for low in plan.origins
        ]
    ).reshape(2, -1)
    assert inner.sum() > len(atoms) / 3
    assert (coordination(atoms)[inner.any(axis=0)] == 8).all()
    nearest = neighbor_list("d", atoms, 3.0).min()
    # 0.9 of the nearest neighbours of the crystal, met to the step of the gap and no farther.
    assert nearest == pytest.approx(0.9 * sqrt(3) / 2 * A_LI, abs=2e-3)
    assert nearest >= 0.9 * sqrt(3) / 2 * A_LI - 1e-6
    assert plan.gaps[0] == pytest.approx(plan.gaps[1])


def test_both_boundaries_are_alike_with_whole_periods_and_a_shift_displaces_one_grain():
    found = of_lithium(*TILT)

    def seams(**given) -> list[list[float]]:
        plan = boundary_recipe(LI, found, name="Li", gap_ang=1.5, repeat=(2, 1), **given).plan()
        atoms = plan.to_ase()
        half = len(atoms) // 2
        first, second, lengths, vectors = neighbor_list("ijdD", atoms, 4.0)
        across = (first < half) & (second >= half)
        return [np.sort(lengths[across & (sign * vectors[:, 2] > 0)]).tolist() for sign in (1, -1)]

    lower, upper = seams(thickness_ang=14.0)
    assert lower == pytest.approx(upper, abs=1e-6)
    moved, _ = seams(thickness_ang=14.0, shift=(0.5, 0.0))
    assert moved != pytest.approx(lower, abs=1e-3)
    again, _ = seams(thickness_ang=14.0, shift=(1.0, 1.0))
    assert again == pytest.approx(lower, abs=1e-6)


def test_layers_are_taken_as_they_are_and_a_thickness_by_whole_periods():
    found = of_lithium(*TWIST)
    by_layers = boundary_recipe(LI, found, name="Li", layers=3, gap_ang=2.0)
    by_thickness = boundary_recipe(LI, found, name="Li", thickness_ang=3 * A_LI / 2, gap_ang=2.0)
    assert [slab.layers for slab in by_layers.slabs] == [3, 3]
    assert found.lower.period == 2
    assert {slab.layers for slab in by_thickness.slabs} <= {2, 4}
    for given in ({}, {"layers": 2, "thickness_ang": 5.0}, {"thickness_ang": -1.0}, {"layers": 2, "closest": 0.0}):
        with pytest.raises(ValueError, match=r"give one of them|above 0 Å|such as 0\.9"):
            boundary_recipe(LI, found, name="Li", **given)


def test_a_boundary_of_an_electrolyte_is_neutral_whole_and_drawn_on_both_sides():
    phase = PhaseRecipe(name="Li6PS5Cl")
    found = boundary(phase.structure(), (0, 0, 1), sigma=5)
    plan = boundary_recipe(phase, found, name="SE", thickness_ang=9.0, seed=3).plan()
    atoms = plan.to_ase()
    units = plan.counts["P"]
    assert plan.counts == {"Cl": units, "Li": 6 * units, "P": units, "S": 5 * units}
    assert [slab["charge_e"] for slab in plan.report["slabs"]] == [0.0, 0.0]
    assert [slab["strain"] for slab in plan.report["slabs"]] == [[0.0, 0.0]] * 2
    assert intact_ps4(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc).all()
    first, second, lengths = neighbor_list("ijd", atoms, 3.0)
    half = plan.slabs[0].n_atoms
    across = (first < half) != (second < half)
    lithium = (atoms.numbers[first] == 3) & (atoms.numbers[second] == 3)
    sulphur = (atoms.numbers[first] == 16) & (atoms.numbers[second] == 16)
    # 0.9 of the shortest in the crystal: Li-Li 2.2 Å, S-S of a PS4 3.3 Å.
    assert lengths[across & lithium].min(initial=3.0) > 1.95
    assert lengths[across & sulphur].min(initial=3.0) > 2.9


@pytest.mark.parametrize(("name", "sigma", "plane"), [("Li3P", 7, None), ("In", 5, (2, 1, 0))])
def test_hexagonal_and_tetragonal_crystals_about_their_axis_are_not_strained(name, sigma, plane):
    phase = PhaseRecipe(name=name)
    found = boundary(phase.structure(), (0, 0, 1), sigma=sigma, plane=plane)
    assert found.strain == pytest.approx(0, abs=1e-8)
    plan = boundary_recipe(phase, found, name=name, thickness_ang=7.0).plan()
    cells = sum(slab["cells_per_layer"] * slab["layers"] for slab in plan.report["slabs"])
    assert plan.n_atoms == round(cells * sum(plan.slabs[0].spec.unit.composition.values()))
    assert [max(map(abs, slab["principal"])) for slab in plan.report["slabs"]] == pytest.approx([0, 0], abs=1e-7)


def test_the_sigmas_of_an_axis_are_told():
    found = sigmas(LI.structure(), (0, 0, 2), largest=13)
    assert list(found) == [5, 13]
    assert found[5] == pytest.approx([36.8699, 53.1301, 126.8699, 143.1301], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("Li", {"sigma": 6}, r"no Σ6 about \[0 0 1\]: the smallest are Σ5 \(36.87°, 53.13°.*Σ13"),
        ("Li", {"angle_deg": 30.0}, r"30° about \[0 0 1\] makes no .* nearest are 30.51° \(Σ65\)"),
        ("Li", {}, "give one of them"),
        ("Li", {"sigma": 5, "plane": (0, 0, 0)}, "not all zero"),
        ("Li7P3S11", {"sigma": 5}, "this one is triclinic: give two slabs of one phase"),
    ],
)
def test_what_is_none_is_refused_with_what_there_is(name, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        boundary(library.structure(name), (0, 0, 1), **given)


def test_a_ratio_of_axes_made_rational_is_strain_and_refused_above_the_limit():
    crystal = library.structure("In")
    with pytest.raises(ValueError, match="strains a grain by 0.41%"):
        boundary(crystal, (1, 0, 0), sigma=5, max_strain=0.001)
    assert boundary(crystal, (1, 0, 0), sigma=5).strain == pytest.approx(0.0041, abs=1e-4)


def test_an_angle_is_as_good_as_its_sigma():
    assert boundary(LI.structure(), (0, 0, 1), angle_deg=36.87).sigma == 5


def test_a_cell_that_is_not_the_conventional_one_is_refused():
    with pytest.raises(ValueError, match="not the conventional one, with a = b = c"):
        boundary(LI.structure().get_primitive_structure(), (0, 0, 1), sigma=5)

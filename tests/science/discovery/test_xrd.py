"""Diffraction by transform is that of pymatgen's calculator, for any cell, subset and size."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import make_supercell
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_seireact.science.discovery import xrd
from aiida_seireact.science.discovery.known import library_crystals, nearest_patterns
from aiida_seireact.science.structures import library
from tests.science.discovery import cells

ANGLES = np.arange(15.0, 70.0, 0.05)
OBLIQUE = [[1, 1, 0], [0, 1, 1], [1, 0, 2]]


@pytest.mark.parametrize("name", ["Li2S", "LiCl", "Li3P"])
def test_peaks_are_pymatgens_in_place_and_height(name: str) -> None:
    crystal = library.structure(name)
    crystal.remove_oxidation_states()
    wanted = XRDCalculator(wavelength=xrd.COPPER_ANG).get_pattern(crystal, scaled=False, two_theta_range=(10, 70))
    # A cell without a right angle, so that every index matters.
    atoms = make_supercell(AseAtomsAdaptor.get_atoms(crystal), OBLIQUE)
    found = xrd.ReciprocalGrid(atoms.cell.array, grid_per_period=3.0).reflections(atoms.positions, atoms.numbers)
    theta = np.arcsin(np.minimum(found.q * xrd.COPPER_ANG / (4 * np.pi), 1 - 1e-9))
    heights = found.intensity * (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
    mine = np.array([heights[abs(np.degrees(2 * theta) - angle) < 0.03].sum() for angle in wanted.x])
    highest = np.argmax(wanted.y)
    np.testing.assert_allclose(mine / mine[highest], wanted.y / wanted.y[highest], atol=2e-3)
    # And nothing elsewhere.
    near = (abs(np.degrees(2 * theta)[:, None] - wanted.x) < 0.03).any(axis=1)
    inside = (np.degrees(2 * theta) > 10) & (np.degrees(2 * theta) < 70)
    assert heights[inside & ~near].sum() < 2e-3 * heights[inside].sum()


def test_a_supercell_and_a_turned_cell_have_the_same_pattern() -> None:
    atoms = cells.rattled(cells.mixed(1, 2), 2, 0.1)
    turned = atoms.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)

    def pattern(frame: Atoms) -> np.ndarray:
        found = xrd.ReciprocalGrid(frame.cell.array, grid_per_period=3.0).reflections(frame.positions, frame.numbers)
        return xrd.pattern(found, ANGLES)

    plain = pattern(atoms)
    np.testing.assert_allclose(pattern(turned), plain, atol=5e-3 * plain.max())
    np.testing.assert_allclose(pattern(atoms.repeat((2, 1, 1))), plain, atol=5e-3 * plain.max())


@pytest.mark.parametrize("ordered_only", [True, False])
def test_slabs_of_the_density_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, ordered_only: bool) -> None:
    atoms = make_supercell(cells.rattled(cells.mixed(1, 2), 2, 0.1), OBLIQUE)
    atoms.positions += [3.0, -4.0, 50.0]

    def found() -> xrd.Reflections:
        grid = xrd.ReciprocalGrid(atoms.cell.array)
        return grid.reflections(atoms.positions, atoms.numbers, ordered_only=ordered_only)

    whole = found()
    monkeypatch.setattr(xrd, "_WORDS", 1)  # eight planes at a time
    monkeypatch.setattr(xrd, "_CHUNK", 37)
    parts = found()
    assert parts.q.tolist() == whole.q.tolist()
    np.testing.assert_allclose(parts.intensity, whole.intensity, atol=1e-6 * whole.intensity.max())


def test_sites_drawn_at_random_keep_the_peaks_of_their_crystal() -> None:
    atoms = cells.rattled(cells.li2s(4), 3, 0.1)
    whole = xrd.pattern(
        xrd.ReciprocalGrid(atoms.cell.array).reflections(atoms.positions, atoms.numbers, ordered_only=True), ANGLES
    )
    weights = (np.random.default_rng(4).random(len(atoms)) < 0.2).astype(float)
    part = xrd.ReciprocalGrid(atoms.cell.array).reflections(
        atoms.positions, atoms.numbers, weights=weights, ordered_only=True
    )
    assert xrd.similarity(whole, xrd.pattern(part, ANGLES)) > 0.95


def test_each_crystal_is_nearest_to_itself_stretched_or_not_and_a_glass_to_none() -> None:
    crystals = library_crystals(frozenset(("Li", "S", "P", "Cl")), "Li", 8.0, 160)
    for name, atoms in {
        "Li2S": cells.mixed(1),
        "Li3P": cells.li3p(),
        "LiCl": cells.licl(),
        "Li": cells.lithium(),
    }.items():
        warm = cells.rattled(atoms, 5, 0.12)
        warm.set_cell(warm.cell * 1.02, scale_atoms=True)
        found = xrd.ReciprocalGrid(warm.cell.array).reflections(warm.positions, warm.numbers, ordered_only=True)
        best, second = nearest_patterns(xrd.pattern(found, ANGLES), ANGLES, crystals)[:2]
        assert best.name == name
        assert best.value > 0.85
        assert best.value > second.value + 0.1
    atoms = cells.glass(6)
    found = xrd.ReciprocalGrid(atoms.cell.array).reflections(atoms.positions, atoms.numbers, ordered_only=True)
    assert nearest_patterns(xrd.pattern(found, ANGLES), ANGLES, crystals)[0].value < 0.5


def test_refusals_say_what_is_wrong() -> None:
    atoms = cells.li2s(1)
    with pytest.raises(ValueError, match="needs a cell with a volume"):
        xrd.ReciprocalGrid(np.zeros((3, 3))).reflections(atoms.positions, atoms.numbers)
    with pytest.raises(ValueError, match="No atom is in the subset"):
        xrd.ReciprocalGrid(atoms.cell.array).reflections(atoms.positions, atoms.numbers, weights=np.zeros(len(atoms)))

"""Stacks from a user's CIFs, and with a coating: what every interface must hold, at both of its boundaries."""

from __future__ import annotations

from functools import cache
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.plan import CellPlan

CRYSTALS = Path(__file__).parent / "crystals"
A_LI = 3.42
GAP_ANG = 2.2
MAX_STRAIN = 0.03
METAL = {"name": "Li", "lattice": {"a": A_LI}}
FACES = {"Li7P3S11": ((1, 0, 0), (1, 0, 0)), "Li3InCl6": ((0, 0, 1), (1, 1, 0))}
"""Plane of the electrolyte and of the metal."""
FORMULA = {"Li7P3S11": {"Li": 7, "P": 3, "S": 11}, "Li3InCl6": {"Li": 3, "In": 1, "Cl": 6}}
NAMES = sorted(FACES)


def recipe(name: str, **more) -> Recipe:
    electrolyte, metal = FACES[name]
    return Recipe.model_validate(
        {
            "phases": {"SE": {"cif": (CRYSTALS / f"{name}.cif").read_text()}, "Li": METAL},
            "slabs": [
                {"phase": "SE", "hkl": electrolyte, "cells": 2},
                {"phase": "Li", "hkl": metal, "thickness_ang": 16.0},
            ],
            "gaps_ang": GAP_ANG,
            "lattice_of": "SE",
            "match": {"max_strain": MAX_STRAIN},
            "seed": 4,
            **more,
        }
    )


@cache
def plan(name: str) -> CellPlan:
    return recipe(name).plan()


@cache
def cell(name: str) -> Atoms:
    return plan(name).to_ase()


def parts(name: str) -> tuple[Atoms, Atoms]:
    """Electrolyte and metal."""
    n_electrolyte = plan(name).slabs[0].n_atoms
    return cell(name)[:n_electrolyte], cell(name)[n_electrolyte:]


@pytest.mark.parametrize("name", NAMES)
def test_the_cif_is_the_phase_of_the_library(name):
    ours, theirs = library.structure(name), library.from_cif((CRYSTALS / f"{name}.cif").read_text())
    assert theirs.lattice.parameters == pytest.approx(ours.lattice.parameters, abs=0.006)
    assert theirs.composition.element_composition.almost_equals(ours.composition.element_composition, atol=1e-4)
    assert theirs.charge == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_electrolyte_is_exact_and_neutral(name):
    slab, _ = plan(name).report["slabs"]
    other = next(element for element in FORMULA[name] if element != "Li" and FORMULA[name][element] < 4)
    units = slab["counts"][other] // FORMULA[name][other]
    assert slab["counts"] == dict(sorted((symbol, n * units) for symbol, n in FORMULA[name].items()))
    assert slab["charge_e"] == 0
    counted = {symbol: cell(name).get_chemical_symbols().count(symbol) for symbol in plan(name).counts}
    assert counted == plan(name).counts


@pytest.mark.parametrize("name", NAMES)
def test_the_metal_alone_is_strained_and_within_the_limit(name):
    electrolyte, metal = plan(name).report["slabs"]
    assert electrolyte["principal"] == [0.0, 0.0]
    assert 0 < max(map(abs, metal["principal"])) <= MAX_STRAIN
    assert max(map(abs, metal["principal"])) == pytest.approx(plan(name).report["match"]["strain"], abs=1e-6)
    # Its volume is that of the unstrained metal.
    atoms, thickness = metal["n_atoms"], metal["layers"] * metal["layer_spacing_ang"]
    assert thickness * plan(name).report["area_ang2"] / atoms == pytest.approx(A_LI**3 / 2, rel=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_every_inner_atom_of_the_metal_has_8_neighbours(name):
    _, metal = parts(name)
    heights = metal.positions[:, 2]
    near = neighbor_list("i", metal, (sqrt(3) / 2 + 1) / 2 * A_LI)
    inner = (heights > heights.min() + 3.0) & (heights < heights.max() - 3.0)
    assert inner.sum() >= len(metal) / 3
    assert (np.bincount(near, minlength=len(metal))[inner] == 8).all()


def molecules(atoms: Atoms) -> dict[tuple[int, int], int]:
    """Count molecules by their numbers of P and S."""
    bound = atoms[[atom.index for atom in atoms if atom.symbol in "PS"]]
    first, second = neighbor_list("ij", bound, {("P", "S"): 2.6})
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(bound), len(bound)))
    _, labels = connected_components(links)
    kinds: dict[tuple[int, int], int] = {}
    for label in np.unique(labels):
        symbols = np.array(bound.get_chemical_symbols())[labels == label]
        key = (int((symbols == "P").sum()), int((symbols == "S").sum()))
        kinds[key] = kinds.get(key, 0) + 1
    return kinds


def test_every_ps4_and_p2s7_is_whole_at_the_faces_of_the_slab():
    units = plan("Li7P3S11").counts["P"] // 3
    assert molecules(cell("Li7P3S11")) == {(1, 4): units, (2, 7): units}
    # And none reaches over the boundary of the slab.
    free = parts("Li7P3S11")[0]
    free.positions[:, 2] -= free.positions[:, 2].min() - 10.0
    free.cell[2, 2] = free.positions[:, 2].max() + 10.0
    assert molecules(free) == {(1, 4): units, (2, 7): units}


def test_every_in_keeps_its_six_cl():
    electrolyte, _ = parts("Li3InCl6")
    first = neighbor_list("i", electrolyte, {("In", "Cl"): 3.0})
    assert (np.bincount(first)[electrolyte.numbers == 49] == 6).all()


def seams(atoms: Atoms, n_lower: int) -> tuple[float, float]:
    """Smallest distance between the two slabs, at the boundary between them and at that of the cell."""
    first, second, lengths, vectors = neighbor_list("ijdD", atoms, 6.0)
    across = (first < n_lower) & (second >= n_lower)
    return tuple(float(lengths[across & (sign * vectors[:, 2] > 0)].min()) for sign in (1, -1))


@pytest.mark.parametrize("name", NAMES)
def test_no_atoms_overlap_at_either_boundary_nor_after_a_wrap_in_a_supercell(name):
    atoms, n_lower = cell(name), plan(name).slabs[0].n_atoms
    distances = seams(atoms, n_lower)
    # Outermost atoms are the gap apart in height, so none are nearer; and the faces do touch.
    assert all(GAP_ANG - 1e-6 <= distance < GAP_ANG + 1.5 for distance in distances)
    big = atoms.repeat((2, 1, 1))
    big.positions += [1.0, 2.0, 0.37 * atoms.cell[2, 2]]
    big.wrap()
    shortest, again = (np.sort(neighbor_list("d", of, 3.2)) for of in (atoms, big))
    assert again == pytest.approx(np.repeat(shortest, 2), abs=1e-6)
    assert shortest[0] > 1.9


def test_12000_lithium_and_2000_formula_units_are_met_by_whole_layers_and_what_is_missed_is_told():
    """Golov and Carrasco: 12,000 Li + 2,000 Li3InCl6, 32,000 atoms; they do not tell planes or strain."""
    asked = recipe(
        "Li3InCl6",
        slabs=[{"phase": "SE", "hkl": (0, 0, 1)}, {"phase": "Li", "hkl": (1, 1, 0)}],
        match={"max_strain": MAX_STRAIN, "repeat": (3, 3)},
        target={"metal": "Li", "electrolyte": "SE", "metal_per_formula_unit": 6, "n_atoms": 32_000},
    )
    found = asked.plan()
    ratio, atoms = found.report["targets"]
    units, metal = found.slabs[0].counts["In"], found.slabs[1].n_atoms
    assert (ratio["wanted"], atoms["wanted"]) == (6, 32_000)
    assert ratio["found"] == pytest.approx(metal / units, abs=1e-6)
    assert atoms["found"] == found.n_atoms
    assert abs(ratio["residual"]) < 0.02
    assert abs(atoms["residual"]) < 0.03


# ------------------------------------------------------------------------------------------- coatings
COATING_ANG, CELLS = 5.716, 2


@cache
def coated() -> CellPlan:
    """Li6PS5Cl | Li2S | Li | Li2S, two unit cells of Li2S a side, as in arXiv:2506.10944."""
    coating = {"phase": "Li2S", "hkl": (1, 0, 0), "cells": CELLS}
    return Recipe.model_validate(
        {
            "phases": {"SE": {"name": "Li6PS5Cl", "lattice": {"a": 9.91}}, "Li2S": {"name": "Li2S"}, "Li": METAL},
            "slabs": [
                {"phase": "SE", "hkl": (1, 0, 0), "in_plane": [[0, 1, 0], [0, 0, 2]], "cells": 1},
                coating,
                {"phase": "Li", "hkl": (1, 1, 0), "thickness_ang": 15.0},
                coating,
            ],
            "gaps_ang": (2.0, 2.1, 2.2, 2.3),
            "lattice_of": "SE",
            "match": {"max_strain": 0.12},
            "centred": "Li",
            "seed": 2,
        }
    ).plan()


def test_a_coating_stands_on_both_sides_in_order_and_of_its_thickness():
    found = coated()
    assert [slab["phase"] for slab in found.report["slabs"]] == ["SE", "Li2S", "Li", "Li2S"]
    assert [slab.spec.layers for slab in found.slabs][1::2] == [2 * CELLS] * 2  # a cell is two layers of (100)
    atoms = found.to_ase()
    ends = np.cumsum([slab.n_atoms for slab in found.slabs])
    slabs = np.split(np.arange(len(atoms)), ends[:-1])
    height = atoms.cell[2, 2]
    faces = []
    for slab, origin in zip(slabs, found.origins, strict=True):
        z = (atoms.positions[slab, 2] - origin + 1e-6) % height
        faces.append((origin, origin + float(z.max()) - 1e-6))
    gaps = [(faces[(i + 1) % 4][0] - faces[i][1]) % height for i in range(4)]
    assert gaps == pytest.approx([2.0, 2.1, 2.2, 2.3], abs=1e-5)
    metal = atoms[slabs[2]].positions[:, 2]
    assert (metal.min() + metal.max()) / 2 == pytest.approx(height / 2, abs=1e-5)


def test_a_coating_has_the_composition_of_its_cells_and_all_strains_are_told():
    found = coated()
    plane = found.report["area_ang2"]
    for slab in (found.report["slabs"][1], found.report["slabs"][3]):
        sulphur = slab["counts"]["S"]
        assert slab["counts"] == {"Li": 2 * sulphur, "S": sulphur}
        assert slab["charge_e"] == 0
        assert slab["conventional_cells"] == CELLS
        # As many formula units as the strained area holds: 2 a layer of a² / 2.
        assert sulphur == slab["layers"] * slab["cells_per_layer"]
        volume = slab["layers"] * slab["layer_spacing_ang"] * plane
        assert volume / sulphur == pytest.approx(COATING_ANG**3 / 4, rel=1e-6)
    strains = [max(map(abs, slab["principal"])) for slab in found.report["slabs"]]
    assert strains[0] == 0
    assert strains[1] == strains[3]
    assert all(0 < strain <= 0.12 for strain in strains[1:])
    bare = [slab["n_atoms"] for slab in found.report["slabs"]]
    assert found.n_atoms == sum(bare)


def test_no_atoms_overlap_at_any_of_the_four_boundaries():
    atoms = coated().to_ase()
    owner = np.repeat(np.arange(4), [slab.n_atoms for slab in coated().slabs])
    first, second, lengths = neighbor_list("ijd", atoms, 3.0)
    across = owner[first] != owner[second]
    assert {tuple(sorted(pair)) for pair in zip(owner[first[across]], owner[second[across]], strict=True)} <= {
        (0, 1),
        (1, 2),
        (2, 3),
        (0, 3),
    }
    assert lengths[across].min() >= 2.0 - 1e-6
    assert lengths.min() > 1.9

"""Random packings have the composition and density they were asked for, and no pair closer than it may be."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from matscipy.neighbours import neighbour_list

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.sampling.packing import (
    counts_of,
    default_distances,
    density_of,
    pair_name,
    random_packing,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def closest(atoms) -> dict[str, float]:
    first, second, lengths = neighbour_list("ijd", atoms, 5.0)
    symbols = np.array(atoms.get_chemical_symbols())
    names = np.array([pair_name(*pair) for pair in zip(symbols[first], symbols[second], strict=True)])
    return {str(name): float(lengths[names == name].min()) for name in np.unique(names)}


@pytest.mark.parametrize(("composition", "density"), [("Li3PS4", 1.9), ("LiCl", 2.07), ("Li", 0.53), ("Li3InCl6", 2.5)])
def test_no_pair_is_closer_than_nine_tenths_of_its_radii(composition, density):
    atoms = random_packing(counts_of(composition, 90), density, rng())
    least = default_distances(sorted(set(atoms.get_chemical_symbols())))
    found = closest(atoms)
    assert set(found) == set(least)
    assert all(found[pair] >= least[pair] - 1e-6 for pair in least)


def test_density_and_composition_are_those_asked():
    atoms = random_packing(counts_of("Li3PS4", 50), 1.85, rng())
    assert atoms.get_chemical_formula() == "Li18P6S24"
    assert density_of(atoms) == pytest.approx(1.85, abs=1e-6)
    assert np.allclose(atoms.cell.angles(), 90)


def test_a_pair_that_is_named_stays_as_far_as_told():
    found = closest(random_packing(counts_of("Li2S", 60), 1.66, rng(), distances={"S-S": 3.2, "S-Li": 2.3}))
    assert found["S-S"] >= 3.2 - 1e-6
    assert found["Li-S"] >= 2.3 - 1e-6


def test_a_seed_is_one_packing_and_another_seed_another():
    hashes = [
        Frames.from_atoms([random_packing(counts_of("Li3PS4", 48), 1.8, rng(seed))]).content_hash for seed in (1, 1, 2)
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    # On this machine and any other.
    assert hashes[0].startswith("e6a1bf19a97ee611")


def test_what_can_not_be_packed_is_refused_with_a_density_that_can():
    counts = counts_of("LiCl", 64)
    with pytest.raises(
        ValueError, match=r"No packing of 64 atoms was found at 6 g/cm³ .* one was at (\S+) g/cm³"
    ) as told:
        random_packing(counts, 6.0, rng())
    feasible = float(str(told.value).split("one was at ")[1].split()[0])
    assert 1.0 < feasible < 6.0
    random_packing(counts, 0.999 * feasible, rng())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"Li": 2}, 0.5), "narrower than twice the largest distance .* take at least"),
        (({}, 0.5), "needs atoms and a density above 0"),
        (({"Li": 20}, 0.0), "needs atoms and a density above 0"),
    ],
)
def test_impossible_boxes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        random_packing(*arguments, rng())


def test_distances_of_strangers_are_refused():
    with pytest.raises(ValueError, match="There is no pair In-S in LiS: its pairs are Li-Li, Li-S, S-S"):
        random_packing(counts_of("Li2S", 60), 1.6, rng(), distances={"S-In": 2.0})


@pytest.mark.parametrize(
    ("composition", "n_atoms", "counts"),
    [("Li12P4", 48, {"Li": 36, "P": 12}), ("Li3PS4", 1, {"Li": 3, "P": 1, "S": 4}), ("Li", 7, {"Li": 7})],
)
def test_atoms_are_whole_formula_units(composition, n_atoms, counts):
    assert counts_of(composition, n_atoms) == counts


def test_what_is_no_formula_is_refused():
    with pytest.raises(ValueError, match="'Li3PS4!' is no chemical formula"):
        counts_of("Li3PS4!", 48)


def test_every_pair_of_elements_has_a_distance():
    species = ["Cl", "In", "Li"]
    assert set(default_distances(species)) == {pair_name(*pair) for pair in combinations_with_replacement(species, 2)}

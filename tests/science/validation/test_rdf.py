from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.science.validation.rdf import compare_rdfs, distance_between, rdfs


def crystal_frames(n_frames, sigma, seed, a=3.5):
    atoms = bulk("Li", "bcc", a=a, cubic=True) * (4, 4, 4)
    rng = np.random.default_rng(seed)
    places = atoms.positions + rng.normal(scale=sigma, size=(n_frames, len(atoms), 3))
    return places, atoms.numbers, np.repeat(atoms.cell.array[None], n_frames, axis=0)


def g_of(*arguments, **keywords):
    return rdfs(*crystal_frames(*arguments, **keywords), ("Li", "Li"))


def test_two_samples_of_one_crystal_differ_by_no_more_than_the_halves_of_one() -> None:
    r, reference = g_of(20, 0.2, 1)
    found = compare_rdfs(r, g_of(20, 0.2, 2)[1], reference)
    assert found.distance < 0.02
    assert found.distance < 2 * found.floor


def test_hotter_wider_and_molten_structures_are_farther_away() -> None:
    r, reference = g_of(20, 0.2, 1)
    hotter = compare_rdfs(r, g_of(20, 0.3, 2)[1], reference).distance
    wider = compare_rdfs(r, g_of(20, 0.2, 2, a=3.7)[1], reference).distance
    molten = compare_rdfs(r, g_of(20, 1.5, 2)[1], reference).distance
    assert 0.03 < hotter < molten
    assert 0.1 < wider < 1


def test_distance_has_its_two_ends() -> None:
    r = np.linspace(1, 5, 9)
    first, second = np.where(r < 3, 1.0, 0.0), np.where(r < 3, 0.0, 1.0)
    assert distance_between(r, first, first) == 0.0
    assert distance_between(r, first, second) == 1.0
    assert distance_between(r, second, first) == 1.0
    # 3 Å of one, the same and as many elsewhere of the other, each with weight r².
    assert distance_between([1.0, 2.0], [4.0, 0.0], [4.0, 1.0]) == pytest.approx(4 / 12)
    with pytest.raises(ValueError, match="no pair within reach"):
        distance_between(r, 0 * r, 0 * r)


def test_too_short_a_reference_is_refused() -> None:
    r, g = g_of(3, 0.2, 1)
    with pytest.raises(ValueError, match="3 reference frames"):
        compare_rdfs(r, g, g)

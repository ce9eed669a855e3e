from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from aiida_seireact.science.order import order_by_layer, order_of, peaks_of

LI2S = crystal(["S", "Li"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[5.71] * 3 + [90] * 3)


def test_peaks_of_known_lattices() -> None:
    bcc = peaks_of(bulk("Li", "bcc", a=3.5, cubic=True), (1, 1, 1))
    assert len(bcc) == 6  # {110}, half of twelve
    assert set(np.abs(bcc).sum(axis=1)) == {2}
    fcc = peaks_of(bulk("Cu", a=3.6, cubic=True), (2, 3, 4))
    assert sorted(map(tuple, np.abs(fcc).tolist())) == [(2, 3, 4)] * 4  # {111}
    layers = peaks_of(bulk("Cu", a=3.6, cubic=True), (2, 3, 4), in_plane=True)
    assert sorted(map(tuple, np.abs(layers).tolist())) == [(0, 6, 0), (4, 0, 0)]
    sulfur = peaks_of(LI2S, (1, 1, 1), species=["S"])
    assert set(np.abs(sulfur).max(axis=1)) == {1}  # {111} of its fcc lattice


def test_order_is_one_at_rest_the_debye_waller_factor_when_warm_and_none_in_a_gas() -> None:
    unit = bulk("Li", "bcc", a=3.5, cubic=True)
    atoms, peaks = unit * (6, 6, 6), peaks_of(unit, (6, 6, 6))
    cell = atoms.cell.array
    assert order_of(atoms.positions + np.array([0.3, 1.2, 99.0]), cell, peaks) == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    sigma, k = 0.25, 2 * np.pi * np.sqrt(2) / 3.5
    warm = order_of(atoms.positions + rng.normal(scale=sigma, size=(432, 3)), cell, peaks)
    assert warm == pytest.approx(np.exp(-(k**2) * sigma**2), abs=0.03)
    assert order_of(rng.random((432, 3)) @ cell, cell, peaks) < 0.02


def test_layers_tell_the_solid_half_from_the_molten_one() -> None:
    unit = bulk("Cu", a=3.6, cubic=True)
    atoms, peaks = unit * (4, 4, 8), peaks_of(unit, (4, 4, 8), in_plane=True)
    atoms.positions[:, 2] += 0.9  # atomic planes inside of the layers, not between them
    molten = atoms.get_scaled_positions()[:, 2] > 0.5
    rng = np.random.default_rng(1)
    atoms.positions[molten] += rng.normal(scale=1.5, size=(molten.sum(), 3)) * [1, 1, 0.2]
    layers = order_by_layer(atoms.positions, atoms.cell.array, peaks, 8)
    assert (layers[:4] > 0.95).all()
    assert (layers[4:] < 0.15).all()


def test_an_empty_layer_has_no_order() -> None:
    unit = bulk("Cu", a=3.6, cubic=True)
    atoms = unit * (2, 2, 2)
    atoms.cell[2, 2] *= 2
    assert np.isnan(order_by_layer(atoms.positions, atoms.cell.array, peaks_of(unit, (2, 2, 2)), 4)[2])


def test_absent_species_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no Cl"):
        peaks_of(LI2S, (1, 1, 1), species=["Cl"])


def test_a_short_vector_is_taken_though_a_longer_one_scatters_more() -> None:
    # Sites at 0 and 0.3 of the edge: |F|²/N² = cos²(0.3 π h), highest (0.90) at h = 3, 0.345 at h = 1 and 0.095 at 2.
    atoms = Atoms("Li2", scaled_positions=[[0, 0, 0], [0.3, 0, 0]], cell=[5, 1, 1], pbc=True)
    along = [tuple(row) for row in peaks_of(atoms, (2, 1, 1), k_max_per_ang=4.0).tolist()]
    assert along == [(6, 0, 0)]
    assert order_of(atoms.positions, atoms.cell.array, [(3, 0, 0)]) == pytest.approx(np.cos(0.9 * np.pi) ** 2)
    near = Atoms("Li2", scaled_positions=[[0, 0, 0], [0.25, 0, 0]], cell=[5, 1, 1], pbc=True)
    assert peaks_of(near, (2, 1, 1), k_max_per_ang=5.1).tolist() == [[2, 0, 0]]

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.reference_energies import fit_reference_energies


def test_energies_of_atoms_that_don_t_interact_are_found_exactly():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 20, size=(12, 3))
    atoms = np.array([-1.9, -4.1, -5.2])
    energies, residual = fit_reference_energies(counts, counts @ atoms)
    np.testing.assert_allclose(energies, atoms, atol=1e-10)
    assert residual < 1e-10


def test_one_composition_is_reproduced_though_species_can_t_be_told_apart():
    counts = np.array([[2, 1], [4, 2]])
    energies, residual = fit_reference_energies(counts, np.array([-9.0, -18.0]))
    assert counts[0] @ energies == pytest.approx(-9.0)
    assert residual < 1e-10


def test_a_species_without_frames_is_refused():
    with pytest.raises(ValueError, match="Species number 1 is in no frame"):
        fit_reference_energies(np.array([[2, 0]]), np.array([-1.0]))

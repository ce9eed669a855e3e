from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.sampling.dimers import dimer_distances
from aiida_seireact.science.validation.dimers import judge_dimer, repulsion_onset_ang, zbl_energy

R = dimer_distances(0.6, 5.0, 60)


def with_force(function):
    step = 1e-4
    return function(R), -(function(R + step) - function(R - step)) / (2 * step)


def test_zbl_is_that_of_nequip_and_lammps() -> None:
    torch = pytest.importorskip("torch")
    pair_potential = pytest.importorskip("nequip.nn.pair_potential")
    r = torch.tensor([0.3, 0.8, 1.5, 2.5], dtype=torch.float64)
    edges = torch.tensor([[0] * 4, [1] * 4])
    charges = torch.tensor([3.0, 16.0], dtype=torch.float64)
    peer = pair_potential._ZBL()(charges, r, torch.tensor([0, 1]), edges, 14.399645)
    np.testing.assert_allclose(zbl_energy("Li", "S", r.numpy()), peer.numpy(), rtol=1e-6)


def test_onset_is_shorter_than_the_bonds_of_molecules() -> None:
    # Huber and Herzberg: Li2 2.67, S2 1.89, Cl2 1.99, P2 1.89, LiCl 2.02 Å.
    for pair, bond in {("Li", "Li"): 2.67, ("S", "S"): 1.89, ("Cl", "Cl"): 1.99, ("P", "P"): 1.89}.items():
        assert 0.6 * bond < repulsion_onset_ang(*pair) < 0.97 * bond


def test_pure_zbl_repels_everywhere_and_is_one() -> None:
    found = judge_dimer(("Li", "S"), R, *with_force(lambda r: zbl_energy("Li", "S", r)))
    assert (found.hole_ev, found.pull_ev_per_ang) == (0.0, 0.0)
    assert found.zbl_ratio == pytest.approx(1.0, abs=0.02)


def test_a_bond_beyond_the_onset_is_no_hole() -> None:
    morse = lambda r: 0.3 * zbl_energy("Li", "S", r) + (1 - np.exp(-1.5 * (r - 2.2))) ** 2  # noqa: E731
    found = judge_dimer(("Li", "S"), R, *with_force(morse))
    assert (found.hole_ev, found.pull_ev_per_ang) == (0.0, 0.0)


def test_a_model_that_lets_atoms_fall_into_each_other_is_caught() -> None:
    hole = lambda r: zbl_energy("Li", "S", r) - 250 * np.exp(-(((r - 0.9) / 0.08) ** 2))  # noqa: E731
    found = judge_dimer(("Li", "S"), R[::-1], *(column[::-1] for column in with_force(hole)))
    assert found.hole_ev > 50
    assert found.hole_at_ang == pytest.approx(0.9, abs=0.08)
    assert found.pull_ev_per_ang > 1000
    assert 0.9 < found.pull_at_ang < 1.1


def test_a_model_without_repulsion_is_caught_by_its_ratio_to_zbl() -> None:
    flat = lambda r: 2.0 * np.exp(-r)  # noqa: E731
    found = judge_dimer(("Li", "S"), R, *with_force(flat))
    assert found.hole_ev == 0.0
    assert found.zbl_ratio < 0.02


def test_too_few_distances_and_no_numbers_are_refused() -> None:
    energies, forces = with_force(lambda r: zbl_energy("Li", "S", r))
    far = R > 1.55
    with pytest.raises(ValueError, match="must repel"):
        judge_dimer(("Li", "S"), R[far], energies[far], forces[far])
    with pytest.raises(ValueError, match="not numbers"):
        judge_dimer(("Li", "S"), R, np.full_like(R, np.nan), forces)

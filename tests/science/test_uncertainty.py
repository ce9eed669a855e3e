"""What is known to one Gaussian process is known; what holds a foreign species is not."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.sparse_gp import standard_deviations
from aiida_seireact.science.uncertainty import committee_deviation, deviations_where_known, least_deviations


@pytest.fixture
def licl() -> Atoms:
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture
def lithium() -> Atoms:
    atoms = bulk("Li", "bcc", a=3.44, cubic=True).repeat(2)
    atoms.rattle(0.1, seed=2)
    return atoms


def test_an_environment_that_was_learned_is_known_and_another_is_not(licl, gp_that_knows):
    gp = gp_that_knows([licl], ("Li", "Cl"))
    assert deviations_where_known(gp, licl).max() < 0.01
    other = licl.copy()
    other.set_cell(licl.cell * 1.4, scale_atoms=True)
    assert deviations_where_known(gp, other).max() > 0.1


def test_a_process_knows_nothing_of_environments_with_a_species_it_lacks(lithium, gp_that_knows):
    gp = gp_that_knows([lithium], ("Li",))
    # A slab of lithium with a chlorine above: only atoms within the cutoff of it meet what the process lacks.
    slab = lithium.repeat((1, 1, 3))
    slab.cell[2, 2] += 10.0
    dirty = slab + Atoms("Cl", positions=[slab.positions[:, 2].max() * np.array([0, 0, 1]) + [0, 0, 2.2]])
    found = deviations_where_known(gp, dirty)
    near = dirty.get_distances(len(slab), range(len(slab)), mic=True) < gp.cutoff_ang
    assert found[-1] == 1.0
    assert (found[:-1][near] == 1.0).all()
    np.testing.assert_allclose(found[:-1][~near], standard_deviations(gp, slab)[~near], atol=1e-10)
    assert 0 < near.sum() < len(slab)


def test_a_process_without_any_of_the_species_gives_one_everywhere(licl, lithium, gp_that_knows):
    sulphur = bulk("S", "fcc", a=5.0)
    assert (deviations_where_known(gp_that_knows([lithium], ("Li",)), sulphur) == 1.0).all()


def test_known_to_one_process_is_known(licl, lithium, gp_that_knows):
    gps = [gp_that_knows([licl], ("Li", "Cl")), gp_that_knows([lithium], ("Li", "Cl"))]
    for atoms, own in ((licl, gps[0]), (lithium, gps[1])):
        least = least_deviations(gps, atoms)
        assert least.max() < 0.01
        np.testing.assert_allclose(least, np.minimum(*(standard_deviations(gp, atoms) for gp in gps)))
        assert max(standard_deviations(gp, atoms).max() for gp in gps if gp is not own) > 0.1


def test_a_committee_of_one_mind_does_not_deviate_and_two_that_differ_do_by_half():
    forces = np.ones((3, 5, 3))
    assert (committee_deviation(forces) == 0).all()
    # Two members 0.6 apart along x: each is 0.3 from the mean.
    pair = np.zeros((2, 4, 3))
    pair[1, 2, 0] = 0.6
    np.testing.assert_allclose(committee_deviation(pair), [0, 0, 0.3, 0])


def test_turning_all_members_turns_no_deviation():
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(4, 6, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    np.testing.assert_allclose(committee_deviation(forces @ turn), committee_deviation(forces))


@pytest.mark.parametrize(("shape", "sentence"), [((1, 4, 3), "nobody to deviate from"), ((4, 3), "have the shape")])
def test_what_is_no_committee_is_refused(shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        committee_deviation(np.zeros(shape))

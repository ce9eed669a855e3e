from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.calculators.emt import EMT
from ase.units import GPa

from aiida_seireact.science.validation.elastic import ElasticConstants, cubic_cell, deformed, elastic_constants

A_CU = 3.5898  # of EMT, where its pressure vanishes


def constants_of(atoms):
    stresses = []
    for cell in deformed(cubic_cell(atoms)):
        cell.calc = EMT()
        stresses.append(cell.get_stress())
    return elastic_constants(stresses)


def second_derivative(strain):
    """d²E/dδ² / V of a cell under (1 + δ·strain), GPa, by central differences of energies: no stress is looked at."""
    energies = []
    for delta in (-2e-3, 0.0, 2e-3):
        cell = bulk("Cu", a=A_CU, cubic=True)
        volume = cell.get_volume()
        cell.set_cell(cell.cell.array @ (np.eye(3) + delta * np.array(strain)), scale_atoms=True)
        cell.calc = EMT()
        energies.append(cell.get_potential_energy())
    return (energies[0] - 2 * energies[1] + energies[2]) / (2e-3) ** 2 / volume / GPa


def test_copper_of_emt_agrees_with_second_derivatives_of_its_energy() -> None:
    found = constants_of(bulk("Cu", a=A_CU, cubic=True))
    c11 = second_derivative(np.diag([1, 0, 0]))
    bulk_modulus = second_derivative(np.eye(3)) / 9
    c44 = second_derivative([[0, 0, 0], [0, 0, 1], [0, 1, 0]]) / 4
    assert found.c11 == pytest.approx(c11, rel=0.01)
    assert found.bulk == pytest.approx(bulk_modulus, rel=0.01)
    assert found.c44 == pytest.approx(c44, rel=0.01)
    assert [found.c11, found.c12, found.c44] == pytest.approx([173, 116, 90], abs=4)


def test_constants_do_not_depend_on_the_cell_that_is_given() -> None:
    conventional = bulk("Cu", a=A_CU, cubic=True)
    turned = make_supercell(bulk("Cu", a=A_CU), [[1, 1, -1], [0, 1, 0], [1, 0, 2]])
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    expected, found = constants_of(conventional), constants_of(turned)
    assert [found.c11, found.c12, found.c44] == pytest.approx([expected.c11, expected.c12, expected.c44], rel=1e-4)


def test_moduli_follow_from_the_constants() -> None:
    isotropic = ElasticConstants(c11=5.0, c12=1.0, c44=2.0)
    assert (isotropic.bulk, isotropic.shear, isotropic.anisotropy) == pytest.approx((7 / 3, 2.0, 1.0))
    # Copper of C. Kittel's table: Voigt 54.4, Reuss 40.0 GPa, from (C11 - C12 + 3 C44)/5 and its counterpart.
    c11, c12, c44 = 168.4, 121.4, 75.4
    voigt = (c11 - c12 + 3 * c44) / 5
    reuss = 5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12))
    assert ElasticConstants(c11, c12, c44).shear == pytest.approx((voigt + reuss) / 2, rel=1e-6)


def test_a_crystal_that_shears_by_itself_is_unstable() -> None:
    assert ElasticConstants(c11=10.0, c12=11.0, c44=5.0).stability == pytest.approx(-1.0)
    assert ElasticConstants(c11=10.0, c12=8.0, c44=-0.5).stability == pytest.approx(-0.5)
    assert ElasticConstants(c11=10.0, c12=8.0, c44=5.0).stability == pytest.approx(2.0)


def test_a_crystal_that_is_not_cubic_is_refused() -> None:
    with pytest.raises(ValueError, match="this one is hexagonal"):
        cubic_cell(bulk("Mg"))


def test_a_stress_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        elastic_constants(np.full((9, 6), np.nan))


def test_a_pressure_at_zero_strain_does_not_bend_the_slopes() -> None:
    under_pressure = constants_of(bulk("Cu", a=A_CU * 0.99, cubic=True))
    free = constants_of(bulk("Cu", a=A_CU, cubic=True))
    assert under_pressure.pressure == pytest.approx(0.03 * free.bulk, rel=0.15)
    assert abs(free.pressure) < 0.05
    assert 1.0 < under_pressure.c11 / free.c11 < 1.3

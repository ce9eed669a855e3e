from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.units import GPa

from aiida_seireact.science.validation.eos import EosError, curve_rmse_mev_per_atom, fit_eos, strained

RATIOS = (0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)


def curve(atoms, calculator, ratios=RATIOS):
    cells = strained(atoms, ratios)
    energies = []
    for cell in cells:
        cell.calc = calculator
        energies.append(cell.get_potential_energy())
    return np.array([cell.get_volume() for cell in cells]), np.array(energies)


def test_copper_of_emt_has_the_volume_and_modulus_of_its_own_stress() -> None:
    atoms = bulk("Cu", cubic=True)
    volumes, energies = curve(atoms, EMT())
    found = fit_eos(volumes, energies, len(atoms))

    relaxed = atoms.copy()
    relaxed.calc = EMT()
    BFGS(FrechetCellFilter(relaxed), logfile=None).run(fmax=1e-6)
    pressures = []
    for cell in strained(relaxed, (0.998, 1.002)):
        cell.calc = EMT()
        pressures.append(-cell.get_stress()[:3].mean() / GPa)
    modulus = (pressures[0] - pressures[1]) / 0.004
    # 2e-4 of the volume, 1 % of the modulus: the range of a fit of ±6 % is not a point.
    assert found.volume_ang3_per_atom == pytest.approx(relaxed.get_volume() / 4, rel=2e-4)
    assert found.energy_ev_per_atom == pytest.approx(relaxed.get_potential_energy() / 4, abs=1e-5)
    assert found.bulk_modulus_gpa == pytest.approx(modulus, rel=0.01)


def test_lennard_jones_of_nearest_neighbours_has_its_analytic_modulus() -> None:
    # Pairs at r0 = 2^(1/6) σ only: E = -6 ε an atom, V = r0³/√2, B = (2/9) r0² φ''·6/2 / (V·…) = 12·36 ε r0^-3 √2 / 9 …
    r0 = 2 ** (1 / 6)
    atoms = bulk("Ar", "fcc", a=np.sqrt(2) * r0)
    volumes, energies = curve(atoms, LennardJones(epsilon=1.0, sigma=1.0, rc=1.35, smooth=False))
    found = fit_eos(volumes, energies - energies.min(), 1)
    # E(V) = 6 φ(r), r³ ∝ V: V d²E/dV² = (6 r0² φ''(r0)) / (9 V), and φ'' = 72 ε / r0².
    assert found.volume_ang3_per_atom == pytest.approx(r0**3 / np.sqrt(2), rel=3e-4)
    assert found.bulk_modulus_gpa * GPa == pytest.approx(6 * 72 / (9 * r0**3 / np.sqrt(2)), rel=0.01)


def test_strained_cells_keep_fractional_coordinates_and_have_the_volumes_asked_for() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    cells = strained(atoms, (0.9, 1.1))
    assert [cell.get_volume() / atoms.get_volume() for cell in cells] == pytest.approx([0.9, 1.1])
    np.testing.assert_allclose(cells[0].get_scaled_positions(), atoms.get_scaled_positions(), atol=1e-12)
    with pytest.raises(ValueError, match="positive"):
        strained(atoms, (0.0,))


def test_a_minimum_outside_of_the_volumes_is_no_result() -> None:
    atoms = bulk("Cu", cubic=True)
    volumes, energies = curve(atoms, EMT(), [0.85, 0.87, 0.89, 0.91, 0.93])
    with pytest.raises(EosError, match=r"minimum lies at 11\.\d\d Å³/atom, outside of the"):
        fit_eos(volumes, energies, 4)


def test_a_crystal_that_falls_apart_or_gives_no_numbers_is_no_result() -> None:
    volumes = np.linspace(0.9, 1.1, 7) * 40
    with pytest.raises(EosError, match="no minimum|no equation|outside"):
        fit_eos(volumes, -1e-3 * (volumes - 40) ** 2, 4)
    with pytest.raises(EosError, match="1 of the energies"):
        fit_eos(volumes, np.where(volumes > 43, np.nan, volumes), 4)
    with pytest.raises(EosError, match="4 volumes"):
        fit_eos(volumes[:4], volumes[:4], 4)


def test_curves_are_compared_by_shape_not_by_height() -> None:
    energies = np.array([1.0, 0.2, 0.0, 0.3, 1.1])
    assert curve_rmse_mev_per_atom(energies - 7.0, energies, 4) == pytest.approx(0.0, abs=1e-9)
    bent = energies + 0.008 * np.array([1, -1, 0, 1, -1])
    assert curve_rmse_mev_per_atom(bent, energies, 4) == pytest.approx(2 * np.sqrt(0.8))

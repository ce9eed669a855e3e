"""What is read of VASP's output, with real output of VASP as ASE ships it for its own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.test
import numpy as np
import pytest
from aiida import orm
from aiida_vasp.parsers.content_parsers.outcar import OutcarParser
from aiida_vasp.parsers.content_parsers.vasprun import VasprunParser
from ase import Atoms
from ase.io import read

from aiida_seireact.calculations.functions.label_vasp import VASP_SETTINGS, species_order
from aiida_seireact.calculations.vasp_run import VaspRun, stress_from_kbar
from aiida_seireact.formats.labels import Label

REAL = Path(ase.test.__path__[0]) / "testdata" / "vasp"


@pytest.fixture
def real_run(aiida_profile):
    """Return a factory of what aiida-vasp's parser makes of a vasprun.xml."""

    def make(name: str) -> VaspRun:
        with (REAL / name).open("rb") as handler:
            parser = VasprunParser(handler=handler, settings=VASP_SETTINGS["parser_settings"])
            found, errored = parser.get_all_quantities()
        assert not errored
        trajectory = orm.TrajectoryData()
        for key in ("cells", "positions"):
            trajectory.set_array(key, found["trajectory"][key])
        trajectory.base.attributes.set("symbols", found["trajectory"]["symbols"].tolist())
        misc = {key: found[key] for key in ("total_energies", "forces", "stress", "version")}
        return VaspRun(misc={**misc, "run_status": {"electronic_converged": True}}, trajectory=trajectory)

    return make


def read_by_ase(name: str) -> Atoms:
    atoms = read(REAL / name)
    assert isinstance(atoms, Atoms)
    return atoms


def test_real_output_of_vasp_6_is_read_as_ase_reads_it(real_run):
    run, expected = real_run("vasprun_dfpt.xml"), read_by_ase("vasprun_dfpt.xml")
    label = run.label(species_order(np.array([17, 11])))
    assert run.version == "6.3.2"
    # Cl goes after Na to VASP: the frame had it first.
    assert label.numbers.tolist() == [17, 11]
    np.testing.assert_array_equal(label.positions, expected.positions[::-1])
    np.testing.assert_array_equal(label.cell, expected.cell.array)
    assert label.energy == expected.calc.results["free_energy"] == -6.74587304
    np.testing.assert_array_equal(label.forces, expected.calc.results["forces"][::-1])
    # The value of the kilobar differs in the eighth digit.
    np.testing.assert_allclose(label.stress, expected.calc.results["stress"], rtol=1e-6)
    assert label.stress[0] < 0, "this cell of NaCl is compressed"


def test_a_pressure_in_the_incar_would_go_into_the_energy(real_run):
    """VASP adds p·V; ASE takes it out again. We refuse the tag, since no force belongs to that energy."""
    label, expected = real_run("vasprun_pstress.xml").label(np.array([0, 1])), read_by_ase("vasprun_pstress.xml")
    enthalpy = 1.0 / 1602.1766208 * expected.get_volume()  # 1 kbar
    assert label.energy - expected.calc.results["free_energy"] == pytest.approx(enthalpy, abs=1e-8)
    assert label.energy_e0 - label.energy == pytest.approx(-0.00024158, abs=1e-8)
    np.testing.assert_allclose(label.stress, expected.calc.results["stress"], rtol=1e-6)


def test_a_real_outcar_has_its_mark_of_convergence():
    with (REAL / "OUTCAR_example_1").open() as handler:
        status = OutcarParser(handler=handler).run_status
    assert status["electronic_converged"] is True
    assert (status["last_iteration_index"], status["nelm"]) == ([1, 63], 120)


def test_stress_gets_the_sign_and_order_of_ase():
    kbar = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    np.testing.assert_allclose(stress_from_kbar(kbar) * -1602.1766208, [1, 2, 3, 4, 5, 6], rtol=1e-12)


def test_atoms_go_to_vasp_by_element_and_come_back():
    numbers = np.array([16, 3, 3, 17, 3, 15])
    order = species_order(numbers)
    assert numbers[order].tolist() == [3, 3, 3, 15, 16, 17]
    assert order[:3].tolist() == [1, 2, 4], "atoms of one element keep their order"
    assert numbers[order][np.argsort(order)].tolist() == numbers.tolist()


def test_a_frame_without_a_job_is_told():
    assert str(VaspRun.of(None).refusal({}, {})).startswith("no job of VASP was started for it")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"forces": [[None, 0.0, 0.0], [0.0, 0.0, 0.0]]}, None),
        ({"forces": [[0.0, 0.0, 0.0]]}, "1 forces on 2 atoms for a frame of 2"),
        ({"stress": [None, None]}, "its output is not whole"),
        ({"total_energies": {}}, "its output is not whole: 'energy_free'"),
    ],
)
def test_output_that_is_not_whole_is_told_and_raises_nothing(change: dict[str, Any], reason: str | None, real_run):
    run = real_run("vasprun_dfpt.xml")
    run.misc.update(change)
    label = run.label(np.array([0, 1]))
    if reason is None:
        assert isinstance(label, Label)
        assert np.isnan(label.forces).any(), "what could not be read is not a number, which no label may be"
    else:
        assert reason in str(label)

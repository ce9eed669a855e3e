"""The stand-in for VASP refuses what VASP would, and is read back by ASE as what it computed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

from tools.fake_vasp import toy
from tools.mock_vasp import FAKE_VASP, POTCAR

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def nacl() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs it on a cell, with POTCARs of these elements."""

    def start(atoms: Atoms, potcars: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        write(tmp_path / "POSCAR", atoms, format="vasp")
        (tmp_path / "INCAR").write_text("NELM = 40 ; EDIFF = 1e-6 # eV\n")
        (tmp_path / "KPOINTS").write_text("mesh\n0\nGamma\n1 1 1\n")
        (tmp_path / "POTCAR").write_text("".join(POTCAR.format(element=name, symbol=name) for name in potcars))
        return subprocess.run(
            [sys.executable, str(FAKE_VASP)], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return start


def test_ase_reads_back_what_was_computed(run: Run, nacl: Atoms, tmp_path: Path) -> None:
    done = run(nacl, ("Na", "Cl"))
    assert done.returncode == 0, done.stderr
    (tmp_path / "OUTCAR").unlink()
    found = read(tmp_path / "vasprun.xml")
    assert isinstance(found, Atoms)
    nacl.calc = toy(nacl)
    np.testing.assert_allclose(found.get_forces(), nacl.get_forces(), atol=1e-6)
    # ASE has another value of the kilobar in the eighth digit.
    np.testing.assert_allclose(found.get_stress(), nacl.get_stress(), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        found.get_potential_energy(force_consistent=True), nacl.get_potential_energy(), atol=1e-6
    )


def test_potcars_in_another_order_than_the_atoms_are_refused(run: Run, nacl: Atoms) -> None:
    done = run(nacl, ("Cl", "Na"))
    assert done.returncode != 0
    assert "POTCAR is for Cl Na, POSCAR has Na Cl" in done.stderr

"""The LAMMPS input of a segment, word by word, and its data file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io.lammpsdata import read_lammps_data
from pydantic import ValidationError

from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings

SPECIES = ["Li", "P", "S", "Cl"]
MODEL = "model.nequip.pt2"
GOLDEN = """\
units           metal
atom_style      atomic
newton          on
boundary        p p p
box             tilt large
read_data       structure.data

pair_style      allegro
pair_coeff      * * model.nequip.pt2 Li P S Cl
neighbor        1 bin
neigh_modify    every 1 delay 0 check yes
timestep        0.002

thermo          10
thermo_style    custom step temp pe ke etotal econserve press vol lx ly lz xy xz yz pxx pyy pzz pxy pxz pyz
thermo_modify   line yaml format float %.12g flush yes
dump            traj all custom 50 traj.dump id element xu yu zu
dump_modify     traj sort id element Li P S Cl format float %.6f flush yes

velocity        all create 300 1 mom yes rot no dist gaussian
fix             md all npt temp 300 300 0.1 aniso 10000 10000 1
variable        asked equal is_file(STOP)
fix             asked all halt 10 v_asked != 0 error soft
fix             disk all halt 10 diskfree < $(200+atoms/5000) error soft path .
run             2000 upto start 0 stop 2000

write_restart   final.restart
write_data      final.data nocoeff
"""


def test_npt_input_is_the_golden_one() -> None:
    settings = MdSettings(ensemble="npt", pressure_gpa=1.0)
    assert lammps_input(settings, species=SPECIES, model=MODEL) == GOLDEN


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"ensemble": "nve"}, "fix             md all nve"),
        ({"ensemble": "nvt", "temperature_end_k": 600}, "fix             md all nvt temp 300 600 0.1"),
        ({"ensemble": "npt", "barostat": "tri"}, "change_box      all triclinic"),
        ({"restart_every": 500}, "restart         500 restart.1 restart.2"),
        ({"dump_velocities": True}, "dump            traj all custom 50 traj.dump id element xu yu zu vx vy vz"),
    ],
)
def test_settings_reach_their_line(settings: dict[str, Any], line: str) -> None:
    assert line in lammps_input(MdSettings(**settings), species=SPECIES, model=MODEL).splitlines()


def test_restart_files_without_a_row_of_their_step_are_refused() -> None:
    with pytest.raises(ValueError, match="restart_every 25 is no multiple of thermo_every 10"):
        MdSettings(restart_every=25)


def test_a_continuation_keeps_velocities_and_does_no_step_twice() -> None:
    text = lammps_input(
        MdSettings(steps=500, temperature_end_k=600),
        species=SPECIES,
        model=MODEL,
        start="restart",
        start_file="a.restart",
        end_step=200,
    )
    assert "read_restart    a.restart" in text
    assert "velocity" not in text
    # Absolute steps, and a ramp over the whole run.
    assert "run             200 upto start 0 stop 500" in text
    # The frame of the first step is in the dump of the segment before.
    assert "variable        seam equal step<=$(step)\ndump_modify     traj skip v_seam" in text


def test_time_is_up_before_the_walltime() -> None:
    text = lammps_input(MdSettings(), species=SPECIES, model=MODEL, seconds_max=7509.8)
    assert text.splitlines()[0] == "timer           timeout 2:05:09 every 10"


def test_thermostat_faster_than_the_time_step_is_refused() -> None:
    with pytest.raises(ValidationError, match="shorter than 5 time steps"):
        MdSettings(timestep_fs=30.0)


def test_data_file_keeps_distances_types_and_velocities(tmp_path: Path) -> None:
    atoms = bulk("Li2S", "fluorite", a=5.71)  # a primitive fcc cell: LAMMPS needs it turned
    atoms.symbols = ["S", "Li", "Li"]
    atoms.set_velocities(np.arange(9.0).reshape(3, 3) * 1e-3)
    write_data(tmp_path / "s.data", atoms, SPECIES)
    found = read_lammps_data(tmp_path / "s.data", atom_style="atomic", units="metal")
    found.pbc = True
    assert found.get_chemical_symbols() == ["S", "Li", "Li"]
    assert "4 atom types" in (tmp_path / "s.data").read_text()
    np.testing.assert_allclose(found.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-9)
    assert found.get_kinetic_energy() == pytest.approx(atoms.get_kinetic_energy(), rel=1e-6)


def test_structures_a_model_cannot_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds Br"):
        write_data(tmp_path / "s.data", bulk("LiBr", "rocksalt", a=5.5), SPECIES)
    slab = bulk("Li")
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match="not periodic in all three"):
        write_data(tmp_path / "s.data", slab, SPECIES)
    left = bulk("Li")
    left.set_cell(left.cell.array[[1, 0, 2]])
    if np.linalg.det(left.cell.array) > 0:
        left.set_cell(left.cell.array[[1, 0, 2]])
    with pytest.raises(ValueError, match="left-handed"):
        write_data(tmp_path / "s.data", left, SPECIES)

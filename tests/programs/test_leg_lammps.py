"""A leg by LAMMPS. There is none with FLARE's plugin, so a stand-in lends its names to styles that a usual one has."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from aiida_seireact.formats.frames import Frames
from aiida_seireact.programs import flare
from tests.programs.conftest import call
from tests.programs.test_flare import arrays, labelled, prepared

pytest.importorskip("flare.bffs.sgp._C_flare", reason="mir-flare is not installed")

# Uncertainty is played by the kinetic energy of an atom.
STAND_IN = f"""#!{sys.executable}
import pathlib, subprocess, sys
if sys.argv[1] == "-h":
    print("flare  flare/std/atom")
    raise SystemExit(0)
path = pathlib.Path(sys.argv[2])
lines = []
for line in path.read_text().splitlines():
    words = line.split()
    if words[:2] == ["pair_style", "flare"]:
        line = "pair_style lj/cut 6.0"
    elif words[:1] == ["pair_coeff"]:
        assert pathlib.Path(words[-1]).read_text().startswith("DATE")
        line = "pair_coeff * * 0.4 2.3"
    elif words[:2] == ["compute", "unc"]:
        assert all(pathlib.Path(word).stat().st_size > 100 for word in words[-2:])
        line = "compute unc all ke/atom"
    lines.append(line)
path.write_text("\\n".join(lines) + "\\n")
raise SystemExit(subprocess.run(["{shutil.which("lmp")}", *sys.argv[1:]]).returncode)
"""

pytestmark = pytest.mark.skipif(shutil.which("lmp") is None, reason="LAMMPS is not installed")


@pytest.fixture
def command(tmp_path: Path) -> str:
    path = tmp_path / "lmp_flare"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return str(path)


def job_of(folder: Path, command: str, **settings: Any) -> dict[str, Any]:
    base = {"engine": "lammps", "label_every": 8, "visit_every": 4, "gap_steps": 5, "steps": 40}
    return {**prepared(folder, **{**base, **settings}), "lammps": command}


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_it_stops_where_it_is_unsure_and_the_next_leg_goes_on(tmp_path: Path, command: str, ensemble: str) -> None:
    job = job_of(tmp_path, command, ensemble=ensemble, temperature_k=300, call_threshold=0.16, steps=400)
    status, result, told = call(flare.main, tmp_path, job)
    assert status == 0, told
    outputs = result["outputs"]
    trace = arrays(tmp_path / "trace.npz")
    assert outputs["status"] == "unsure", told
    assert trace["step"].tolist() == list(range(0, outputs["step"] + 1, 4))
    assert (trace["max_std"][:-1] <= 0.16).all()
    assert trace["max_std"][-1] > 0.16
    # What LAMMPS told of its atoms is what the state holds of them: the kinetic energy of the most uncertain.
    state = arrays(tmp_path / "state.npz")
    atoms = Atoms(numbers=state["numbers"], positions=state["positions"], cell=state["cell"], pbc=True)
    energy = 0.5 * (state["momenta"] ** 2).sum(axis=1) / atoms.get_masses()
    assert energy.max() == pytest.approx(trace["max_std"][-1], rel=1e-5)
    assert energy.argmax() == trace["max_std_atom"][-1]
    assert trace["temperature_k"][-1] == pytest.approx(energy.sum() / (1.5 * units.kB * len(atoms)), rel=1e-6)
    assert (np.ptp(trace["volume_ang3"]) > 0) == (ensemble == "npt")
    asked = Frames.load(tmp_path / "asked.npz")
    assert asked.md_step[-1] == outputs["step"]
    # The GP's atoms have energies of their own, which LAMMPS does not know.
    own = sum(outputs["energies_ev"][symbol] for symbol in atoms.get_chemical_symbols())
    assert -16 * 4 < trace["potential_energy_ev"][0] - own < 0

    labelled(asked.iter_atoms()).save(tmp_path / "round_001.npz")
    labels = [*job["labels"], "round_001.npz"]
    again = {**job, "labels": labels, "gp": "sgp.npz", "state": "state.npz"}
    status, result, told = call(flare.main, tmp_path, again)
    assert status == 0, told
    assert result["outputs"]["first_step"] == outputs["step"]
    assert result["outputs"]["n_frames_added"] == 1
    assert result["outputs"]["step"] > outputs["step"]


def test_it_pauses_and_is_done(tmp_path: Path, command: str) -> None:
    job = job_of(tmp_path, command, temperature_k=50, call_threshold=0.9, leg_steps=24)
    assert call(flare.main, tmp_path, job)[1]["outputs"]["status"] == "paused"
    outputs = call(flare.main, tmp_path, {**job, "gp": "sgp.npz", "state": "state.npz"})[1]["outputs"]
    assert (outputs["status"], outputs["first_step"], outputs["step"]) == ("done", 24, 40)


def refused(folder: Path, job: dict[str, Any]) -> tuple[int, str]:
    status, result, _ = call(flare.main, folder, job)
    return status, result["error"]["message"]


def test_a_lammps_that_can_not_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    status, message = refused(tmp_path, job_of(tmp_path, str(shutil.which("lmp"))))
    assert status == 3
    assert "was built without FLARE's plugin (it lacks flare and flare/std/atom): run `lammps_plugins" in message
    status, message = refused(tmp_path, job_of(tmp_path, "/nowhere/lmp"))
    assert status == 3
    assert "/nowhere/lmp" in message
    assert not (tmp_path / "sgp.npz").exists()


def test_an_error_of_lammps_is_told(tmp_path: Path, command: str) -> None:
    Path(command).write_text(STAND_IN.replace("lj/cut 6.0", "lj/cut"))
    status, message = refused(tmp_path, job_of(tmp_path, command))
    assert status == 4
    assert "ended with status" in message
    assert "ERROR: Illegal pair_style command" in message


def test_what_does_not_fit_the_engine_is_refused(tmp_path: Path, command: str) -> None:
    assert "steps 41 must be a multiple" in refused(tmp_path, job_of(tmp_path, command, steps=41))[1]
    job = job_of(tmp_path, command)
    gp = {**job["settings"]["gp"], "power": 3}
    assert "a kernel of power 2 only" in refused(tmp_path, {**job, "settings": {**job["settings"], "gp": gp}})[1]
    assert "pauses after leg_steps" in refused(tmp_path, job_of(tmp_path, command, seconds_max=5.0))[1]
    assert "belong together" in refused(tmp_path, {**job, "lammps": None})[1]
    skew = bulk("Cu", "fcc", a=3.65) * (2, 2, 2)
    skew.symbols[[0, 3]] = "Al"
    Frames.from_atoms([skew]).save(tmp_path / "start.npz")
    assert "orthogonal cells along x, y, z only" in refused(tmp_path, job)[1]

"""The line `melting` with real MD: Lennard-Jones argon, whose half in disorder is a melt in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.units import kB

from aiida_seireact.formats.dump import read_dump
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.programs._lammps_run import open_lammps
from aiida_seireact.science.validation.lines import AskedRun, Evidence, Run
from aiida_seireact.science.validation.targets import misses

EPSILON, SIGMA, CUTOFF = 0.0103235, 3.405, 2.5
KELVIN = EPSILON / kB
ARGON = {"Ar": bulk("Ar", "fcc", a=(4 / 0.95) ** (1 / 3) * SIGMA, cubic=True)}


def made(asked: AskedRun, folder: Path) -> Run:
    """Return the run of Lennard-Jones argon that was asked for."""
    folder.mkdir()
    write_data(folder / "structure.data", asked.atoms, ["Ar"])
    pair = {"kind": "user", "style": f"lj/cut {CUTOFF * SIGMA}", "coefficients": [f"1 1 {EPSILON} {SIGMA}"]}
    settings = {
        "pair": pair,
        "ensemble": asked.ensemble,
        "steps": asked.steps,
        "timestep_fs": asked.timestep_fs,
        "temperature_k": asked.temperature_k,
        "pressure_gpa": asked.pressure_gpa,
        "dump_every": asked.frames_every,
        "tau_t_ps": 0.5,
        "tau_p_ps": 5.0,
        "thermo_every": 100,
    }
    text = lammps_input(MdSettings.model_validate(settings), species=["Ar"], model="")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lammps = open_lammps("log.lammps")
        lammps.commands_string(text)
        lammps.close()
    frames = list(read_dump(folder / "traj.dump"))
    return Run(
        name=asked.name,
        by=asked.by,
        numbers=frames[0].numbers,
        positions=np.array([frame.positions - frame.origin for frame in frames]),
        cells=np.array([frame.cell for frame in frames]),
        pbc=frames[0].pbc,
        steps=np.array([frame.step for frame in frames]),
        timestep_fs=asked.timestep_fs,
        temperature_k=asked.temperature_k,
        pressure_gpa=asked.pressure_gpa,
        unwrapped=True,
        thermo={},
        stopped_by=None,
        frame_ids=tuple(str(frame.step) for frame in frames),
    )


@pytest.mark.slow
def test_argon_grows_below_melting_and_melts_above_it(tmp_path: Path) -> None:
    # Cut at 2.5 σ it melts between 0.58 and 0.66 ε/k, see docs/topics/validation.md.
    settings = {"low_k": 0.55 * KELVIN, "high_k": 0.70 * KELVIN, "steps": 16000, "timestep_fs": 10.0, "frames": 20}
    asked = read_scorecard(
        {"lines": {"it": {"test": "melting", "phase": "Ar", "repeat": [5, 5, 10], "expansion": 1.12, **settings,
                          "target": {"min": 0.15}}}}
    ).lines["it"]  # fmt: skip
    runs = {one.name: made(one, tmp_path / one.name) for one in asked.runs(ARGON)}
    numbers = asked.measure(Evidence(phases=ARGON, runs=runs))
    print(numbers)
    assert [misses(number, asked.target) for number in numbers] == ["", ""]

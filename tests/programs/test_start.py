"""A safe start with a model and the embedded engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.jobs.lmp import LmpJob
from aiida_seireact.formats.jobs.start import StartSettings
from aiida_seireact.formats.lammps_input import write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.lammps_start import height_of, start_input, tried_shifts
from aiida_seireact.formats.start_record import last_frame, read_record
from aiida_seireact.programs import lmp
from aiida_seireact.science.contacts import ContactLimits
from aiida_seireact.science.start import StartLimits, judge

from .conftest import SPECIES, Trained, crystal

MODEL = "model.nequip.pt2"
QUICK: dict[str, Any] = {
    "height": {"iterations": 10},
    "minimise": {"iterations": 30},
    "limited": {"steps": 20},
    "ramp_steps": 100,
    "hold_steps": 100,
}
MD = MdSettings(ensemble="npt", temperature_k=300.0, timestep_fs=1.0, tau_t_ps=0.02, tau_p_ps=0.2)


@pytest.fixture
def folder(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> Path:
    """A folder with the session's compiled model."""
    (tmp_path / MODEL).symlink_to(trained.compiled)
    return tmp_path


def start(folder: Path, atoms: Atoms, *, md: MdSettings = MD, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a start in ``folder``; return its record and the verdict."""
    settings = StartSettings.model_validate({**QUICK, **changes})
    shifts = tried_shifts(atoms, settings)
    write_data(folder / "structure.data", atoms, SPECIES)
    text = start_input(settings, md, species=SPECIES, model=MODEL, height_ang=height_of(atoms), shifts=shifts)
    (folder / "in.lammps").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        job = LmpJob.model_validate(settings.engine.model_dump(mode="json"))
        outputs = lmp.run(folder / "in.lammps", "log.lammps", job, folder, lambda line: None)
    stopped = outputs["stopped_by"]
    record, _ = read_record(folder, "log.lammps", settings, md, n_atoms=len(atoms), shifts=shifts, stopped_by=stopped)
    end = last_frame(folder, record)
    limits, contacts = StartLimits(), ContactLimits()
    return record, judge(record, end.positions, end.numbers, end.cell.array, limits, contacts)


def test_a_cell_with_a_bad_gap_comes_out_with_sane_forces(folder: Path) -> None:
    atoms = crystal((2, 2, 2))
    atoms.rattle(0.05, seed=1)
    atoms.positions[atoms.positions[:, 2] > 3] += (0, 0, 0.6)
    atoms.cell[2, 2] += 0.6
    plane = (1.95 + 0.5) / atoms.cell[2, 2]
    record, verdict = start(folder, atoms, gap={"planes": [plane], "lowest_ang": -0.8, "highest_ang": 0.4})
    assert record["gap"]["shift_ang"] < 0
    assert record["relaxed"]["force_max_ev_per_ang"] < 0.3 * record["given"]["force_max_ev_per_ang"]
    limited = next(stage for stage in record["stages"] if stage["name"] == "limited")
    assert limited["largest_move_ang"] <= 20 * 0.05
    assert verdict["passed"], verdict["sentences"]


def test_a_start_that_its_bounds_ended_tells_where(folder: Path) -> None:
    stop = {"hole_radius_max_ang": 1.0}
    record, verdict = start(folder, crystal((1, 1, 2)), engine={"stop": stop, "check_every": 1})
    assert record["stopped_by"]["reason"] == "hole"
    assert record["hold"] is None
    assert [stage["name"] for stage in record["stages"]] == ["given"]
    assert verdict["sentences"][0].startswith("the start ended at step 0 in stage given (hole")


def test_a_start_that_flew_apart_still_tells_what_it_reached(folder: Path) -> None:
    hot = MD.model_copy(update={"ensemble": "nvt", "timestep_fs": 100.0, "temperature_k": 1e6, "tau_t_ps": 0.5})
    bare = {"height": None, "minimise": None, "limited": {"steps": 0}, "engine": {"stop": {}, "check_every": 10**6}}
    record, verdict = start(folder, crystal((1, 1, 2)), md=hot, **bare)
    assert record["stopped_by"]["reason"] == "blow-up"
    assert [stage["name"] for stage in record["stages"]] == ["given", "ramp"]
    assert not verdict["passed"]
    np.testing.assert_allclose(last_frame(folder, record).get_volume(), crystal((1, 1, 2)).get_volume())

"""The how-to *Label with VASP*, block by block beside a daemon, with aiida-vasp's mock in place of VASP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase import Atoms
from ase.build import bulk
from ase.io import write

from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from tests.workflow.conftest import wait_for
from tools.mock_vasp import mock_code, upload_potcars

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "label_with_vasp.md"


def first_frames() -> list[Atoms]:
    """Return three small cells; by its length the second is told apart."""
    images = []
    for index, length in enumerate((5.15, 5.20, 5.10)):
        atoms = bulk("LiCl", "rocksalt", a=length, cubic=True)
        atoms.rattle(0.05, seed=index)
        atoms.info.update(config_type="LiCl", group=f"LiCl/{index}")
        images.append(atoms)
    return images


@pytest.fixture
def cluster(aiida_profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the page takes for given: a machine, a VASP on it that fails on one frame, POTCARs, and frames."""
    computer = orm.Computer(
        label="cluster",
        hostname="localhost",
        transport_type="core.local",
        scheduler_type="core.direct",
        workdir=str(tmp_path / "scratch"),
    ).store()
    computer.set_minimum_job_poll_interval(0)
    computer.set_mpirun_command(["env"])
    computer.configure(safe_interval=0, use_login_shell=False)
    mock_code(computer, tmp_path / "vasp", {"5.200": "no_stress"}, label="vasp-6.4.2")
    upload_potcars(tmp_path, "PBE.54", {"Li": "Li_sv", "P": "P", "S": "S", "Cl": "Cl"})
    write(tmp_path / "first_frames.extxyz", first_frames())
    monkeypatch.chdir(tmp_path)


@pytest.mark.workflow
def test_every_block_of_the_page_runs(daemon: Any, cluster: None, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), found)
        for name in ("label", "atoms", "md"):
            if f"\n{name} = submit(" in block:
                wait_for(found[name])
                assert found[name].is_finished_ok, found[name].exit_message or found[name].exception
    told = capsys.readouterr().out
    assert "2 labels at level" in told
    assert "frame 1 has no label: it has no stress" in told
    assert told.count("8 atoms, [8, 8, 8]: 0.001 core hours") == 3
    assert found["outcar"].startswith(" vasp.6.4.2")
    forces = found["labelled"].frames.forces
    assert np.isfinite(forces).all()
    assert np.abs(forces).max() > 0.01
    VaspSettings.model_validate(found["changed"].parameters.get_dict())
    # The steps of MD are of the level of theory of the labels.
    assert found["steps"].settings_hash == found["labelled"].frames.settings_hash
    assert "steps at level" in told
    assert "mean temperature [" in told
    # A lone atom has no neighbour in the toy.
    assert found["atoms"].outputs.isolated_atoms["energies_ev"] == dict.fromkeys(("Cl", "Li", "P", "S"), 0.0)

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.manage import get_manager

from aiida_seireact.cli import examination
from aiida_seireact.cli.examination import examine_aiida, examine_programs
from aiida_seireact.cli.installation import prepend_text
from aiida_seireact.cli.machine import probe, run_here
from aiida_seireact.cli.programs import PROGRAMS
from aiida_seireact.cli.toys import Toy

from .conftest import localhost

BIN = str(Path(sys.executable).parent)
CARD = next(card for card in PROGRAMS if card.name == "analyse")


@pytest.fixture
def examine(aiida_profile_clean, monkeypatch):
    """Return a function that examines `seireact-analyse` alone, with a code of one's own."""
    computer = localhost()
    computer.configure(use_login_shell=False)
    monkeypatch.setattr(examination, "PROGRAMS", (CARD,))

    def run(quick=True, **changes):
        content = {
            "filepath_executable": f"{BIN}/seireact-analyse",
            "prepend_text": prepend_text(CARD, probe(run_here, BIN)),
            **changes,
        }
        orm.InstalledCode(label="seireact-analyse-0.1.0", computer=computer, **content).store()
        return examine_programs(computer.label, quick=quick)[0]

    return run


def test_a_good_program_answers_with_its_version(examine):
    finding = examine()
    assert (finding.state, finding.version) == ("ok", "0.1.0")
    assert "ase 3." in finding.detail


def test_a_program_that_is_not_there_is_told_with_its_cure(examine, tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    finding = examine(filepath_executable=f"{tmp_path}/seireact-analyse")
    assert finding.state == "broken"
    assert f"seireact-analyse is not in {tmp_path}" in finding.detail
    assert finding.fix == "`pip install 'aiida-seireact[analyse]'`"


def test_packages_other_than_those_of_the_code_are_told(examine):
    finding = examine(prepend_text="# versions: aiida-seireact 0.0.1\nexport OMP_NUM_THREADS=1")
    assert finding.state == "broken"
    assert "`aiida-seireact setup" in finding.fix


def test_a_toy_that_fails_gives_the_reason(examine, monkeypatch):
    toy = Toy(lambda: {"job.json": b"{}"}, does="follows nothing")
    monkeypatch.setattr(examination, "TOYS", {"analyse": toy})
    finding = examine(quick=False)
    assert finding.state == "broken"
    assert "follows nothing: seireact-analyse:" in finding.detail
    assert "trajectory: Field required" in finding.detail


def test_no_code_and_no_computer_are_told(aiida_profile_clean):
    (finding,) = examine_programs("nowhere", quick=True)
    assert finding.state == "broken"
    assert "`aiida-seireact setup --computer nowhere`" in finding.fix


def test_aiida_is_looked_at(aiida_profile_clean):
    findings = {finding.thing: finding for finding in examine_aiida()}
    assert findings[f"profile {get_manager().get_profile().name}"].state == "ok"
    # The profile of the tests has no broker.
    assert findings["broker"].state == "broken"
    assert "GB free" in findings["disk"].detail


@pytest.mark.slow
def test_the_doctor_finds_every_program_working(tmp_path):
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path)}
    command = f"{BIN}/aiida-seireact"
    subprocess.run([command, "setup"], env=environment, capture_output=True, check=True)
    done = subprocess.run([command, "doctor"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything works." in done.stdout


def test_a_lammps_for_legs_is_asked_for_the_styles_of_flare(aiida_profile_clean, monkeypatch, tmp_path):
    computer = localhost()
    computer.configure(use_login_shell=False)
    monkeypatch.setattr(examination, "PROGRAMS", ())
    for name, told in (("good", "echo flare flare/std/atom"), ("plain", "echo flare lj/cut"), ("none", None)):
        if told is not None:
            (tmp_path / name).write_text(f"#!/bin/sh\n{told}\n")
            (tmp_path / name).chmod(0o755)
        path = str(tmp_path / name)
        orm.InstalledCode(label=f"lmp-flare-{name}", computer=computer, filepath_executable=path).store()
    found = {finding.thing: finding for finding in examine_programs(computer.label, quick=True)}
    assert found["lmp-flare-good"].state == "ok"
    assert found["lmp-flare-plain"].state == "broken"
    assert "it lacks flare/std/atom): run `lammps_plugins/install.sh`" in found["lmp-flare-plain"].detail
    assert found["lmp-flare-none"].state == "broken"
    assert "No such file" in found["lmp-flare-none"].detail

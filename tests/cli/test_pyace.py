"""Setup of python-ace: its licence comes first, its environment is apart, its code is not the usual one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_seireact.cli import pyace
from aiida_seireact.cli.machine import Environment
from aiida_seireact.formats.frames import Frames
from aiida_seireact.workchains.codes import find_classify, find_code
from tests.programs.conftest import write_dump
from tests.programs.test_classify import rattled
from tests.science.descriptors.claims import ALL

ROOT = Path(__file__).parents[2]
VERSIONS = {"aiida-seireact": "0.1.0", "numpy": "2.4.6"}


@pytest.fixture
def set_up(aiida_profile_clean, aiida_localhost, monkeypatch, tmp_path):
    """Return a function that looks after a machine where the environment is or is not, with no pip."""
    asked, made = [], []
    there = {"version": None}

    def make(place: Path) -> None:
        made.append(place)
        there["version"] = "0.4.0rc1"

    monkeypatch.setattr(pyace, "make", make)
    monkeypatch.setattr(pyace, "version_in", lambda place: there["version"])
    monkeypatch.setattr(pyace, "licence_text", lambda: "Thou shalt not sell.")
    scripts = frozenset({"seireact-classify"})
    monkeypatch.setattr(pyace, "probe", lambda shell, bin_dir: Environment(bin_dir, VERSIONS, scripts))

    def run(*, accept: bool = True, dry_run: bool = False, computer=aiida_localhost) -> dict[str, tuple[str, str]]:
        told = {}

        def ask(licence: str) -> bool:
            asked.append(licence)
            return accept

        def tell(thing: str, outcome: str, detail: str = "") -> None:
            told[thing] = (outcome, detail)

        pyace.look_after(computer, ask=ask, dry_run=dry_run, tell=tell, folder=tmp_path / "pyace")
        return told

    run.asked, run.made = asked, made
    return run


def test_the_licence_is_shown_before_anything_is_made_and_once(set_up):
    told = set_up()
    assert [outcome for outcome, _ in told.values()] == ["made", "made"]
    assert "academic, non-commercial use only" in set_up.asked[0]
    assert "Thou shalt not sell." in set_up.asked[0]
    assert [outcome for outcome, _ in set_up().values()] == ["reused", "reused"]
    assert len(set_up.asked) == len(set_up.made) == 1


def test_who_does_not_accept_gets_nothing(set_up):
    told = set_up(accept=False)
    assert told == {
        "environment of pyace": ("missing", "the licence of python-ace was not accepted, so nothing was installed.")
    }
    assert not set_up.made
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_a_dry_run_neither_asks_nor_makes(set_up):
    assert [outcome for outcome, _ in set_up(dry_run=True).values()] == ["would make", "would make"]
    assert not set_up.asked
    assert not set_up.made


def test_the_code_is_found_by_its_source_and_never_as_the_usual_one(set_up):
    with pytest.raises(NotExistent, match="aiida-seireact setup --with-pyace"):
        find_classify("pyace")
    set_up()
    code = find_classify("pyace")
    assert code.label == "classify-pyace-0.4.0rc1"
    assert code.default_calc_job_plugin == "seireact.classify"
    assert str(code.filepath_executable).endswith("/pyace/bin/seireact-classify")
    assert "numpy 2.4.6" in code.prepend_text
    with pytest.raises(NotExistent):
        find_code("classify")


def test_another_machine_is_told_how_by_hand(set_up, aiida_computer_ssh):
    outcome, detail = set_up(computer=aiida_computer_ssh(configure=False))["environment of pyace"]
    assert outcome == "missing"
    assert "pip install python-ace==0.4.0rc1" in detail


def test_what_pip_says_is_told(set_up, monkeypatch):
    def fail(place: Path) -> None:
        pyace._run(sys.executable, "-c", "raise SystemExit('No matching distribution')")

    monkeypatch.setattr(pyace, "make", fail)
    outcome, detail = set_up()["environment of pyace"]
    assert outcome == "missing"
    assert detail.endswith("failed: No matching distribution")


def test_this_package_is_installed_as_it_is_here():
    """The tests run on an editable install."""
    assert pyace.this_package() == ["-e", f"{ROOT}[classify]"]


def test_a_place_without_an_environment_has_no_version(tmp_path):
    assert pyace.version_in(tmp_path) is None


@pytest.mark.parametrize(("options", "accepted"), [((), False), (("--accept-pyace-licence",), True)])
def test_without_a_terminal_only_the_option_accepts(monkeypatch, options, accepted):
    from click.testing import CliRunner

    from aiida_seireact.cli import installation
    from aiida_seireact.cli.setup import setup

    def install(name: str, *, with_pyace: bool, accept_pyace: pyace.Ask, **others) -> list:
        assert with_pyace
        assert accept_pyace("Thou shalt not sell.") is accepted
        return []

    monkeypatch.setattr(installation, "install", install)
    done = CliRunner().invoke(setup, ["--with-pyace", "--dry-run", *options])
    assert done.exit_code == 0, done.output
    assert "Thou shalt not sell." in done.output
    assert accepted or "give --accept-pyace-licence if you do" in done.output


@pytest.mark.slow
def test_the_environment_is_made_and_its_descriptors_hold(tmp_path):
    """For real: the licence of the wheel, pip, and the recorded check of docs/topics/descriptors.md."""
    assert "Academic Software Licence" in pyace.licence_text()
    place = tmp_path / "pyace"
    pyace.make(place)
    assert pyace.is_whole(place)
    done = subprocess.run(
        [place / "bin" / "python", "-m", "tests.science.descriptors.pyace_check"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["python-ace"] == pyace.REQUIREMENT.partition("==")[2]
    assert told["claims"] == [claim.__name__ for claim in ALL]
    assert told["difference"] < 1e-12
    assert classified(place, tmp_path) == pytest.approx({"LiCl": 0.5, "Li2S": 0.0, "unknown": 0.5}, abs=0.01)


def classified(place: Path, folder: Path) -> dict[str, float]:
    """Classify a run that goes from rock salt to zinc blende by the program of that environment."""
    write_dump(folder / "run.dump", rattled("LiCl", 6, 1) + rattled("ZB", 6, 2))
    write_dump(folder / "licl.dump", rattled("LiCl", 5, 3))
    Frames.from_atoms(rattled("Li2S", 3, 4)).save(folder / "li2s.npz")
    job = {
        "trajectory": {"files": ["run.dump"]},
        "references": {"LiCl": {"files": ["licl.dump"]}, "Li2S": {"files": ["li2s.npz"]}},
        "spec": {"source": "pyace"},
        "discover": None,
    }
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [place / "bin" / "seireact-classify", "job.json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    outputs = json.loads((folder / "result.json").read_text())["outputs"]
    assert outputs["spec"]["source_version"] == pyace.REQUIREMENT.partition("==")[2]
    return outputs["phase_fractions"]["whole_run"]

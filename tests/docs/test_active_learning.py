"""*Active learning*, executed: its Python, its conditions and its commands; its limits are those of the code."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from click.testing import CliRunner

from aiida_seireact.calculations.functions.trainings import committee_against_error
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.explore import CampaignSettings
from aiida_seireact.science.convergence import CONVERGED, HOPELESS, NEEDS_MORE, ConvergenceLimits
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
from tests.docs._pages import DOCS, blocks, table

PAGE = DOCS / "howto" / "active_learning.md"
TEXT = PAGE.read_text(encoding="utf-8")
FRAMES, COMMITTEE = [block.text for block in blocks(PAGE) if block.info == "python"]
LINES = [
    line.removeprefix("$ ") for block in blocks(PAGE) if block.info == "console" for line in block.text.splitlines()
]


@pytest.fixture
def call(
    aiida_profile_clean: Any, aiida_localhost: orm.Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], str]:
    """Return a function that calls a command of the page, with another node for its 1234; submitted runs here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])
    exec(compile(FRAMES, str(PAGE), "exec"), {})
    (conditions,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    Path("conditions.yaml").write_text(conditions)
    aiida_localhost.set_minimum_job_poll_interval(0)
    for name in ("flare", "label"):
        path = str(Path(sys.executable).parent / f"seireact-{name}")
        orm.InstalledCode(
            label=f"seireact-{name}-docs",
            computer=aiida_localhost,
            filepath_executable=path,
            prepend_text="export OMP_NUM_THREADS=1",
        ).store()
    profile = get_manager().get_profile().name

    def run(line: str, labelled: int) -> str:
        words = [str(labelled) if word == "1234" else word for word in shlex.split(line)[1:]]
        told = CliRunner().invoke(cli, ["-p", profile, *words])
        assert told.exit_code == 0, told.output
        return told.output

    return run


def made_up_labels() -> FramesData:
    """Return the first frames with labels of nothing."""
    images = read("first.extxyz", index=":")
    for atoms in images:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)), stress=np.zeros(6))
    return FramesData.from_ase(images, labels="required", settings_hash="a" * 64)


def test_the_dry_run_says_what_the_page_shows(call: Callable[[str, int], str]) -> None:
    (line,) = [line for line in LINES if "conditions.yaml --dry-run" in line]
    said = call(line, made_up_labels().store().pk).splitlines()
    (shown,) = [block.text for block in blocks(PAGE) if block.info == "text"]
    for sentence in shown.splitlines():
        assert sentence in said
    assert "Nothing was submitted (--dry-run)." in said


def test_the_limits_are_those_of_the_code() -> None:
    told = {row[0].strip("`"): float(row[1]) for row in table(PAGE, "limits")}
    assert told == vars(ConvergenceLimits())
    for name in (CONVERGED, NEEDS_MORE, HOPELESS):
        assert f"| `{name}` |" in TEXT
    assert {"stop_when_converged", "stop_when_hopeless", "max_detours"} <= set(CampaignSettings.model_fields)
    assert f"exit status {CampaignWorkChain.exit_codes.ERROR_NO_LABEL.status}" in TEXT


def test_the_conditions_of_the_paper_are_counted() -> None:
    assert f"{len(ExploreWorkChain.get_protocol_inputs('paper')['conditions'])} conditions of arXiv" in TEXT


def test_a_committee_is_judged_as_the_page_tells(aiida_profile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    std = rng.uniform(0.01, 0.3, 500)
    forces = std[:, None] * rng.normal(size=(2, 500, 3))
    parts = {
        name: orm.ArrayData(
            {"frame_ids": np.array(["a"]), "n_atoms": np.array([500]), "forces_predicted": predicted,
             "forces_reference": np.zeros((500, 3))}
        )
        for name, predicted in zip("ab", forces, strict=True)
    }  # fmt: skip
    node = committee_against_error(**parts)["calibration"]
    exec(compile(COMMITTEE.replace("1300", str(node.pk)), str(PAGE), "exec"), {})
    assert "rank correlation 0." in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_runs_from_frames_to_verdict(call: Callable[[str, int], str]) -> None:
    label, _, follow, _ = LINES
    call(label, 0)
    frames = orm.QueryBuilder().append(FramesData, filters={"attributes.is_labelled": True}, project="id").all()
    said = call(follow, frames[-1][0])
    assert "Li6PS5Cl_wide [" in said
    assert "Together: " in said
    node = orm.QueryBuilder().append(ExploreWorkChain).one()[0]
    told = node.outputs.campaigns["conditions"]
    assert set(told) == {"Li6PS5Cl_300", "Li6PS5Cl_600", "Li6PS5Cl_wide"}
    assert all(one["n_labels"] <= 40 for one in told.values())
    assert not node.outputs.campaigns["failed"]

"""Analysing from the command line: files without a database, and a node by its WorkChain."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from click.testing import CliRunner, Result

from aiida_seireact.cli.analyse import sections_of
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.programs.analyses import ANALYSES
from tests.computers import local_computer
from tests.programs.conftest import write_dump
from tests.programs.test_analyse import sandwich, write_labels


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["analyse", *map(str, arguments)])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_dump(folder / "traj.dump", [sandwich(frame) for frame in range(8)])
    write_labels(folder / "labels.npz", ["unknown", "Li", "Li6PS5Cl"])
    return folder


def test_files_give_numbers_arrays_and_pictures(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = call(
        *(run / "traj.dump", "--labels", run / "labels.npz", "--timestep", 2, "-o", out),
        *("--with", "clusters: {species: [S], cutoff_ang: 3.4}", "--without", "msd", "--pictures", "svg"),
    )
    assert told.exit_code == 0, told.output
    assert "ps4_intact_end = 0" in told.output
    assert "outermost_thickness.lower_ang = 15" in told.output
    assert json.loads((out / "result.json").read_text())["status"] == "ok"
    with np.load(out / "analysis.npz") as archive:
        assert "clusters_n" in archive
        assert "msd_ang2" not in archive
    drawn = {path.stem for path in out.glob("*.svg")}
    assert drawn >= {"ps4", "ps4_ends", "thickness", "thickness_profile", "volume", "phases", "phases_along_z", "rdf"}
    assert drawn >= {"composition", "clusters", "largest_hole", "smallest_distance"}
    assert "msd" not in drawn
    # The job that ran lies beside its result and runs again by the program.
    assert json.loads((out / "job.json").read_text())["msd"] is None
    # A second analysis does not replace it unasked, a dry run may.
    before = (out / "result.json").read_bytes()
    again = (run / "traj.dump", "--only", "rdf", "-o", out, "--pictures", "none")
    refused = call(*again)
    assert refused.exit_code == 1
    assert f"{out} holds an analysis already: choose another --output, or --force" in refused.output
    assert (out / "result.json").read_bytes() == before
    assert call(*again, "--dry-run").exit_code == 0
    assert call(*again, "--force").exit_code == 0
    assert (out / "result.json").read_bytes() != before


def test_a_dry_run_says_what_there_is_and_writes_nothing(run: Path, tmp_path: Path) -> None:
    told = call(run / "traj.dump", "--dry-run", "--only", "rdf", "--only", "thickness", "-o", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "8 frames, step 0 to 350" in told.output
    assert "rdf: partial radial distribution functions" in told.output
    assert "health" not in told.output
    assert not (tmp_path / "out").exists()


def test_the_list_tells_every_analysis_and_setting() -> None:
    told = call("--list")
    assert told.exit_code == 0
    for name, analysis in ANALYSES.items():
        assert f"{name}" in told.output
        assert analysis.gives in told.output
    assert "cutoff_ang = required" in told.output
    assert "ptm (off unless --with)" in told.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name the dumps of a run, or the PK of a trajectory"),
        (("none.dump",), "There is no dump file"),
        (("traj.dump", "--only", "nonsense"), "There is no analysis 'nonsense', only thickness, health"),
        (("traj.dump", "--with", "{"), "is no YAML"),
        (("traj.dump", "--with", "3"), "names no analysis"),
        (("traj.dump", "--with", "clusters"), "clusters.species: Field required"),
        (("traj.dump", "--with", "ptm: {evry: 2}"), "ptm.evry: Extra inputs are not permitted"),
        (("traj.dump", "--labels", "none.npz"), "There is no labels file none.npz"),
        (("traj.dump", "--only", "phases"), "phases: needs labels"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traj.dump").symlink_to(run / "traj.dump")
    told = call(*arguments)
    assert told.exit_code != 0
    assert sentence in told.output


def test_sections_are_only_what_differs_from_the_defaults() -> None:
    assert sections_of((), ("ptm",), ("rdf",)) == {"ptm": {}, "rdf": None}
    only = sections_of(("voids", "rdf"), ("voids: {every: 5}",), ())
    assert only["voids"] == {"every": 5}
    assert only["rdf"] == {}
    assert {name for name, settings in only.items() if settings is not None} == {"voids", "rdf"}


@pytest.fixture
def on_node(aiida_profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that calls the command; what it submits runs in this process."""
    code = orm.InstalledCode(
        label="seireact-analyse-cli",
        computer=local_computer(tmp_path / "scratch"),
        filepath_executable=str(Path(sys.executable).parent / "seireact-analyse"),
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])

    def run(*arguments: object) -> Result:
        profile = get_manager().get_profile().name
        return CliRunner().invoke(cli, ["-p", profile, "analyse", *map(str, arguments), "--code", code.full_label])

    return run


def test_a_node_is_analysed_by_the_workchain(on_node: Callable[..., Result], tmp_path: Path) -> None:
    frames = FramesData(Frames.from_atoms([sandwich(frame) for frame in range(3)])).store()
    planned = on_node(frames.pk, "--without", "msd", "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "Nothing was submitted" in planned.output
    assert "msd: null" in planned.output
    told = on_node(frames.pk, "--without", "msd", "--follow", "-o", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "ps4_intact_end = 2" in told.output
    assert (tmp_path / "out" / "rdf.png").exists()
    (tmp_path / "out" / "result.json").touch()
    assert "holds an analysis already" in on_node(frames.pk, "--follow", "-o", tmp_path / "out").output
    wrong = on_node(orm.Int(3).store().pk)
    assert "is Int, no trajectory" in wrong.output


def test_what_a_node_can_t_be_asked_is_a_sentence(on_node: Callable[..., Result]) -> None:
    frames = FramesData(Frames.from_atoms([sandwich(frame) for frame in range(3)])).store()
    assert "--timestep is for files" in on_node(frames.pk, "--timestep", "2", "--dry-run").output
    several = on_node(frames.pk, "--workers", "2", "--without", "msd", "--dry-run")
    assert "2 process(es)" in several.output
    assert "workers" not in several.output  # of the parameters, which are hashed
    profile = get_manager().get_profile().name
    lost = CliRunner().invoke(cli, ["-p", profile, "analyse", str(frames.pk), "--code", "no@where", "--dry-run"])
    assert isinstance(lost.exception, SystemExit)
    assert "no@where" in lost.output

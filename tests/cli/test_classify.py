"""``aiida-seireact classify``, ``relabel`` and ``adopt``: what they read, and what they refuse with a sentence."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from ase.io import write
from click.testing import CliRunner

from aiida_seireact.cli.classify_inputs import phase_of, readable, reference_files, species_of
from aiida_seireact.cli.main import cli
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.workchains.classify import ClassifyWorkChain
from tests.programs.conftest import write_dump
from tests.programs.test_classify import rattled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_dump(tmp_path / "run.dump", rattled("LiCl", 3, 1))
    (tmp_path / "known" / "Li2S").mkdir(parents=True)
    write(tmp_path / "known" / "LiCl.extxyz", rattled("LiCl", 3, 2))
    write_dump(tmp_path / "known" / "Li2S" / "a.dump", rattled("Li2S", 3, 3))
    (tmp_path / "known" / "notes.txt").write_text("no frames")
    return tmp_path


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_names_of_phases_come_from_files_and_folders(folder: Path) -> None:
    assert phase_of(Path("a/Li2S.dump.gz")) == "Li2S"
    assert phase_of(Path("Li2S0.72P0.14Cl0.14.extxyz")) == "Li2S0.72P0.14Cl0.14"
    found = reference_files(["known", "metal=run.dump"])
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "Li2S": ["a.dump"],
        "LiCl": ["LiCl.extxyz"],
        "metal": ["run.dump"],
    }


def test_an_extxyz_is_read_and_species_are_those_of_all_files(folder: Path) -> None:
    path = readable(folder / "known" / "LiCl.extxyz", folder)
    assert path.suffix == ".npz"
    assert species_of([path], [folder / "known" / "Li2S" / "a.dump"]) == ["Li", "S", "Cl"]
    (folder / "torn.extxyz").write_text("5\nnothing\nLi 0 0\n")
    with pytest.raises(click.ClickException, match="can't be read"):
        readable(folder / "torn.extxyz", folder)


def test_a_dry_run_tells_and_writes_nothing(folder: Path) -> None:
    code, text = said("classify", "run.dump", "-r", "known", "--skip-first", "0", "--dry-run")
    assert code == 0
    assert "3 frames, steps 0 to 100, 216 atoms, 108 Li each: 324 environments" in text
    assert "reference Li2S: 2 frames" in text
    assert "by 324 landmarks at z = 3" in text
    assert not (folder / "run.dump.phases").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.dump"], "There is no file none.dump"),
        (["run.dump", "-r", "Li=none.dump"], "there is no file or folder none.dump"),
        (["run.dump", "-r", "empty"], "the folder empty holds no files of frames"),
        (["run.dump", "-r", "known", "--centre", "Na"], "centre Na is not among the species"),
        (["run.dump", "-r", "a/b=known/LiCl.extxyz"], "references: A phase can't be named 'a/b'"),
        (["run.dump", "--metal", "unknown"], "metal: A phase can't be named 'unknown'"),
        (["run.dump", "--parallel", "4"], "--parallel belongs to the PK of a trajectory"),
        (["1310", "--out", "sei"], "--out belongs to files; results of a PK are nodes"),
        (["1310", "--force"], "--force belongs to files"),
        (["1310", "--timestep-fs", "2"], "--timestep-fs belongs to files"),
        (["run.dump", "--classifier", "run.dump"], "is not a whole phases file"),
        (["run.dump", "--classifier", "1310"], "There is no classifier"),
        (["cut.dump", "--dry-run", "--skip-first", "0"], "cut.dump is cut off in the atoms of step"),
        (["run.dump", "--skip-first", "9", "--dry-run"], "No frame is left"),
        (["run.dump", "--settings", "odd.yaml", "--dry-run"], "zz: Extra inputs are not permitted"),
        (["one.npz", "--skip-first", "0", "--no-discover"], "Only 1 of 1 points are distinct"),
    ],
)
def test_what_can_t_be_done_is_a_sentence(folder: Path, words: list[str], sentence: str) -> None:
    from ase import Atoms

    from aiida_seireact.formats.frames import Frames

    (folder / "empty").mkdir()
    (folder / "odd.yaml").write_text("zz: 3\n")
    text = (folder / "run.dump").read_text()
    (folder / "cut.dump").write_text(text[: int(len(text) * 0.5)])
    Frames.from_atoms([Atoms("LiCl", positions=[[0, 0, 0], [2.5, 0, 0]], cell=[9, 9, 9], pbc=True)]).save("one.npz")
    code, output = said("classify", *words)
    assert code != 0
    assert sentence in output


def test_what_is_asked_for_beside_a_classifier_is_its_own_or_refused(folder: Path) -> None:
    (folder / "made.yaml").write_text("{maxk: 30, sensitivity: []}\n")
    made = ("classify", "run.dump", "-r", "known", "--skip-first", "0", "--no-discover")
    assert said(*made, "--settings", "made.yaml", "-o", "first")[0] == 0
    (folder / "finer.yaml").write_text("{spec: {n_max: 9}}\n")
    (folder / "gates.yaml").write_text("{gates: {point: 1.0}}\n")
    (folder / "same.yaml").write_text("{spec: {n_max: 4, centre: Li}, maxk: 30, gates: {point: 2.0}}\n")
    (folder / "wide.yaml").write_text("{normalisation: standard}\n")

    def by_it(*words: str) -> tuple[int, str]:
        return said("classify", "run.dump", "--classifier", "first", "--dry-run", *words)

    for words, sentence in {
        ("--z", "9"): "z: 9 was asked for, but",
        ("--landmarks", "100"): "n_landmarks: 100 was asked for, but",
        ("--centre", "S"): "spec.centre: S was asked for, but",
        ("--settings", "finer.yaml"): "spec.n_max: 9 was asked for, but",
        ("--settings", "gates.yaml"): "gates.point: 1 was asked for, but",
        ("--settings", "wide.yaml"): "normalisation: standard was asked for, but",
    }.items():
        code, text = by_it(*words)
        assert code != 0, words
        assert sentence in text
        assert "without the classifier" in text
    code, text = by_it("--settings", "same.yaml", "--z", "3", "--centre", "Li", "--metal", "LiCl")
    assert code == 0, text


def test_results_are_not_replaced_by_mistake(folder: Path) -> None:
    (folder / "run.dump.phases").mkdir()
    (folder / "run.dump.phases" / "result.json").write_text("{}")
    assert "--force replaces it" in said("classify", "run.dump")[1]
    assert "not the result of a whole classification" in said("relabel", "run.dump.phases", "--remove", "LiCl")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["relabel", "none", "--remove", "Li"], "There is no folder none"),
        (["relabel", "known"], "Nothing would change"),
        (["relabel", "known", "--remove", "Li"], "known holds no result.json"),
        (["relabel", "known", "--gate", "width=2"], "a gate is one of accept, support"),
        (["relabel", "known", "--gate", "point=far"], "'far' is no number"),
        (["relabel", "known", "--gate", "accept=none"], "none may be point, reach, second_pass"),
        (["adopt", "known", "1"], "Missing option '--name'"),
        (["adopt", "known", "1", "--name", "a/b"], "A phase can't be named 'a/b'"),
        (["adopt", "known", "1", "--name", "X"], "known holds no result.json"),
    ],
)
def test_relabel_and_adopt_refuse_with_a_sentence(folder: Path, words: list[str], sentence: str) -> None:
    code, output = said(*words)
    assert code != 0
    assert sentence in output


def test_help_names_the_landmarks_of_files_and_of_the_protocol() -> None:
    defaults = (
        ClassifyJob.model_fields["n_landmarks"].default,
        ClassifyWorkChain.get_protocol_inputs("fast")["parameters"]["n_landmarks"],
    )
    assert "Default: {}; with a PK that of the protocol, {} in fast.".format(*defaults) in said("classify", "--help")[1]


@pytest.mark.parametrize("command", ["classify", "relabel", "adopt"])
def test_help_teaches_by_examples(command: str) -> None:
    text = said(command, "--help")[1]
    assert f"aiida-seireact {command}" in text.split("Examples:")[1]

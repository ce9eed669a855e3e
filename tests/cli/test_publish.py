"""The commands publish and verify: what they say, what they refuse, and that nothing else is touched."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from click.testing import CliRunner, Result

from aiida_seireact.cli.publish import publish
from aiida_seireact.cli.verify import verify
from aiida_seireact.formats.checksums import write_checksums
from aiida_seireact.publishing.subgraph import SubGraph
from tests.publishing.fixtures import Published
from tests.publishing.graphs import Finished, finished_study

NAMED = ("--title", "Li2S in small", "--license", "CC-BY-4.0", "--creator", "Doe, Jane; 0000-0002-1825-0097")


def call(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def study(aiida_profile: Any, six_frames: Any, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_study(six_frames, tmp_path_factory.mktemp("study"))


@pytest.fixture
def bundle(published: Published) -> Path:
    return published.folder


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


# ---------------------------------------------------------------------------------------------- publish
def test_a_dry_run_tells_sizes_and_what_is_missing_and_writes_nothing(study: Finished, tmp_path: Path) -> None:
    result = call(publish, study.top.pk, tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    for words in (
        "archive.aiida",
        "1 datasets, 6 frames",
        "1 packages",
        "manifests of 1 runs",
        "CITATIONS.bib",
        "--license is missing",
    ):
        assert words in result.output, words
    assert list(tmp_path.iterdir()) == []
    assert "Nothing is missing" in call(publish, study.top.pk, tmp_path / "out", "--dry-run", *NAMED).output


def test_what_nobody_else_can_say_is_asked_for_first(study: Finished, tmp_path: Path) -> None:
    result = call(publish, study.top.pk, tmp_path / "out")
    assert result.exit_code == 1
    assert "--title is missing" in result.output
    assert "--creator is missing" in result.output
    assert "licences: looking" not in result.output


def test_a_node_of_another_kind_is_a_sentence(study: Finished, tmp_path: Path) -> None:
    result = call(publish, study.dataset.pk, tmp_path / "out", *NAMED)
    assert result.exit_code == 1
    assert f"Node {study.dataset.pk} is a DatasetData, not a process" in result.output


def test_a_potcar_is_refused_by_name_also_in_a_dry_run(
    aiida_profile: Any,
    six_frames: Any,
    tmp_path: Path,
) -> None:
    planted = finished_study(six_frames, tmp_path, retrieved={"POTCAR": b"cut out"})
    retrieved = planted.label_job.outputs.retrieved
    for arguments in (NAMED, ("--dry-run",)):
        result = call(publish, planted.top.pk, tmp_path / "out", *arguments)
        assert result.exit_code == 1
        assert f"<{retrieved.pk}> ({retrieved.uuid}), POTCAR: it is named as one" in result.output
    assert not (tmp_path / "out").exists()


def test_a_killed_command_leaves_nothing_half(
    study: Finished,
    tmp_path: Path,
    aiida_profile: Any,
) -> None:
    """SIGTERM while the archive is being written."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from aiida_seireact.cli.interrupts import interruptible\n"
        "from aiida_seireact.formats.whole_folder import partial_folder\n"
        "try:\n"
        "    with interruptible(), partial_folder(Path(sys.argv[1])) as work:\n"
        "        (work / 'half').write_text('half')\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert done.returncode == 7
    assert list(tmp_path.iterdir()) == []


def test_a_group_is_all_its_processes(
    study: Finished, aiida_profile: Any, six_frames: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = finished_study(six_frames, tmp_path_factory.mktemp("other"), label="other")
    group = orm.Group(label="my-runs").store()
    result = call(publish, "my-runs", tmp_path / "out", "--dry-run")
    assert (result.exit_code, "holds no process" in result.output) == (1, True)
    group.add_nodes([study.top, other.top, study.dataset])
    result = call(publish, "my-runs", study.top.uuid, tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"{len(SubGraph.of([study.top, other.top]).pks)} nodes" in result.output
    result = call(publish, "no-runs", tmp_path / "out", "--dry-run")
    assert "no node with the PK, UUID or group label 'no-runs'" in result.output


def test_a_file_that_cannot_be_looked_into_is_named_until_a_person_did(
    aiida_profile: Any, six_frames: Any, tmp_path: Path
) -> None:
    closed = finished_study(six_frames, tmp_path, retrieved={"scratch__7z": b"7z\xbc\xaf\x27\x1c"})
    place = f"{closed.label_job.outputs.retrieved.pk}:scratch.7z"
    result = call(publish, closed.top.pk, tmp_path / "out", "--dry-run")
    assert (result.exit_code, f"--looked-at '{place}'" in result.output) == (1, True)
    result = call(publish, closed.top.pk, tmp_path / "out", "--dry-run", "--looked-at", place)
    assert result.exit_code == 0, result.output


# ---------------------------------------------------------------------------------------------- verify
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["temporary folder", "home", "unpacking", "child"])
def test_a_full_disk_is_no_fault_of_the_bundle(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, number: int
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    what = bundle
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if place == "temporary folder":
        monkeypatch.setattr(tempfile, "mkdtemp", full)
    elif place == "unpacking":
        what = Path(shutil.make_archive(str(tmp_path / "b"), "zip", bundle.parent, "bundle"))
        monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    elif place == "child":
        script = tmp_path / "python"
        script.write_text("#!/bin/sh\nexit 28\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
    else:
        mkdir = Path.mkdir
        monkeypatch.setattr(
            Path, "mkdir", lambda self, *a, **k: full() if self.name == "aiida" else mkdir(self, *a, **k)
        )
    result = call(verify, what)
    assert result.exit_code == 1
    assert f"There is no room left in {tmp_path}" in result.output
    assert "TMPDIR" in result.output
    assert "Get it again" not in result.output
    assert "get it again" not in result.output


def test_no_place_for_temporary_files_is_a_sentence(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setattr(tempfile, "mkdtemp", none)
    assert "in any of the usual places: name one that has by TMPDIR" in call(verify, bundle).output


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("(sqlite3.OperationalError) database or disk is full")]
)
def test_the_process_that_looks_into_the_archive_tells_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from aiida_seireact.cli import verifying
    from aiida_seireact.publishing import verify as checks

    def full() -> None:
        raise error

    monkeypatch.setattr(checks, "make_profile", full)
    with pytest.raises(SystemExit) as left:
        verifying.main(tmp_path, tmp_path)
    assert left.value.code == verifying.NO_ROOM


def test_a_full_disk_while_importing_is_not_told_as_a_broken_archive(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiida_seireact.publishing import verify as checks

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(checks, "import_whole", full)
    with pytest.raises(OSError, match="full"):
        checks._import(bundle)


def spoil_file(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (path,) = folder.glob(name)
        path.write_bytes(path.read_bytes() + b" ")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_file("archive.aiida"), "archive.aiida is not the file that was published"),
        (spoil_file("datasets/*.extxyz"), "is not the file that was published"),
        (lambda folder: (folder / "README.md").unlink(), "README.md is missing"),
        (lambda folder: (folder / "more.txt").write_text(""), "more.txt was not published"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "nothing tells what was published"),
        (lambda folder: (folder / "bundle.json").unlink(), "is no bundle: it has no bundle.json"),
        (lambda folder: (folder / "bundle.json").write_text("{}"), "is not of the form seireact-bundle/1"),
    ],
)
def test_what_was_altered_is_named(copy: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(copy)
    result = call(verify, copy)
    assert result.exit_code == 1
    assert words in result.output


@pytest.mark.slow
def test_who_alters_the_checksums_too_is_caught_by_the_archive(copy: Path) -> None:
    table = next(iter((copy / "figures").glob("*.csv")))
    table.write_text(table.read_text().replace("0", "1", 1))
    (summary,) = copy.glob("report/summary.json")
    told = json.loads(summary.read_text())
    told["n_label_calls"] += 1
    summary.write_text(json.dumps(told))
    (card,) = copy.glob("models/*.card.json")
    card.write_text(card.read_text().replace("4.5", "5.5"))
    (file,) = copy.glob("datasets/*.extxyz")
    file.write_text(file.read_text().replace("split=val", "split=test"))
    metadata = json.loads((copy / "datacite.json").read_text())
    (copy / "datacite.json").write_text(json.dumps({**metadata, "publicationYear": "soon"}))
    (manifest,) = [path for path in copy.glob("trajectories/*.json") if path.name != "index.json"]
    manifest.write_text(manifest.read_text().replace('"last_step": 100', '"last_step": 1000', 1))
    page = copy / "report" / "report.html"
    page.write_text(page.read_text().replace("begun ", "begun long before ", 1))
    (copy / "figures" / f"{table.stem}.pdf").write_bytes(b"%PDF")
    write_checksums(copy)
    result = call(verify, copy)
    assert result.exit_code == 1
    for words in (
        f"figures/{table.name} is not what the archive gives",
        f"figures/{table.stem}.pdf is not what the archive gives",
        "report/report.html: line ",
        "report/summary.json: n_label_calls is told as 7, the archive gives 6",
        "tells otherwise than the model",
        "is not the dataset",
        "publicationYear: 'soon' does not match",
        "is not the manifest of the run",
        "6 of the checks failed",
    ):
        assert words in result.output, words


@pytest.mark.slow
def test_several_runs_are_one_bundle_with_figures_of_all(
    aiida_profile: Any, six_frames: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    names = ("one", "two")
    runs = [finished_study(six_frames, tmp_path_factory.mktemp(name), label=name) for name in names]
    result = call(publish, *(run.top.pk for run in runs), tmp_path / "both", *NAMED, "--zip")
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "both.zip") as archive:
        costs = archive.read("both/figures/costs.csv").decode()
        index = json.loads(archive.read("both/bundle.json"))
    assert all(f"\n{name}," in costs or f",{name}," in costs for name in names)
    assert [told["uuid"] for told in index["processes"]] == [run.top.uuid for run in runs]
    # One dataset and one model, of equal content.
    assert (index["counts"]["datasets"], index["counts"]["models"]) == (1, 1)
    result = call(verify, tmp_path / "both.zip")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_bundle_without_its_metadata_is_looked_at_to_the_end(copy: Path) -> None:
    (copy / "datacite.json").unlink()
    write_checksums(copy)
    result = call(verify, copy)
    assert result.exit_code == 1
    assert "datacite.json of the bundle is not readable" in result.output
    assert "1 of the checks failed" in result.output
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_an_archive_that_is_none_is_a_sentence(copy: Path) -> None:
    (copy / "archive.aiida").write_bytes(b"no archive")
    write_checksums(copy)
    result = call(verify, copy)
    assert result.exit_code == 1
    assert "archive.aiida can't be imported" in result.output
    assert "Traceback" not in result.output


def test_a_zip_is_looked_at_as_its_folder_and_another_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "b"), "zip", bundle.parent, "bundle"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("bundle/extra.txt", "")
    assert "extra.txt was not published" in call(verify, path).output
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/extra.txt", "")
    assert "is not the zip of one folder" in call(verify, path).output
    path.write_bytes(b"PK")
    assert "can't be unpacked" in call(verify, path).output

"""A bundle is written whole or not at all, and holds what stands behind its processes."""

from __future__ import annotations

import csv
import errno
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read

from aiida_seireact.cli.verifying import write_reports
from aiida_seireact.formats.checksums import compare_checksums
from aiida_seireact.formats.extxyz import read_extxyz
from aiida_seireact.formats.model import package_hash
from aiida_seireact.publishing import bundle, write
from aiida_seireact.publishing.bundle import BundleError, read_index, read_json
from aiida_seireact.publishing.metadata import Metadata, complaints
from aiida_seireact.publishing.plan import Plan
from aiida_seireact.publishing.write import publish

from .fixtures import Published
from .graphs import ASKED, Finished, finished_study, quiet


@pytest.fixture(scope="module")
def plan(study: Finished) -> Plan:
    return Plan.of([study.top], quiet)


@pytest.fixture(scope="module")
def written(published: Published) -> Path:
    return published.folder


def test_every_part_is_there_and_its_checksums_hold(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        *("archive.aiida", "datasets", "models", "trajectories", "figures", "report", "environment", "bundle.json"),
        *("CITATIONS.bib", "LICENSES.md", "README.md", "datacite.json", "SHA256SUMS"),
    }
    assert compare_checksums(written).sentences() == []
    assert [path.name for path in written.parent.iterdir()] == ["bundle"]


def test_the_index_tells_processes_counts_and_citations(written: Path, published: Published) -> None:
    index = read_index(written)
    assert index["processes"][0]["uuid"] == published.top_uuid
    assert index["counts"]["datasets"] == index["counts"]["models"] == index["counts"]["trajectories"] == 1
    assert {"deng2023chgnet", "thompson2022lammps"} <= set(index["citations"])
    assert index["without_citation"] == []


def test_the_dataset_is_extxyz_with_ids_and_splits(written: Path, published: Published) -> None:
    (entry,) = read_json(written / "datasets" / "index.json")
    frames, split = read_extxyz(written / entry["file"])
    assert frames.frame_ids == published.frame_ids
    assert split == published.split
    assert entry["n_by_split"] == {"train": 4, "val": 1, "test": 1}
    # A person without this package reads it, too.
    images = read(written / entry["file"], ":")
    assert images[0].info["frame_id"] == frames.frame_ids[0]
    assert np.array_equal(images[0].get_forces(), frames.forces[:3])


def test_the_model_has_its_card(written: Path, published: Published) -> None:
    (entry,) = read_json(written / "models" / "index.json")
    assert package_hash(written / entry["file"]) == published.model_hash
    card = read_json(written / entry["card"])
    assert card["species"] == ["Li", "S"]
    assert card["dataset_hash"] == published.dataset_hash


def test_manifests_tell_what_is_deposited_apart(written: Path) -> None:
    index = read_json(written / "trajectories" / "index.json")
    assert index["doi"] is None
    (run,) = index["runs"]
    assert (run["n_chunks"], run["n_deposited_apart"]) == (1, 0)
    (chunk,) = read_json(written / run["file"])["dumps"]["main"]
    assert chunk["in_archive"]


def test_figures_come_with_table_and_sources(written: Path) -> None:
    index = read_json(written / "figures" / "index.json")
    assert index["made"], index["not_made"]
    for entry in index["made"]:
        assert {"pdf", "svg", "png", "csv", "sources"} <= set(entry["files"])
        with (written / entry["files"]["csv"]).open() as stream:
            assert all(len(row["node_uuid"]) == 36 for row in csv.DictReader(stream))
    assert all(index["not_made"].values())


def test_metadata_lock_and_texts(written: Path) -> None:
    assert complaints(read_json(written / "datacite.json")) == []
    lock = (written / "environment" / "requirements.txt").read_text()
    assert "\naiida-core==" in lock
    assert "/" not in lock.split("\n", 1)[1]
    assert read_json(written / "environment" / "versions.json")["programs"]["seireact-train"]["torch"] == ["2.11.0"]
    readme = (written / "README.md").read_text()
    for words in (
        "aiida-seireact verify",
        "Doe, Jane",
        "CHGNet (a universal potential), not by DFT",
        "in the archive.",
    ):
        assert words in readme, words
    assert "| CHGNet, which made the labels |" in (written / "LICENSES.md").read_text()


def test_no_path_of_this_machine_is_in_the_texts(written: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = str(tmp_path_factory.getbasetemp())
    for path in written.rglob("*"):
        if path.suffix in (".md", ".json", ".txt", ".bib", ".csv", ".svg", ".extxyz"):
            assert root not in path.read_text(), path


def test_a_place_that_is_taken_is_refused(plan: Plan, written: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is there already: choose another name, or give --force"):
        publish(plan, written, Metadata.of(**ASKED), write_reports, quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="is no bundle, so --force does not replace it"):
        publish(plan, tmp_path / "mine", Metadata.of(**ASKED), write_reports, quiet, force=True)
    with pytest.raises(BundleError, match="There is no folder"):
        publish(plan, tmp_path / "a" / "b", Metadata.of(**ASKED), write_reports, quiet)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes long."""
    empty = {"of": [], "matplotlib": "", "made": [], "not_made": {}}
    monkeypatch.setattr(write.pictures, "write_figures", lambda *_: (empty, None)[0])
    monkeypatch.setattr(write, "_write_archive", lambda plan, folder, _: (folder / "archive.aiida").write_bytes(b""))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_nothing(
    plan: Plan, tmp_path: Path, cheap: None, error: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        publish(plan, tmp_path / "out", Metadata.of(**ASKED), fail, quiet)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_told_before(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(BundleError, match=r"takes up to 0\.0 GB, and .* has 0\.0 GB left.*Nothing was written"):
        publish(plan, tmp_path / "out", Metadata.of(**ASKED), write_reports, quiet)
    assert list(tmp_path.iterdir()) == []


def test_force_replaces_a_bundle_and_a_zip_is_one_folder(plan: Plan, tmp_path: Path, cheap: None) -> None:
    asked = Metadata.of(**ASKED, trajectory_doi="10.5281/zenodo.1")
    nothing: Callable[..., None] = lambda tops, folder: folder.mkdir()  # noqa: E731
    for _ in range(2):
        publish(plan, tmp_path / "out", asked, nothing, quiet, force=True)
    path = publish(plan, tmp_path / "out.zip", asked, nothing, quiet, as_zip=True)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert json.loads(archive.read("out/trajectories/index.json"))["doi"] == "10.5281/zenodo.1"
    assert {name.split("/")[0] for name in names} == {"out"}
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.zip"}


# ---------------------------------------------------------------------------------------------- what is refused
def test_a_process_that_has_not_ended_is_refused(aiida_profile: Any, six_frames: Any, tmp_path: Path) -> None:
    running = finished_study(six_frames, tmp_path, seal=False)
    with pytest.raises(BundleError, match=rf"<{running.top.pk}> has ended \(finished\) but is not sealed"):
        Plan.of([running.top], quiet)
    # A process under an unfinished one can't go without it: its history would have a hole.
    with pytest.raises(BundleError, match=rf"<{running.top.pk}>, which belongs to what you publish,"):
        Plan.of([running.train_job], quiet)
    running.top.seal()


def test_a_model_that_is_not_whole_is_refused(
    plan: Plan, tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write.models, "package_hash", lambda _: "0" * 64)
    with pytest.raises(BundleError, match="is not the model its card tells"):
        publish(plan, tmp_path / "out", Metadata.of(**ASKED), write_reports, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_process_is_published_and_told(
    aiida_profile: Any, six_frames: Any, tmp_path: Path, cheap: None
) -> None:
    from tests.cli.conftest import finish

    failed = finished_study(six_frames, tmp_path, seal=False)
    finish(failed.top, 460, "Stage produce failed: lost atoms")
    failed.top.seal()
    plan = Plan.of([failed.top], quiet)
    out = publish(plan, tmp_path / "out", Metadata.of(**ASKED), lambda tops, folder: folder.mkdir(), quiet)
    assert "**ended with exit status 460**: Stage produce failed: lost atoms" in (out / "README.md").read_text()
    assert read_index(out)["processes"][0]["exit_status"] == 460
    assert bundle.ARCHIVE in {path.name for path in out.iterdir()}

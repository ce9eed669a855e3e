"""``aiida-seireact dataset filter | dedupe | subsample``: at once, by a job, and of files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions import datasets
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.extxyz import read_extxyz
from aiida_seireact.formats.frames import Frames

from .test_status import run

SPLIT = ["train"] * 5 + ["val", "test", "test"]


@pytest.fixture
def dataset(labelled: Callable[..., Frames], aiida_profile_clean: object) -> DatasetData:
    """Return a dataset whose last frame, of test, repeats the first, of training."""
    frames = labelled(7)
    frames = Frames.concatenate([frames, replace(frames.select([0]), energy=np.array([7.0]), group=np.array(["x"]))])
    FramesData(frames).store()
    return DatasetData([frames], [SPLIT]).store()


def newest() -> DatasetData:
    return orm.QueryBuilder().append(DatasetData).order_by({DatasetData: {"id": "desc"}}).first(flat=True)


def test_a_small_set_is_curated_at_once(dataset: DatasetData) -> None:
    result = run("dataset", "dedupe", dataset.pk)
    assert result.exit_code == 0, result.output
    assert "7 of 8 frames stay\n  1 left: same structure\n" in result.output
    assert f"DatasetData <{newest().pk}> {newest().content_hash[:12]}" in result.output
    assert Counter(newest().split_of().values()) == {"train": 4, "val": 1, "test": 2}
    assert newest().creator.process_label == "drop_doubles"


def test_thinning_out_leaves_what_is_tested(dataset: DatasetData) -> None:
    result = run("dataset", "subsample", dataset.pk, "--count", 2, "--seed", 1)
    assert "5 of 8 frames stay\n  3 left: others differ more" in result.output
    assert Counter(newest().split_of().values()) == {"train": 2, "val": 1, "test": 2}


def test_a_dry_run_tells_and_stores_nothing(dataset: DatasetData) -> None:
    before = orm.QueryBuilder().append(orm.Node).count()
    result = run("dataset", "filter", dataset.pk, "--formula", "SLi2", "--species", "Li, S", "--dry-run")
    assert "8 of 8 frames stay\nNothing was stored (--dry-run)." in result.output
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_a_large_set_is_a_job(
    dataset: DatasetData, aiida_localhost: orm.Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "MOST_ATOMS", {"descriptors": 20, "smallest distances": 24, "frames": 24})
    words = ("dataset", "subsample", dataset.pk, "--count", 2, "--seed", 1)
    missing = run(*words)
    assert missing.exit_code == 1
    assert "There is no code seireact-curate-<version>" in missing.output
    orm.InstalledCode(label="seireact-curate-9", computer=aiida_localhost, filepath_executable="/bin/true").store()
    result = run(*words, "--dry-run")
    assert result.output == (
        "8 frames of 24 atoms: a job of seireact-curate-9@localhost\nNothing was submitted (--dry-run).\n"
    )
    submitted = []
    monkeypatch.setattr("aiida.engine.submit", lambda process, **inputs: submitted.append(inputs) or dataset)
    result = run(*words)
    assert f"Submitted CurateWorkChain <{dataset.pk}>" in result.output
    thin = submitted[0]["parameters"]["thin"]
    assert (thin["count"], thin["seed"], list(thin["splits"])) == (2, 1, ["train"])


def test_frames_of_a_file_need_no_profile(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    frames = labelled(8)
    twice = Frames.concatenate([frames, frames.select([3])])
    twice.to_extxyz(tmp_path / "all.extxyz", [*SPLIT, "test"])
    result = run("dataset", "dedupe", tmp_path / "all.extxyz", "-o", tmp_path / "once.extxyz")
    assert result.exit_code == 0, result.output
    kept, split = read_extxyz(tmp_path / "once.extxyz")
    # Of the two the tested one stays.
    assert dict(zip(kept.frame_ids, split, strict=True))[frames.frame_ids[3]] == "test"
    run("dataset", "filter", tmp_path / "once.extxyz", "--min-distance", 0.5, "-o", tmp_path / "once.npz")
    assert Frames.load(tmp_path / "once.npz").content_hash == kept.content_hash


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dedupe", "a.extxyz"), "give --output FILE"),
        (("dedupe", "a.npz", "--dry-run"), "There is no frames file a.npz"),
        (("dedupe", "1", "-o", "b.npz"), "`dataset export` writes those of a node"),
        (("dedupe", "1", "--closest", "2"), "unique.closest: Input should be less than 1"),
        (("filter", "1", "--volume", "40", "8"), "give the smaller one first"),
        (("filter", "1", "--formula", "li2s"), "'li2s' is no chemical formula"),
    ],
)
def test_what_is_not_possible_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("dataset", *words)
    assert result.exit_code
    assert message in result.output


def test_a_refusal_is_one_sentence(dataset: DatasetData) -> None:
    result = run("dataset", "filter", dataset.pk, "--max-force", 1e-3)
    assert result.exit_code == 1
    assert "No frame is left of 8: 8 by max_force_ev_per_ang. Set a wider limit." in result.output
    assert "Traceback" not in result.output
    wrong = run("dataset", "dedupe", orm.Int(1).store().pk)
    assert "is a Int: give a DatasetData or a FramesData" in wrong.output

"""``aiida-seireact dataset``: what a person sees, and the files it writes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from ase.io import read, write
from PIL import Image

from aiida_seireact.cli.dataset_facts import difference, facts_of, levels_of, table_of, temperature_in
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from tests.formats.test_importing import copper, deepmd

from .conftest import add_job, finish
from .test_status import run

SPLIT = ["train", "train", "val", "test"]


@pytest.fixture
def dataset(labelled: Callable[..., Frames], aiida_profile_clean: object) -> DatasetData:
    """Return a stored dataset of two config types and two shards."""
    parts = [labelled(4), labelled(4, seed=1, config_type="LiCl")]
    for frames in parts:
        FramesData(frames).store()
    return DatasetData(parts, [SPLIT, SPLIT]).store()


# ---------------------------------------------------------------- info
def test_info_tells_counts_splits_and_ranges(dataset: DatasetData) -> None:
    result = run("dataset", "info", dataset.pk)
    assert result.exit_code == 0, result.output
    assert f"DatasetData <{dataset.pk}> {dataset.content_hash[:12]}: 8 frames (4 train, 2 val, 2 test)" in result.output
    assert "species   Li, S; 24 atoms in 2 shards" in result.output
    facts = json.loads(run("dataset", "info", dataset.uuid, "--json").output)
    frames = dataset.frames()
    of_type = facts["classes"][0]
    mine = frames.config_type == "Li2S"
    assert (of_type["name"], of_type["by_split"]) == ("Li2S", {"train": 2, "val": 1, "test": 1})
    per_atom = frames.energy[mine] / 3
    assert of_type["energy_ev_per_atom"] == [per_atom.min(), per_atom.max()]


def test_info_of_a_shard_and_of_something_else(labelled: Callable[..., Frames], aiida_profile_clean: object) -> None:
    shard = FramesData(labelled(2)).store()
    assert f"FramesData <{shard.pk}>" in run("dataset", "info", shard.pk).output
    wrong = run("dataset", "info", orm.Int(1).store().pk)
    assert wrong.exit_code == 1
    assert "is a Int: give a DatasetData or a FramesData" in wrong.output


def test_levels_are_told_by_who_labelled(study) -> None:
    assert levels_of(study.dataset) == ["chgnet"]
    assert "labels    chgnet, settings aaaaaaaaaaaa" in run("dataset", "info", study.dataset.pk).output


def test_a_temperature_is_that_of_the_md_a_frame_is_of(
    labelled: Callable[..., Frames], aiida_profile_clean: object
) -> None:
    frames = labelled(4)
    leg = add_job("flare", "seireact.flare", None, "", parameters=orm.Dict({"temperature_k": 600.0}))
    asked = FramesData(frames.select([0, 1]).without_labels())
    asked.base.links.add_incoming(leg, LinkType.CREATE, "asked")
    asked.store()
    finish(leg)
    job = add_job("label", "seireact.ase", None, "", frames=asked, parameters=orm.Dict({"task": "label"}))
    shard = FramesData(frames)
    shard.base.links.add_incoming(job, LinkType.CREATE, "frames")
    shard.store()
    table = table_of(shard)
    known = dict(zip(table.frames.frame_ids, table.temperatures.tolist(), strict=True))
    assert [known[frame_id] for frame_id in frames.frame_ids[:2]] == [600.0, 600.0]
    assert np.isnan([known[frame_id] for frame_id in frames.frame_ids[2:]]).all()
    assert facts_of(shard, table).classes[0].temperature_k == (600.0, 600.0)


def test_a_ramp_has_no_one_temperature() -> None:
    assert temperature_in({"md": {"temperature_k": 300}}) == 300.0
    assert temperature_in({"md": {"temperature_k": 300, "temperature_end_k": 600}}) is None
    assert temperature_in({"task": "label"}) is None


# ---------------------------------------------------------------- diff
def test_diff_tells_what_was_added_removed_moved_and_relabelled(
    dataset: DatasetData, labelled: Callable[..., Frames]
) -> None:
    new = labelled(2, seed=2, config_type="Li3P")
    FramesData(new).store()
    split = dataset.column("split")
    types = dataset.column("config_type")
    changed = split.copy()
    changed[(types == "LiCl") & (split == "test")] = "train"
    changed[np.flatnonzero((types == "Li2S") & (split == "train"))[:1]] = ""
    other = dataset.with_split(changed).extended(new, ["train", "test"]).store()
    change = difference(dataset, other)
    assert change.added == {"Li3P": 2}
    assert change.removed == {"Li2S": 1}
    assert change.moved == {"test > train": 1}
    assert (change.unchanged, change.relabelled, change.same_level) == (6, 0, True)
    result = run("dataset", "diff", dataset.pk, other.pk)
    assert "added           2  2 Li3P" in result.output
    assert "moved           1  1 test > train" in result.output
    assert json.loads(run("dataset", "diff", dataset.pk, other.pk, "--json").output)["unchanged"] == 6


def test_diff_knows_structures_that_were_labelled_again(dataset: DatasetData, labelled: Callable[..., Frames]) -> None:
    again = Frames.from_atoms(list(labelled(4).iter_atoms()), settings_hash="b" * 64)
    FramesData(again).store()
    other = DatasetData([again], [SPLIT]).store()
    result = run("dataset", "diff", dataset.pk, other.pk)
    assert "4 of the structures that were removed are there with other labels." in result.output
    assert "another level of theory" in result.output


# ---------------------------------------------------------------- out and in
def test_export_and_import_are_inverse(dataset: DatasetData, tmp_path: Path) -> None:
    path = tmp_path / "all.extxyz"
    result = run("dataset", "export", dataset.pk, "-o", path)
    assert result.output == f"8 frames in {path}\n"
    result = run("dataset", "import", path)
    assert result.exit_code == 0, result.output
    query = orm.QueryBuilder().append(DatasetData, filters={"attributes.content_hash": dataset.content_hash})
    assert query.count() == 2
    again = query.order_by({DatasetData: {"id": "desc"}}).first(flat=True)
    assert again.split_of() == dataset.split_of()
    assert again.frames().content_hash == dataset.frames().content_hash


def test_one_part_is_exported(dataset: DatasetData, tmp_path: Path) -> None:
    run("dataset", "export", dataset.pk, "-o", tmp_path / "test.npz", "--split", "test")
    assert Frames.load(tmp_path / "test.npz").frame_ids == dataset.frame_ids("test")
    run("dataset", "export", dataset.pk, "-o", tmp_path / "val.extxyz", "--split", "val")
    assert {atoms.info["split"] for atoms in read(tmp_path / "val.extxyz", index=":")} == {"val"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "a.npz"], "export each part with --split"),
        (["-o", "a.dat"], "ends neither in .extxyz nor in .npz"),
    ],
)
def test_an_export_that_would_lose_something_is_refused(
    dataset: DatasetData, arguments: list[str], message: str
) -> None:
    result = run("dataset", "export", dataset.pk, *arguments)
    assert result.exit_code == 1
    assert message in result.output


def test_import_tells_what_it_took_and_what_not(aiida_profile_clean: object, tmp_path: Path) -> None:
    images = copper(3)
    images[1].calc.results["forces"][:] = 99.0
    write(tmp_path / "a.extxyz", images)
    result = run("dataset", "import", tmp_path / "a.extxyz", "--level", "EMT", "--group", "frame")
    assert result.exit_code == 0, result.output
    shard = orm.QueryBuilder().append(FramesData).first(flat=True)
    assert f"2 frames in FramesData <{shard.pk}>" in result.output
    assert "1 frames are not taken:\n  frame 1 of a.extxyz: the force on an atom is" in result.output
    assert levels_of(shard) == ["EMT (imported)"]


def test_a_dry_run_stores_nothing(aiida_profile_clean: object, tmp_path: Path) -> None:
    folder = deepmd(tmp_path / "sys", copper())
    before = orm.QueryBuilder().append(orm.Node).count()
    result = run("dataset", "import", folder, "--level", "EMT", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "would be read as deepmd, 3 frames taken" in result.output
    assert orm.QueryBuilder().append(orm.Node).count() == before


def test_import_by_hash_keeps_no_file(aiida_profile_clean: object, tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", copper())
    assert run("dataset", "import", tmp_path / "a.extxyz", "--level", "EMT", "--by-hash").exit_code == 0
    assert orm.QueryBuilder().append(orm.SinglefileData).count() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.extxyz"], "have no level of theory: name it (--level NAME)"),
        (["nothing.extxyz", "--level", "EMT"], "There is no nothing.extxyz"),
        (["a.extxyz", "--level", "EMT", "--species", "Li"], "holds Cu, but only Li are known here"),
        (["a.extxyz", "--level-settings", "level.json"], "give its name too"),
        (["a.extxyz", "--level", "EMT", "--level-settings", "level.json"], "level.json is not JSON"),
        (["a.extxyz", "--level", "EMT", "--blocks", "1"], "n_blocks: Input should be greater than or equal to 2"),
    ],
)
def test_a_wrong_import_is_one_sentence(
    aiida_profile_clean: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write("a.extxyz", copper())
    Path("level.json").write_text("{")
    result = run("dataset", "import", *arguments)
    assert result.exit_code == 1
    assert message in result.output


# ---------------------------------------------------------------- plot
@pytest.mark.parametrize("image", ["png", "svg"])
def test_plot_writes_pictures_and_their_numbers(dataset: DatasetData, tmp_path: Path, image: str) -> None:
    result = run("dataset", "plot", dataset.pk, "-o", tmp_path, "--format", image)
    assert result.exit_code == 0, result.output
    names = {"classes", "compositions", "temperatures", "energies", "forces", "volumes"}
    assert {path.stem for path in tmp_path.glob(f"*.{image}")} == names
    for path in tmp_path.glob("*.png"):
        assert Image.open(path).size[0] > 600
    with (tmp_path / "frames.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["frame_id"] for row in rows] == dataset.frame_ids()
    assert Counter(row["split"] for row in rows) == {"train": 4, "val": 2, "test": 2}
    assert float(rows[0]["energy_ev_per_atom"]) == dataset.frames().energy[0] / 3
    with (tmp_path / "classes.csv").open() as stream:
        classes = {row["config_type"]: row for row in csv.DictReader(stream)}
    assert (classes["Li2S"]["train"], classes["LiCl"]["groups"]) == ("2", "4")


def test_the_same_dataset_makes_the_same_picture(dataset: DatasetData, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run("dataset", "plot", dataset.pk, "-o", tmp_path / name, "--format", "svg")
    assert (tmp_path / "one" / "forces.svg").read_bytes() == (tmp_path / "two" / "forces.svg").read_bytes()

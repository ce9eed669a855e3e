"""A set curated as a job: the same frames stay as by the calcfunctions, and a dataset keeps shards and splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import run_get_node

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.curate import CurateCalculation
from aiida_seireact.calculations.functions.datasets import filter_frames, keep_frames, thin_out
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.curate import CurateJob
from aiida_seireact.workchains.curate import CurateWorkChain

THIN = {"count": 3, "seed": 1}


@pytest.fixture
def dataset(labelled: Callable[..., Frames], aiida_profile: Any) -> DatasetData:
    """Return a dataset of two shards, some frames of which are left out."""
    shards = [FramesData(labelled(8, seed=seed)).store() for seed in (0, 1)]
    split = ["train", "train", "train", "train", "val", "test", "", ""]
    return DatasetData([shard.frames for shard in shards], [split, split]).store()


def test_a_job_keeps_what_the_calcfunction_keeps(
    dataset: DatasetData, program_code: Callable[..., orm.InstalledCode]
) -> None:
    small = thin_out(dataset, orm.Dict(THIN))
    inputs = {"code": program_code("curate"), "frames": dataset, "parameters": orm.Dict({"thin": THIN})}
    outputs, node = run_get_node(CurateWorkChain, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert outputs["kept"].content_hash == small["kept"].content_hash
    assert [part.shard_hash for part in outputs["kept"].parts()] == [part.shard_hash for part in dataset.parts()]
    told = small["report"].get_dict()
    assert outputs["report"].get_dict() == {name: told[name] for name in ("n_frames", "n_kept", "dropped_by")}
    creator = outputs["kept"].creator
    assert creator.process_label == "keep_frames"
    assert {link.link_label for link in creator.base.links.get_incoming().all()} >= {"frames", "verdicts"}


def test_a_shard_keeps_its_order_and_a_frame_that_is_there_twice_stays_once(
    labelled: Callable[..., Frames], program_code: Callable[..., orm.InstalledCode]
) -> None:
    frames = labelled(4).select([2, 0, 3, 2, 1])
    shard = FramesData(frames)
    inputs = {"code": program_code("curate"), "frames": shard, "parameters": orm.Dict({"unique": {}})}
    outputs, node = run_get_node(CurateWorkChain, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert outputs["kept"].frames.content_hash == frames.select([0, 1, 2, 4]).content_hash


def test_a_dataset_without_training_frames_is_refused(
    labelled: Callable[..., Frames], program_code: Callable[..., orm.InstalledCode], aiida_profile: Any
) -> None:
    frames = Frames.concatenate([labelled(2), labelled(2, seed=1, config_type="tested")])
    FramesData(frames).store()
    dataset = DatasetData([frames], [["train", "train", "val", "test"]]).store()
    parameters = orm.Dict({"filter": {"config_types": ["tested"]}})
    _, node = run_get_node(CurateWorkChain, code=program_code("curate"), frames=dataset, parameters=parameters)
    assert node.exit_status == 250
    assert "This dataset has no frame in 'train'" in node.exit_message


def test_what_the_program_refuses_is_refused_before(labelled: Callable[..., Frames], aiida_profile: Any) -> None:
    validate = CurateCalculation.spec().inputs["parameters"].validator
    assert "nothing is to be done" in validate(orm.Dict({}), None)
    assert "frames is filled in by the calculation" in validate(orm.Dict({"frames": ["a.npz"], "unique": {}}), None)
    assert validate(orm.Dict({"unique": {}}), None) is None


def test_the_job_has_a_file_for_each_part_of_each_shard(
    dataset: DatasetData, program_code: Callable[..., orm.InstalledCode], tmp_path: Path
) -> None:
    process = CurateCalculation.__new__(CurateCalculation)
    process._parsed_inputs = AttributeDict(
        {"code": program_code("curate"), "frames": dataset, "parameters": orm.Dict({"unique": {}})}
    )
    job = CurateJob.model_validate(process.write_files(tmp_path, Links()))
    written = {
        frame_id: split
        for split, names in dict(job.frames).items()
        for name in names
        for frame_id in Frames.load(tmp_path / name).frame_ids
    }
    assert written == dataset.split_of()
    assert len(list(tmp_path.iterdir())) == 6


def test_large_sets_are_no_work_for_a_daemon(
    labelled: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch, aiida_profile: Any
) -> None:
    from aiida_seireact.calculations.functions import datasets

    shard = FramesData(labelled(4)).store()
    monkeypatch.setattr(datasets, "MOST_ATOMS", {"descriptors": 11, "smallest distances": 12, "frames": 12})
    with pytest.raises(ValueError, match="The descriptors of 12 atoms take too long here, .* seireact.curate does"):
        thin_out(shard, orm.Dict(THIN))
    assert len(filter_frames(shard, orm.Dict({"min_distance_ang": 0.5}))["kept"]) == 4


def test_verdicts_on_other_frames_are_refused(labelled: Callable[..., Frames], aiida_profile: Any) -> None:
    import numpy as np

    verdicts = orm.ArrayData({"frame_id": np.array([b"a"]), "rule": np.array([""])}).store()
    with pytest.raises(ValueError, match="These verdicts are on other frames"):
        keep_frames(FramesData(labelled(1)).store(), verdicts)


def test_frames_that_leave_leave_the_manifest_that_a_new_dataset_would_have(dataset: DatasetData) -> None:
    split = dataset.column("split").copy()
    split[dataset.column("split") == "test"] = ""
    smaller = dataset.with_split(split)
    kept = smaller.split_of()
    shards = [shard.frames for shard in dataset.shards()]
    made = DatasetData(shards, [[kept.get(name, "") for name in frames.frame_ids] for frames in shards])
    for one, other in zip(smaller.parts(), made.parts(), strict=True):
        assert (one.shard_hash, one.species, one.rows.dtype) == (other.shard_hash, other.species, other.rows.dtype)
        assert one.rows.tobytes() == other.rows.tobytes()

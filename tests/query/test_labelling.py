"""Tables of labels and datasets: each labelled frame with the job that computed it, and nothing of what failed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact import query
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData

from .graph import chain, ends, function, here, job, labelled, potential

COVERAGE = {
    "classes": {"bulk": {"frames": 3, "environments": 9, "environments_by_species": {"Li": 6, "S": 3}}},
    "compositions": [{"formula": "Li2S", "fractions": {}, "frames": 3}],
    "missing": ["No frame is an isolated atom."],
}


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """Two frames by a calculator, of three by VASP the first and the last, one reused; a training on two others."""
    top = chain("ReactWorkChain")
    label = chain("LabelWorkChain", top, "label")
    code = orm.InstalledCode(label="chgnet", computer=here(), filepath_executable="/bin/true")
    batch = job("seireact.ase", label, "batch_000", code=code)
    failed = [{"index": 2, "structure_id": "s", "reason": "no number"}]
    mine = labelled(2, seed=1)
    ends(batch, frames=FramesData(mine), failures=orm.Dict({"failures": failed}))
    ends(job("seireact.ase", label, "batch_001"), 410, frames=FramesData(labelled(2, seed=8)))
    ends(job("seireact.ase", label, "batch_002"), seal=False, frames=FramesData(labelled(2, seed=9)))
    left = {}
    for name, process in (("frame_000", "vasp"), ("frame_001", "vasp"), ("elsewhere", "vasp")):
        left[name] = ends(job("vasp.vasp", label, name, name=process), retrieved=orm.FolderData())
    theirs = labelled(2, seed=2, config_type="Li3P")
    failures = {"failures": [{"index": 1, "reason": "not converged"}], "links": {"2": "elsewhere"}}
    ends(function("collect_vasp", label, **left), frames=FramesData(theirs), failures=orm.Dict(failures))
    known = FramesData(labelled(1, seed=3)).store()
    ends(function("reuse_labels", label, shard=known), known=FramesData(labelled(1, seed=3)))
    # What joins shards labels nothing.
    joined = ends(function("join_shards", label, shard=known), result=FramesData(mine))
    made = DatasetData([mine, theirs], [["train", "val"], ["train", ""]])
    ends(function("make_dataset", top, "dataset", shard=joined), result=made)
    given = DatasetData([labelled(3, seed=4)], [["train", "test", "val"]]).store()
    ends(job("seireact.allegro", top, "train", dataset=given), potential=potential("m"))
    ends(job("seireact.sample", top, "sample"), coverage=orm.Dict(COVERAGE))
    return top


def test_labels_are_of_every_frame_that_was_computed(study: orm.WorkChainNode) -> None:
    found = query.labels(study)
    assert found["labeller"].tolist() == ["ase", "ase", "vasp", "vasp", ""]
    assert found["reused"].tolist() == [False] * 4 + [True]
    assert found["config_type"].tolist() == ["Li2S", "Li2S", "Li3P", "Li3P", "Li2S"]
    assert found["code"].tolist()[:2] == ["chgnet@here"] * 2


def test_each_frame_knows_the_job_that_computed_it(study: orm.WorkChainNode) -> None:
    found = query.labels(study).query("labeller == 'vasp'")
    made = query.processes(study).query("process == 'vasp'").set_index("call_label")["node_uuid"]
    assert found["job_uuid"].tolist() == [made["frame_000"], made["elsewhere"]]


def test_the_numbers_are_those_of_the_frames(study: orm.WorkChainNode) -> None:
    frames, row = labelled(2, seed=1), query.labels(study).iloc[1]
    forces = frames.forces[3:]
    assert row.energy_ev_per_atom == pytest.approx(frames.energy[1] / 3)
    assert row.largest_force_ev_per_ang == pytest.approx(np.linalg.norm(forces, axis=1).max())
    assert row.force_rms_ev_per_ang == pytest.approx(np.sqrt((forces**2).mean()))
    assert row.pressure_gpa == pytest.approx(-frames.stress[1][:3].mean() * 160.21766208)
    assert row.volume_ang3_per_atom == pytest.approx(5.71**3 / 4 / 3)


def test_datasets_count_frames_by_split_and_type(study: orm.WorkChainNode) -> None:
    found = query.datasets(study)
    own = found[~found["is_given"]]
    told = own[["split", "config_type", "n_frames", "n_frames_of_all"]].to_numpy().tolist()
    assert told == [["train", "Li2S", 1, 3], ["train", "Li3P", 1, 3], ["val", "Li2S", 1, 3]]
    assert found[found["is_given"]]["n_frames"].tolist() == [1, 1, 1]
    assert len(query.members(study)) == 6


def test_coverage_tells_what_is_there_and_what_is_missing(study: orm.WorkChainNode) -> None:
    found = query.coverage(study)
    assert found.query("by == 'class'")[["species", "n_environments"]].to_numpy().tolist() == [
        ["", 9.0], ["Li", 6.0], ["S", 3.0],
    ]  # fmt: skip
    assert found.query("by == 'missing'")["value"].tolist() == ["No frame is an isolated atom."]


def test_failures_tell_what_was_done(study: orm.WorkChainNode) -> None:
    found = query.failures(study)
    frames = found.query("kind == 'frame'")
    assert frames["reason"].tolist() == ["no number", "not converged"]
    processes = found.query("kind == 'process'").set_index("call_label")
    assert processes.loc["batch_001", "what_was_done"] == "LabelWorkChain goes on"
    assert len(processes) == 1

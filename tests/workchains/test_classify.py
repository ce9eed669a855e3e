"""One job and jobs side by side: the same labels, all of them nodes made by processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import engine, orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.classify_parts import ClassifyPartsWorkChain
from tests.programs.test_classify import rattled


@pytest.fixture(scope="module")
def run() -> Frames:
    frames = Frames.from_atoms([*rattled("LiCl", 3, 1), *rattled("ZB", 3, 2)])
    return frames


@pytest.fixture
def builder(aiida_profile_clean: Any, aiida_localhost: orm.Computer, run: Frames) -> Any:
    aiida_localhost.set_minimum_job_poll_interval(0)
    code = orm.InstalledCode(
        label="seireact-classify-test",
        computer=aiida_localhost,
        filepath_executable=str(Path(sys.executable).parent / "seireact-classify"),
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()
    overrides = {
        "parameters": {
            "trajectory": {"skip_first": 0},
            "references": {"skip_first": 0},
            "n_landmarks": 400,
            "maxk": 40,
            "sensitivity": [2.0, 4.0],
            "discover": None,
            "metal": ["LiCl"],
        }
    }
    return ClassifyWorkChain.get_builder_from_protocol(
        FramesData(run), {"LiCl": FramesData(Frames.from_atoms(rattled("LiCl", 2, 3)))}, code=code, overrides=overrides
    )


@pytest.mark.slow
def test_jobs_side_by_side_give_the_labels_of_one(builder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    builder.parallel = orm.Int(3)
    monkeypatch.setattr(ClassifyPartsWorkChain, "TOGETHER", 2)
    together, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    for name in alone["labels"].get_arraynames():
        assert np.array_equal(alone["labels"].get_array(name), together["labels"].get_array(name)), name
    assert alone["phases"].base.attributes.get("content_hash") == together["phases"].base.attributes.get("content_hash")
    one, other = alone["classification"].get_dict(), together["classification"].get_dict()
    assert one == other
    assert one["phase_fractions"]["first_tenth"]["LiCl"] > 0.9
    assert one["interphase"]["phase_fractions"]["last_tenth"] == {"unknown": 1.0}
    assert [row["z"] for row in one["sensitivity"]] == [2.0, 3.0, 4.0]
    # Labels of three shares in groups of two: a tree of three mergings.
    (parts,) = node.called
    made = [child.process_label for child in parts.called]
    assert made.count("merge_labels") == 3
    assert made.count("GatherWorkChain") == 2
    assert made.count("AssignWorkChain") == 3
    assert together["labels"].creator.process_label == "merge_labels"


def test_no_job_is_refused(builder: Any) -> None:
    with pytest.raises(ValueError, match="at least one job"):
        builder.parallel = orm.Int(0)

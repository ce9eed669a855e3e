"""seireact-curate: what stays of a set that lies in several files, and that nothing hangs on how it lies there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_seireact.formats import frame_blocks
from aiida_seireact.formats.frames import Frames
from aiida_seireact.programs import curate
from tests.programs.conftest import call
from tests.programs.peak import peak_kib


def rows_of(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "curation.npz", allow_pickle=False) as rows:
        return {name: rows[name] for name in rows.files}


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    rows = rows_of(folder)
    return {
        frame_id.decode(): (rule, other.decode())
        for frame_id, rule, other in zip(rows["frame_id"], rows["rule"], rows["because_of"], strict=True)
    }


@pytest.fixture
def frames(labelled: Callable[..., Frames]) -> Frames:
    """Return twelve frames of two types; the last repeats the first with another energy."""
    frames = Frames.concatenate([labelled(6), labelled(5, seed=1, config_type="strained")])
    return Frames.concatenate([frames, replace(frames.select([0]), energy=np.array([7.0]))])


# One frame has a larger force.
LIMIT = 2.6
ALL = {
    "filter": {"max_force_ev_per_ang": LIMIT},
    "unique": {"closest": 0.0016},
    "thin": {"count": 3, "seed": 2},
}


def test_steps_are_done_in_order_and_each_frame_has_its_reason(frames: Frames, tmp_path: Path) -> None:
    frames.save(tmp_path / "all.npz")
    status, result, progress = call(curate.main, tmp_path, {"frames": ["all.npz"], **ALL})
    assert status == 0, result
    told, found = result["outputs"], verdicts(tmp_path)
    largest = np.linalg.norm(frames.forces.reshape(-1, 3, 3), axis=2).max(axis=1)
    for frame_id, force in zip(frames.frame_ids, largest, strict=True):
        assert (found[frame_id][0] == "max_force_ev_per_ang") == (force > LIMIT)
    rules = [rule for rule, _ in found.values()]
    assert told["n_frames"] == 12
    assert told["n_kept"] == rules.count("")
    assert {rule: rules.count(rule) for rule in rules if rule} == told["dropped_by"]
    assert set(told["dropped_by"]) >= {"max_force_ev_per_ang", "same structure", "others differ more"}
    kinds = rows_of(tmp_path)["config_type"][[not rule for rule in rules]].tolist()
    assert max(kinds.count(name) for name in set(kinds)) <= 3
    assert rows_of(tmp_path)["frame_id"].astype(str).tolist() == frames.frame_ids
    assert "descriptors of" in progress


def test_files_blocks_and_order_do_not_matter(frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames.save(tmp_path / "all.npz")
    call(curate.main, tmp_path, {"frames": ["all.npz"], **ALL})
    expected = verdicts(tmp_path)
    frames.select([11, 3, 5, 7, 1]).save(tmp_path / "one.npz")
    frames.select([2, 0, 9, 10, 8, 4, 6]).to_extxyz(tmp_path / "two.extxyz")
    monkeypatch.setattr(frame_blocks.frame_blocks, "__defaults__", (4,))
    status, result, _ = call(curate.main, tmp_path, {"frames": ["one.npz", "two.extxyz"], **ALL})
    assert status == 0, result
    assert verdicts(tmp_path) == expected


def test_of_doubles_the_tested_one_stays_and_only_training_frames_are_thinned_out(
    frames: Frames, tmp_path: Path
) -> None:
    frames.select(range(6)).save(tmp_path / "train.npz")
    frames.select(range(6, 12)).save(tmp_path / "test.npz")
    job = {
        "frames": {"train": ["train.npz"], "test": ["test.npz"]},
        "unique": {},
        "thin": {"count": 2, "seed": 1},
    }
    assert call(curate.main, tmp_path, job)[0] == 0
    found = verdicts(tmp_path)
    assert found[frames.frame_ids[0]] == ("same structure", frames.frame_ids[11])
    assert all(found[frame_id] == ("", "") for frame_id in frames.frame_ids[6:])
    assert [rule for rule, _ in found.values()].count("others differ more") == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filter": None}, "nothing is to be done: give filter, unique or thin"),
        ({"filter": {"max_force": 1.0}}, "filter.max_force: Extra inputs are not permitted"),
        ({"filter": {"max_force_ev_per_ang": 1e-3}}, "No frame is left of 12: 12 by max_force_ev_per_ang"),
        ({"frames": ["none.npz"]}, "There is no frames file"),
        ({"frames": {"training": ["all.npz"]}}, "Input should be 'train', 'val' or 'test'"),
        ({"frames": ["all.npz", "bare.npz"]}, "of two levels of theory, or only some carry labels"),
        ({"frames": ["bare.npz"]}, "carry no labels, so max_force_ev_per_ang can't be looked at"),
        ({"frames": ["touching.npz"], "filter": {}, "thin": {"count": 1, "seed": 1}}, "lie on each other"),
    ],
)
def test_a_wrong_job_is_one_sentence(frames: Frames, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    frames.save(tmp_path / "all.npz")
    frames.without_labels().save(tmp_path / "bare.npz")
    touching = frames.positions.copy()
    touching[1] = touching[0]
    replace(frames, positions=touching).save(tmp_path / "touching.npz")
    job = {"frames": ["all.npz"], "filter": {"max_force_ev_per_ang": 3.0}, **changes}
    status, result, _ = call(curate.main, tmp_path, job)
    assert status == 2
    assert message in result["error"]["message"]
    assert not (tmp_path / "curation.npz").exists()


def test_a_missing_package_is_told_with_the_command(
    frames: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames.save(tmp_path / "all.npz")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, result, _ = call(curate.main, tmp_path, {"frames": ["all.npz"], "thin": {"count": 1, "seed": 1}})
    assert (status, result["error"]["kind"]) == (3, "missing_package")
    # What compares no descriptors needs none of it.
    assert call(curate.main, tmp_path, {"frames": ["all.npz"], "unique": {}})[0] == 0


def test_memory_grows_far_less_than_the_frames(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def peak(n_frames: int) -> int:
        # 400 atoms a frame: as a whole 19 kB a frame with forces, 58 MB for all of the larger set.
        n_atoms = 400
        folder = tmp_path / str(n_frames)
        folder.mkdir()
        cell = np.eye(3) * 20.0
        Frames(
            positions=rng.uniform(0, 20, size=(n_frames * n_atoms, 3)),
            numbers=np.tile(np.arange(n_atoms) % 2 * 13 + 3, n_frames),
            offsets=np.arange(n_frames + 1) * n_atoms,
            cells=np.tile(cell, (n_frames, 1, 1)),
            pbc=np.ones((n_frames, 3), dtype=bool),
            config_type=np.array(["md"] * n_frames),
            group=np.array([str(index) for index in range(n_frames)]),
            parent_id=np.array([""] * n_frames),
            md_step=np.arange(n_frames),
            energy=rng.normal(size=n_frames),
            forces=rng.normal(size=(n_frames * n_atoms, 3)),
        ).save(folder / "all.npz")
        (folder / "job.json").write_text(
            '{"frames": ["all.npz"], "filter": {"max_force_ev_per_ang": 99.0}, "unique": {}}'
        )
        return peak_kib("curate", folder) * 1024

    few, many = peak(300), peak(3000)
    # 2,700 frames more are 52 MB of positions and forces; what is kept of each is 0.4 kB.
    assert many - few < 6e6

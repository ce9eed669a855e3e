"""A dataset grows by whole time blocks; what was there keeps its part; errors before and after are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions.augment import extend_dataset, parts_of_blocks, summarise_augmentation
from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames

SETTINGS = {"force_limit_ev_per_ang": 50.0, "val_blocks": 1, "min_learned": 4, "min_held_out": 2}
PARTS = ("learned", "learned", "held_out")


@pytest.fixture
def dataset(labelled, aiida_profile_clean) -> DatasetData:
    settings = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}
    return make_dataset(orm.Dict(settings), old=FramesData(labelled(10)).store())


@pytest.fixture
def new(labelled_atoms) -> Callable[..., Frames]:
    """Return a factory of 12 labelled frames of a run, in six blocks of two."""

    def make(**kwargs: Any) -> Frames:
        images = labelled_atoms(12, seed=5, config_type="augment-training")
        for number, atoms in enumerate(images):
            atoms.info["group"] = f"augment-training/run/block-{number // 2}"
        return Frames.from_atoms(images, settings_hash="a" * 64, **kwargs)

    return make


def choice(n_chosen: int = 12) -> orm.Dict:
    """Return what seireact-select tells of these frames: here of every three blocks the last is held out."""
    blocks = [
        {"group": f"augment-training/run/block-{number}", "part": PARTS[number % 3], "n_chosen": 2}
        for number in range(6)
    ]
    run = {
        "n_frames": 60,
        "n_atoms": 3,
        "asked": {"learned": 8, "held_out": 4},
        "chosen": {"learned": 8, "held_out": 4},
        "max_std": None,
        "blocks": blocks,
    }
    told = {"n_chosen": n_chosen, "criterion": "c", "block_rule": "r", "gps": {"cold": {}}}
    return orm.Dict({**told, "runs": {"training": run}})


def split_of(dataset: DatasetData) -> dict[str, str]:
    return dataset.split_of()


def test_old_frames_keep_their_part_and_new_blocks_get_theirs(dataset, new):
    shard = FramesData(new()).store()
    extended = extend_dataset(dataset, shard, choice(), orm.Dict(SETTINGS))
    before, after = split_of(dataset), split_of(extended)
    assert {name: after[name] for name in before} == before
    parts = [after[frame_id] for frame_id in shard.frames.frame_ids]
    # blocks 0, 1, 3, 4 are learned, and of these the one before the last chooses the epoch; 2 and 5 are held out
    assert parts == ["train"] * 4 + ["test"] * 2 + ["val"] * 2 + ["train"] * 2 + ["test"] * 2
    assert len(extended) == len(dataset) + 12
    assert extended.content_hash != dataset.content_hash
    assert len(extended.frames("train")) == Counter(before.values())["train"] + 6


def test_learned_blocks_are_all_trained_on_where_none_is_to_choose_the_epoch():
    runs = choice()["runs"]
    assert "val" not in parts_of_blocks(runs, 0).values()
    assert list(parts_of_blocks(runs, 9).values()).count("train") == 1
    runs["training"]["blocks"][4]["n_chosen"] = 0
    parts = parts_of_blocks(runs, 1)
    assert parts["augment-training/run/block-1"] == "val"
    assert parts["augment-training/run/block-3"] == "train"


def test_frames_beyond_the_force_limit_stay_out_and_too_few_are_refused_with_numbers(dataset, new):
    frames = new()
    largest = [float((frames.forces[3 * i : 3 * i + 3] ** 2).sum(1).max() ** 0.5) for i in range(12)]
    limit = sorted(largest)[-2]
    settings = orm.Dict({**SETTINGS, "force_limit_ev_per_ang": limit + 1e-9})
    extended = extend_dataset(dataset, FramesData(frames), choice(), settings)
    assert frames.frame_ids[int(np.argmax(largest))] not in extended.frame_ids()
    with pytest.raises(
        ValueError, match=r"Only 6 new frames are to learn from, at least 7 are needed: of 12 chosen 12"
    ):
        extend_dataset(dataset, FramesData(frames), choice(), orm.Dict({**SETTINGS, "min_learned": 7}))
    with pytest.raises(ValueError, match=r"Only 0 new frames are .* and of these 12 have a force beyond 0.001"):
        extend_dataset(dataset, FramesData(frames), choice(), orm.Dict({**SETTINGS, "force_limit_ev_per_ang": 1e-3}))


def test_another_level_of_theory_and_unknown_blocks_are_refused(dataset, new, labelled):
    other = FramesData(Frames.from_atoms(list(new().iter_atoms()), settings_hash="b" * 64))
    with pytest.raises(ValueError, match="labelled with different settings"):
        extend_dataset(dataset, other, choice(), orm.Dict(SETTINGS))
    with pytest.raises(ValueError, match="does not know the block 'Li2S-9-0'"):
        extend_dataset(dataset, FramesData(labelled(1, seed=9)), choice(), orm.Dict(SETTINGS))
    with pytest.raises(ValueError, match="carry no labels"):
        extend_dataset(dataset, FramesData(new(labels="ignore")), choice(), orm.Dict(SETTINGS))


def predictions_of(frames: Frames, error: float) -> orm.ArrayData:
    """Return predictions as the parser of seireact-train makes them, forces off by ``error`` in x."""
    node = orm.ArrayData()
    node.set_array("n_atoms", frames.n_atoms)
    node.set_array("config_type", frames.config_type)
    node.set_array("frame_ids", np.array(frames.frame_ids))
    for kind, off in (("reference", 0.0), ("predicted", error)):
        node.set_array(f"energy_{kind}", (frames.energy + off) / frames.n_atoms)
        node.set_array(f"forces_{kind}", frames.forces + np.array([off, 0.0, 0.0]))
        node.set_array(f"stress_{kind}", frames.stress + off)
    return node


def test_errors_of_held_out_and_of_old_frames_are_told_apart(dataset, new):
    labelled = FramesData(new()).store()
    # The frame with the largest force stays out.
    limit = float(np.linalg.norm(labelled.frames.forces, axis=1).max()) - 1e-6
    settings = {**SETTINGS, "force_limit_ev_per_ang": limit}
    extended = extend_dataset(dataset, labelled, choice(13), orm.Dict(settings))
    test = extended.frames("test")
    off = {"before": 0.3, "after": 0.1}
    facts = {"n_atoms": 3, "species": ["Li", "S"], "timestep_fs": 2.0, "steps": 40, "steps_asked": 60}
    chunk = {"file": "a", "sha256": "0", "bytes": 1, "first_step": 0, "last_step": 40}
    run = TrajectoryData({}, manifest=[chunk], facts={**facts, "stopped_by": {"message": "volume"}})
    told = summarise_augmentation(
        dataset,
        extended,
        labelled,
        choice(13),
        predictions_of(test, off["after"]),
        predictions_of(test, off["before"]),
        run_training=run,
    ).get_dict()

    assert (told["n_chosen"], told["n_labelled"], told["n_dropped"]) == (13, 12, 1)
    assert told["n_learned"] + told["n_val"] + told["n_held_out"] + told["n_dropped"] == 12
    mine = told["runs"]["training"]
    assert {key: told[key] for key in ("n_labelled", "n_learned", "n_held_out")} == {
        key: mine[key] for key in ("n_labelled", "n_learned", "n_held_out")
    }
    assert mine["stopped_by"] == {"message": "volume"}
    for name, error in off.items():
        held_out, old = told["held_out"][name], told["old_test"][name]
        assert set(held_out) == {"augment-training", "all"}
        assert set(old) == {"Li2S", "all"}
        assert held_out["all"]["n_frames"] == told["n_held_out"]
        assert old["all"]["n_frames"] == len(dataset.frame_ids("test"))
        # One of three components is off.
        assert held_out["all"]["force_rmse_ev_per_ang"] == pytest.approx(error / np.sqrt(3))
        assert held_out["all"]["energy_rmse_mev_per_atom"] == pytest.approx(1000 * error / 3)
    held_out = test.config_type == "augment-training"
    forces = test.forces[np.repeat(held_out, test.n_atoms)]
    rms = told["held_out"]["after"]["all"]["force_rms_ev_per_ang"]
    assert rms == pytest.approx(np.sqrt(np.mean(forces**2)))

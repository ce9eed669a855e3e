"""Nothing is labelled twice, a bad batch costs no good one, and the order is that of the frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import disable_caching, enable_caching
from ase import Atoms

from aiida_seireact.calculations.functions import frames as functions
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains import label
from aiida_seireact.workchains.label import LabelWorkChain
from tests.workchains.conftest import EMT_LABELS, alloy, labelled


def images(seeds: Sequence[int]) -> list[Atoms]:
    return [alloy(seed=seed) for seed in seeds]


def jobs(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    return [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]


def called(node: orm.WorkChainNode, prefix: str) -> list[orm.ProcessNode]:
    links = node.base.links.get_outgoing(link_label_filter=f"{prefix}%").all()
    return [link.node for link in sorted(links, key=lambda link: link.link_label)]


@pytest.fixture(scope="module")
def run_label(program_code) -> Callable[..., orm.WorkChainNode]:
    """Return a function that labels the alloys of these seeds by EMT, without AiiDA's cache."""
    code = program_code("label")

    def run(seeds: Sequence[int], **inputs: Any) -> orm.WorkChainNode:
        frames = inputs.pop("frames", None) or FramesData.from_ase(images(seeds))
        given = {"code": code, "parameters": orm.Dict(EMT_LABELS), **inputs}
        with disable_caching():
            _, node = run_get_node(LabelWorkChain, frames=frames, **given)
        return node

    return run


@pytest.fixture(scope="module")
def first(run_label) -> orm.WorkChainNode:
    """Return a process that labelled the alloys 0 to 4."""
    node = run_label(range(5))
    assert node.is_finished_ok, node.exit_message
    assert len(jobs(node)) == 1
    return node


def test_known_frames_are_not_computed_again(first, run_label):
    again = run_label(range(5))
    assert again.is_finished_ok, again.exit_message
    assert not jobs(again)
    assert again.outputs.frames.content_hash == first.outputs.frames.content_hash
    # The labels come from the shard by a link, not by the way.
    (taken,) = called(again, "reuse_")
    assert taken.inputs.shard_000.uuid == first.outputs.frames.uuid


def test_only_what_is_missing_is_computed_and_the_order_stays(first, run_label):
    seeds = [11, 3, 12, 0]
    node = run_label(seeds)
    (job,) = jobs(node)
    assert len(job.inputs.frames) == 2
    expected = labelled(images(seeds))
    assert node.outputs.frames.frames.structure_ids == expected.frames.structure_ids
    np.testing.assert_allclose(node.outputs.frames.frames.energy, expected.frames.energy, rtol=0, atol=1e-9)
    assert node.outputs.failures["failures"] == []


def test_a_label_taken_over_keeps_the_origin_of_its_frame(first, run_label):
    frames = images([1])
    frames[0].info.update(config_type="other", group="elsewhere", parent_id="p", md_step=7)
    node = run_label([], frames=FramesData.from_ase(frames))
    assert not jobs(node)
    found = node.outputs.frames.frames
    assert (found.config_type[0], found.group[0], found.md_step[0]) == ("other", "elsewhere", 7)
    assert found.frame_ids[0] == first.outputs.frames.frames.frame_ids[1]


def test_a_frame_given_twice_is_computed_once(run_label):
    node = run_label([20, 21, 20])
    (job,) = jobs(node)
    assert len(job.inputs.frames) == 2
    assert len(node.outputs.frames) == 3
    ids = node.outputs.frames.frames.frame_ids
    assert ids[0] == ids[2] != ids[1]


def test_other_settings_are_another_level(first, run_label, program_code):
    parameters = {**EMT_LABELS, "calculator": {"name": "emt", "kwargs": {"asap_cutoff": True}}}
    assert len(jobs(run_label(range(5), parameters=orm.Dict(parameters)))) == 1


def test_without_reuse_all_is_computed(first, run_label):
    assert len(jobs(run_label(range(5), reuse=False))) == 1


def test_a_replay_is_answered_by_the_cache(program_code):
    inputs = {"code": program_code("label"), "parameters": orm.Dict(EMT_LABELS), "batch_size": orm.Int(2)}
    with enable_caching():
        run_get_node(LabelWorkChain, frames=FramesData.from_ase(images([30, 31])), **inputs)
        _, once = run_get_node(LabelWorkChain, frames=FramesData.from_ase(images(range(29, 35))), **inputs)
        _, again = run_get_node(LabelWorkChain, frames=FramesData.from_ase(images(range(29, 35))), **inputs)
    assert len(jobs(once)) == len(jobs(again)) == 2
    assert len(called(again, "reuse_")) == 1
    made = [node for node in again.called_descendants if not isinstance(node, orm.WorkflowNode)]
    assert len(made) == len([node for node in once.called_descendants if not isinstance(node, orm.WorkflowNode)])
    assert all(node.base.caching.is_created_from_cache for node in made)
    assert again.outputs.frames.content_hash == once.outputs.frames.content_hash


def test_a_tree_of_batches_gives_the_frames_in_order(run_label, monkeypatch):
    for module in (label, functions):
        monkeypatch.setattr(module, "MAX_BATCHES", 2)
    seeds = list(range(40, 47))
    node = run_label(seeds, batch_size=orm.Int(2), max_parallel=1)
    assert node.is_finished_ok, node.exit_message
    # Four batches of two at most, two at a time.
    assert [child.process_label for child in called(node, "batch_")] == ["LabelWorkChain"] * 2
    assert [len(job.inputs.frames) for job in jobs(node)] == [2, 2, 2, 1]
    assert node.outputs.frames.frames.structure_ids == FramesData.from_ase(images(seeds)).frames.structure_ids


def test_a_batch_that_fails_costs_no_other(run_label, moody_labeller):
    # The first two frames, a batch of their own, have less than the volume of the others.
    frames = [alloy(0.9, seed=1), alloy(0.9, seed=2), alloy(1.0, seed=3), alloy(1.0, seed=4)]
    moody = moody_labeller("atoms.get_volume() < 97")
    node = run_label(
        [],
        frames=FramesData.from_ase(frames),
        parameters=orm.Dict(moody["parameters"]),
        batch_size=orm.Int(2),
        code=moody["code"],
    )
    assert node.exit_status == 440
    assert "1 of 2 batches" in node.exit_message
    assert "the electrons did not converge" in node.exit_message
    assert node.outputs.frames.frames.structure_ids == FramesData.from_ase(frames[2:]).frames.structure_ids


def test_settings_the_engine_refuses_are_refused_at_submission(program_code):
    # Not by `run_label`: aiida-core 2.9.4 leaves caching off where an error passes through `disable_caching`.
    parameters = orm.Dict({"task": "label", "calculator": {"name": "emt"}, "nonsense": 1})
    with pytest.raises(ValueError, match="parameters: These parameters don't fit"):
        run_get_node(
            LabelWorkChain, frames=FramesData.from_ase(images([0])), code=program_code("label"), parameters=parameters
        )

"""MD of the labeller as a workflow: labelled frames that know their run and block."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd import AimdWorkChain
from tests.workchains.conftest import alloy

MD = {"steps": 60, "temperature_k": 400.0, "label_every": 5, "block_steps": 20, "gap_steps": 10}


def test_each_start_gives_frames_in_blocks(program_code: Callable[..., orm.InstalledCode]) -> None:
    starts = FramesData.from_ase([alloy(), alloy(1.05, seed=1)])
    overrides = {"parameters": {"calculator": {"name": "emt"}, "md": MD}}
    builder = AimdWorkChain.get_builder_from_protocol(starts, program_code("label"), overrides=overrides)
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.frames.frames
    reports = node.outputs.failures["reports"]
    # Blocks of 20 steps with gaps of 10: steps 5 to 15, 30 to 45 and 60 of each run.
    assert [report["n_frames"] for report in reports] == [8, 8]
    assert frames.md_step.tolist() == 2 * [5, 10, 15, 30, 35, 40, 45, 60]
    assert set(frames.config_type.tolist()) == {"alloy"}
    assert set(frames.parent_id.tolist()) == set(starts.frames.frame_ids)
    assert len(set(frames.group.tolist())) == 6
    assert frames.has_stress


def test_another_task_is_refused(program_code: Callable[..., orm.InstalledCode]) -> None:
    builder = AimdWorkChain.get_builder_from_protocol(
        FramesData.from_ase([alloy()]), program_code("label"), overrides={"parameters": {"calculator": {"name": "emt"}}}
    )
    builder.parameters = orm.Dict({**builder.parameters.get_dict(), "task": "relax"})
    with pytest.raises(ValueError, match="seireact.aimd runs MD: set the task to 'md', not 'relax'"):
        run_get_node(builder)


@pytest.mark.parametrize(
    ("calculator", "sentence"),
    [
        ({"name": "nequip", "allow_import": True}, "needs the input `potential`"),
        ({"name": "nequip", "allow_import": True, "kwargs": {"model": "/m.nequip.pt2"}}, "and model_hash"),
    ],
)
def test_a_model_known_by_its_path_only_is_refused(
    program_code: Callable[..., orm.InstalledCode], calculator: dict, sentence: str
) -> None:
    builder = AimdWorkChain.get_builder_from_protocol(
        FramesData.from_ase([alloy()]), program_code("label"), overrides={"parameters": {"calculator": calculator}}
    )
    with pytest.raises(ValueError, match=sentence):
        run_get_node(builder)

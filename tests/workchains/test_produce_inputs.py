"""What ``seireact.produce`` refuses before it is submitted."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.science.structures import crystal
from aiida_seireact.workchains.produce import ProduceWorkChain, validate_start
from aiida_seireact.workchains.start import StartWorkChain


def test_a_safe_start_of_a_cell_that_no_frame_holds_is_refused():
    message = validate_start({"start": {"parameters": object()}, "cell": {"folder": object()}})
    assert message is not None
    assert "leave `start` out, or give the cell as `structure`" in message
    assert message == ProduceWorkChain.spec().inputs.validator(
        {"start": {"parameters": object()}, "cell": {"folder": object()}}, None
    )


def test_either_alone_is_not(aiida_profile: Any) -> None:
    start = {"parameters": orm.Dict(StartWorkChain.get_protocol_inputs()["parameters"])}
    assert validate_start({"start": start, "structure": FramesData.from_ase([crystal("LiCl")])}) is None
    assert validate_start({"start": {}, "cell": {"folder": object()}}) is None

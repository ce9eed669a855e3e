"""What ``seireact.produce`` refuses before it is submitted."""

from __future__ import annotations

from aiida_seireact.workchains.produce import ProduceWorkChain, validate_start_of_frame


def test_a_safe_start_of_a_cell_that_no_frame_holds_is_refused():
    message = validate_start_of_frame({"start": {"parameters": object()}, "cell": {"folder": object()}})
    assert message is not None
    assert "leave `start` out, or give the cell as `structure`" in message
    assert message == ProduceWorkChain.spec().inputs.validator(
        {"start": {"parameters": object()}, "cell": {"folder": object()}}, None
    )


def test_either_alone_is_not():
    assert validate_start_of_frame({"start": {"parameters": object()}, "structure": object()}) is None
    assert validate_start_of_frame({"start": {}, "cell": {"folder": object()}}) is None

"""What ``seireact.produce`` refuses before it is submitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.science.structures import crystal
from aiida_seireact.workchains.produce import ProduceWorkChain, validate_start
from aiida_seireact.workchains.produce_chain import validate_previous
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


def test_a_run_is_not_gone_on_with_other_output(aiida_profile: Any) -> None:
    before = TrajectoryData(
        {"step": np.array([0.0, 10.0])},
        facts={
            **{"n_atoms": 2, "species": ["Li"], "timestep_fs": 2.0, "steps": 10, "dump_every": 50},
            "dumps": {"li": []},
            "last_step": 10,
        },
    )
    restart = RestartData({"step": 10})
    for md, sentence in (
        ({"dump_every": 50}, "has md.dumps ['li'], you ask for []"),
        ({"dump_every": 20, "dumps": {"li": {}}}, "has md.dump_every 50, you ask for 20"),
        ({"dumps": {"li": {}}, "computes": {"m": {"kind": "msd"}}}, "has md.computes [], you ask for ['m']"),
    ):
        given = {"previous": {"trajectory": before, "restart": restart}, "parameters": orm.Dict({"md": md})}
        assert sentence in str(validate_previous(given))
    given["parameters"] = orm.Dict({"md": {"dumps": {"li": {}}}})
    assert validate_previous(given) is None

"""What ``seireact.produce`` refuses before it is submitted."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.monitors import FRAMES_ATOMS_MAX, HUNG_MINUTES
from aiida_seireact.calculations.native_lammps import validate_devices
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.science.run_health import HealthLimits
from aiida_seireact.science.structures import crystal
from aiida_seireact.workchains.produce import ProduceWorkChain, validate_start
from aiida_seireact.workchains.produce_chain import builder_to_extend, validate_previous, validate_verdict
from aiida_seireact.workchains.start import StartWorkChain
from tests.verdicts import stored_verdict, verdict_on


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


class Outputs(SimpleNamespace):
    """Outputs of a run: by name, and asked whether they are there."""

    def __contains__(self, name: str) -> bool:
        return name in ("trajectory", "restart")

    def __getitem__(self, name: str) -> Any:
        return None


def extended(done: int, steps: int) -> dict[str, Any]:
    """The ``md`` of the extension of a ramp from 300 to 600 K over 100 steps that came to ``done``."""
    md = {"steps": 100, "temperature_k": 300.0, "temperature_end_k": 600.0}
    trajectory = SimpleNamespace(base=SimpleNamespace(attributes={"stopped_by": None}))
    run = SimpleNamespace(
        pk=7,
        outputs=Outputs(trajectory=trajectory, restart=SimpleNamespace(step=done)),
        inputs=SimpleDict(parameters=orm.Dict({"md": md})),
    )
    process = SimpleNamespace(get_builder=lambda: SimpleNamespace(previous=SimpleNamespace()))
    return dict(builder_to_extend(process, run, steps, None).parameters.get_dict()["md"])


class SimpleDict(SimpleNamespace):
    """Inputs of a run."""

    def __contains__(self, name: str) -> bool:
        return name in vars(self)


def test_the_extension_of_a_ramp_holds_its_end(aiida_profile: Any) -> None:
    assert extended(100, 200) == {"steps": 200, "temperature_k": 600.0, "temperature_end_k": None}
    assert extended(50, 100) == {"steps": 100, "temperature_k": 300.0, "temperature_end_k": 600.0}
    with pytest.raises(ValueError, match="heats or cools until step 100 and is at 50: go on to 100 first"):
        extended(50, 200)


def test_devices_change_no_result(aiida_profile: Any) -> None:
    assert validate_devices(orm.Dict({"arguments": ["-screen", "none"]}), None) is None
    assert "-var changes what is computed" in str(validate_devices(orm.Dict({"arguments": ["-var", "x", "1"]}), None))
    assert "devices don't fit: gpus" in str(validate_devices(orm.Dict({"gpus": 4}), None))


def test_a_rejected_model_is_refused_unless_somebody_says_so(aiida_profile: Any) -> None:
    potential = SimpleNamespace(card={"model_hash": "m" * 64})

    def told(value: float, **inputs: Any) -> str | None:
        return validate_verdict({"verdict": orm.Dict(verdict_on("m" * 64, value)), "potential": potential, **inputs})

    assert told(3.0) is None
    assert str(told(331.0)).startswith(
        "This model was rejected by the scorecard toy: Li3P: the energy RMSE is 331 meV/atom, allowed: at most 5 meV"
    )
    assert told(331.0, accept_rejected=orm.Bool(True)) is None
    other = SimpleNamespace(card={"model_hash": "n" * 64})
    assert "This verdict is on model mmmmmmmmmmmm" in str(told(3.0, potential=other))


def test_a_verdict_that_no_validation_has_made_is_refused(aiida_profile: Any) -> None:
    inputs = {"potential": SimpleNamespace(card={"model_hash": "m" * 64})}
    by_hand = orm.Dict(verdict_on("m" * 64, 3.0)).store()
    assert f"Node <{by_hand.pk}> was written by hand" in str(validate_verdict({"verdict": by_hand, **inputs}))
    assert validate_verdict({"verdict": stored_verdict("m" * 64, 3.0), **inputs}) is None
    wrong = verdict_on("m" * 64, 331.0)
    wrong["lines"][0]["passed"], wrong["decision"] = True, "production"
    told = str(validate_verdict({"verdict": orm.Dict(wrong), **inputs}))
    assert "line products is said to pass, but it is too large" in told


def test_the_limits_of_the_monitor_are_inputs_in_numbers() -> None:
    health = ProduceWorkChain.get_protocol_inputs("long")["monitors"]["health"]["kwargs"]
    limits = {item.name: item.default for item in fields(HealthLimits) if item.name != "rule"}
    assert health == {**limits, "frames_atoms_max": FRAMES_ATOMS_MAX, "hung_minutes": HUNG_MINUTES}

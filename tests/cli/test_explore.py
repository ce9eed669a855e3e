"""Exploration from the command line: what it would do and cost, what is refused, and one for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.build import bulk
from ase.io import write
from click.testing import CliRunner, Result

from aiida_seireact.cli.conditions import ConditionNow
from aiida_seireact.cli.explore import so_far
from aiida_seireact.cli.explore_plan import between, climbing, expect
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.explore import ConditionSettings
from aiida_seireact.workchains.explore import ExploreWorkChain
from tests.workchains.conftest import EMT_LABELS, HOT, alloy, labelled, program_code, strained, this_machine

__all__ = ["program_code", "this_machine"]

ONE = {"system": "alloy", "seeds": {"types": ["alloy"], "count": 5}, "campaign": {"max_legs": 2}, "leg": HOT}
OWN = {
    "label": EMT_LABELS,
    "conditions": {
        "interface_300": None, "interface_600": None, "Li6PS5Cl_300": None,
        "hot": ONE, "warm": {**ONE, "leg": {**HOT, "temperature_k": 300.0, "seed": 1}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def first(this_machine: orm.Computer) -> FramesData:
    """Return labelled frames of the alloy, of copper and of lithium's name."""
    images = strained(3)
    images[1].info["config_type"] = "Li6PS5Cl"
    images[2].info["config_type"] = "Li"
    return labelled([*strained(6), *images]).store()


@pytest.fixture
def call(first: FramesData, program_code: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that calls the command; what it submits runs in this process."""
    monkeypatch.chdir(tmp_path)
    write("cell.extxyz", alloy(rattle_ang=0.0))
    write("Li.cif", bulk("Li", "bcc", a=3.42, cubic=True).repeat(3))
    Path("own.yaml").write_text(yaml.safe_dump(OWN))
    codes = {name: program_code(name) for name in ("flare", "label")}
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])
    profile = get_manager().get_profile().name

    def run(*arguments: object, labelled: object = first.pk) -> Result:
        chosen = ["--code", codes["flare"].uuid, "--label-code", codes["label"].uuid]
        given = ["--labelled", str(labelled), *map(str, arguments), *chosen]
        return CliRunner().invoke(cli, ["-p", profile, "explore", *given])

    return run


ALLOY = ("--system", "alloy=cell.extxyz", "--overrides", "own.yaml")


# ------------------------------------------------------------------ the plan
def test_a_dry_run_tells_conditions_ladder_labels_and_hours(call):
    told = call(*ALLOY, "--ladder", "--label-hours", 0.5, "--dry-run")
    assert told.exit_code == 0, told.output
    text = " ".join(told.output.split())
    assert "2 conditions, from 9 labelled frames on; MD by seireact-flare@" in text
    assert "hot alloy, 8 atoms NVT 900 K 0.00012 2 13 to 14 5.3e-05" in text
    assert "At once, side by side: warm hot: only after warm was stable" in text
    assert "In all 26 to 28 labels, 0.00011 CPU-hours of MD, 13 to 14 of labels" in text
    assert "Assumed: 0.4 ms an atom and step" in text
    assert "None of them may fail" in text
    assert "Nothing was submitted" in text


def test_conditions_are_picked_and_those_without_a_cell_left_out(call):
    told = call("--system", "Li=Li.cif", "--protocol", "paper", "--dry-run")
    assert told.exit_code == 1
    assert "learns first from frames of type Li-expanded, but labelled are" in told.output
    assert "Left out: 30 conditions of Li6PS5Cl, interface, since no such cell is given." in told.output
    told = call(*ALLOY, "--condition", "warm", "--max-failed", 1, "--dry-run")
    assert "1 conditions, from" in told.output
    assert "hot " not in told.output
    assert "1 of them may fail" in told.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--system", "cell.extxyz"), "has no name: say NAME=FILE"),
        (("--system", "alloy=nowhere.cif"), "There is no file nowhere.cif"),
        (("--system", "alloy=cell.extxyz"), "is of the cell 'interface': give it"),
        ((*ALLOY, "--condition", "cold"), "There is no condition 'cold'; there is hot, warm"),
        ((*ALLOY, "--protocol", "slow"), "There is no protocol 'slow'"),
        (("--system", "Li=cell.extxyz", "--protocol", "paper"), "explores 'Li' in 54 atoms, the cell given has 8"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_queue(call, arguments, message):
    told = call(*arguments, "--dry-run")
    assert told.exit_code == 1
    assert message in " ".join(told.output.split())


def test_another_node_than_labelled_frames_is_named(call):
    assert "--labelled takes labelled frames" in call(*ALLOY, labelled=orm.Int(1).store().pk).output


def test_a_walltime_makes_legs_pause_before_it(call, monkeypatch):
    seen: list[Any] = []
    monkeypatch.setattr("aiida_seireact.cli.explore.tell_plan", lambda builder, hours: seen.append(builder))
    assert call(*ALLOY, "--walltime", 10, "--queue", "gpu", "--dry-run").exit_code == 0
    (builder,) = seen
    assert builder.conditions["hot"]["leg"]["seconds_max"] == 0.85 * 36000
    assert builder.options["max_wallclock_seconds"] == 36000
    assert builder.options["queue_name"] == "gpu"
    assert builder.systems["alloy"].frames.config_type.tolist() == ["alloy"]


def test_overrides_win_over_walltime_and_ladder(call, monkeypatch):
    conditions = {
        **OWN["conditions"],
        "warm": {**OWN["conditions"]["warm"], "leg": {**OWN["conditions"]["warm"]["leg"], "seconds_max": 60.0}},
        "hot": {**ONE, "after": None},
    }
    Path("own.yaml").write_text(yaml.safe_dump({**OWN, "conditions": conditions}))
    seen: list[Any] = []
    monkeypatch.setattr("aiida_seireact.cli.explore.tell_plan", lambda builder, hours: seen.append(builder))
    assert call(*ALLOY, "--walltime", 10, "--ladder", "--dry-run").exit_code == 0
    told = {name: node.get_dict() for name, node in seen[0].conditions.items()}
    assert told["warm"]["leg"]["seconds_max"] == 60.0
    assert told["hot"]["leg"]["seconds_max"] == 0.85 * 36000
    assert told["hot"]["after"] is None


# ------------------------------------------------------------------ the estimate
def test_the_estimate_is_that_of_the_paper_within_the_budget():
    given = ExploreWorkChain.get_protocol_inputs("paper")["conditions"]["Li6PS5Cl_300K"]
    found = expect(ConditionSettings.model_validate(given), 52)
    assert found.labels == (30, 100)
    assert found.md_hours == pytest.approx(1e6 * 52 * 4e-4 / 3600)
    capped = {**given, "campaign": {"max_legs": 50, "max_labels": 20}}
    assert expect(ConditionSettings.model_validate(capped), 52).labels == (20, 20)
    assert (between((20, 20)), between((30, 1000))) == ("20", "30 to 1,000")


def test_a_ladder_climbs_in_temperature_among_what_is_else_alike():
    conditions = ExploreWorkChain.get_protocol_inputs("paper")["conditions"]
    after = climbing({name: conditions[name] for name in conditions if name.startswith("Li_")})
    assert after["Li_200K"] == {"after": "Li_100K"}
    assert after["Li_2000K"] == {"after": "Li_800K"}
    assert not {"Li_100K", "Li_5GPa", "Li_10percent"} & set(after)


def test_equal_temperatures_do_not_wait_for_each_other():
    at = {"cold_a": 300.0, "cold_b": 300.0, "hot_a": 600.0, "hot_b": 600.0}
    after = climbing({name: {**ONE, "leg": {**HOT, "temperature_k": kelvin}} for name, kelvin in at.items()})
    assert after == {"hot_a": {"after": "cold_a"}, "hot_b": {"after": "cold_a"}}


def test_progress_of_many_conditions_is_counted():
    one = ConditionNow(name="Li_300", state="running", n_legs=2, step=40, steps=60, n_calls=1)
    assert so_far([one], 7) == "Li_300: running, step 40 of 60 after 2 legs, 1 ended by a call for a label"
    assert so_far([one] * 5, 7) == "5 conditions begun: 5 running; 10 legs, 5 calls, 7 frames labelled"


# ------------------------------------------------------------------ for real
@pytest.mark.slow
def test_an_exploration_is_followed_to_its_verdict(call):
    told = call(*ALLOY, "--condition", "hot", "--follow")
    assert told.exit_code == 0, told.output
    assert "Submitted ExploreWorkChain" in told.output
    assert "hot [" in told.output
    assert "2 legs" in told.output
    assert "Together: " in told.output
    assert "frames: FramesData <" in told.output

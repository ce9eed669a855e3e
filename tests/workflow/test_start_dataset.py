"""A study that begins with the dataset of another one, and is held up by the verdict on its start."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import submit

from tests.workflow.conftest import describe, wait_for

pytestmark = pytest.mark.workflow

# No volume is so constant: the start runs well and is refused.
START = {
    "parameters": {
        "height": {"iterations": 2},
        "minimise": {"iterations": 5},
        "limited": {"steps": 5},
        "ramp_steps": 20,
        "hold_steps": 50,
    },
    "limits": {"volume_ratio_min": 0.9999999, "volume_ratio_max": 1.0000001},
}


@pytest.fixture(scope="module")
def stopped(finished_loop, small_loop) -> orm.WorkChainNode:
    """Return a study of the dataset from which the small loop trained first; most of it is in the cache."""
    builder = small_loop(
        explore=None,
        augment=None,
        close_loop=None,
        labeller_md={"interface_600": None},
        # The labeller has made this run for the small loop.
        references={"phases": ["Li6PS5Cl"]},
        start=START,
    )
    builder.start_dataset = finished_loop.outputs.first.dataset
    return wait_for(submit(builder))


def test_nothing_is_relaxed_drawn_or_labelled(stopped):
    calls = stopped.base.links.get_outgoing(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK))
    called = set(calls.all_link_labels())
    assert not called & {"sample", "label", "explore", "dataset"}
    assert stopped.outputs.dataset.uuid == stopped.inputs.start_dataset.uuid
    assert stopped.outputs.label_failures["failures"] == []


def test_it_trains_as_the_study_did_whose_dataset_it_has(stopped, finished_loop):
    assert stopped.outputs.potential.model_hash == finished_loop.outputs.first.potential.model_hash


def test_the_verdict_on_the_start_ends_it_before_the_long_run(stopped):
    assert stopped.exit_status == 510, describe(stopped)
    assert stopped.exit_message.startswith("No safe start for a long run: Mean volume is")
    assert not stopped.outputs.start.verdict["passed"]
    assert "trajectory" not in stopped.outputs

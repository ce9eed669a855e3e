"""Whatever is killed, the demo called again ends with the same dataset and the same model.

A second loop beside that of the other tests: too long for each change.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from aiida import orm

from tests.workflow.storm import load_chaos

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

NOTICED_WITHIN_SECONDS = 60.0


def test_same_dataset_and_model_after_each_kill(finished_loop: orm.WorkChainNode, storm: Future[Any]) -> None:
    """The run without kills is the one of the other tests, in another profile: nothing comes from its cache."""
    chaos = load_chaos()
    end = storm.result(timeout=2700)

    told = "\n".join([chaos.table(end), *end.demo.lines[-60:]])
    assert end.demo.status == 0, told
    assert not end.skipped, told
    assert {event.target for event in end.kills} == set(chaos.TARGETS), told
    (broker,) = [event for event in end.kills if event.target == chaos.BROKER]
    assert "the watch of the demo" in broker.noticed, told
    assert broker.noticed_after is not None
    assert broker.noticed_after < NOTICED_WITHIN_SECONDS, told
    assert end.left_over == [], told

    summary = end.demo.summary()
    assert summary["dataset_hash"] == finished_loop.outputs.dataset.content_hash, told
    assert summary["model_hash"] == finished_loop.outputs.potential.model_hash, told

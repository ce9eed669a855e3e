"""Whatever is killed, the demo called again ends with the same dataset and the same model."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from aiida import orm

from tests.workflow.loop import SMALL

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
NOTICED_WITHIN_SECONDS = 60.0


@pytest.fixture(scope="module")
def chaos() -> ModuleType:
    """Return tools/chaos.py as a module."""
    spec = importlib.util.spec_from_file_location("chaos", ROOT / "tools" / "chaos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules["chaos"] = module
    spec.loader.exec_module(module)
    return module


def test_same_dataset_and_model_after_each_kill(
    finished_loop: orm.WorkChainNode, chaos: ModuleType, tmp_path: Path
) -> None:
    """The run without kills is the one of the other tests, in another profile: nothing comes from its cache."""
    overrides = tmp_path / "small.yaml"
    overrides.write_text(yaml.safe_dump(SMALL))
    demo = chaos.Demo(tmp_path / "demo", ["--overrides", str(overrides)])
    storm = chaos.Storm(demo)
    try:
        chaos.storm(storm, chaos.TARGETS, random.Random(1), pause=(2.0, 6.0))
        left_over = demo.left_over()
    finally:
        demo.end()

    told = "\n".join([chaos.table(storm), *demo.lines[-60:]])
    assert demo.status == 0, told
    assert not storm.skipped, told
    assert {event.target for event in storm.kills} == set(chaos.TARGETS), told
    (broker,) = [event for event in storm.kills if event.target == chaos.BROKER]
    assert "the watch of the demo" in broker.noticed, told
    assert broker.noticed_after is not None
    assert broker.noticed_after < NOTICED_WITHIN_SECONDS, told
    assert left_over == [], told

    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["dataset_hash"] == finished_loop.outputs.dataset.content_hash, told
    assert summary["model_hash"] == finished_loop.outputs.potential.model_hash, told

"""The run whose parts are killed, under way while other tests run: a run alone leaves a core half the time."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from tests.workflow.loop import SMALL

ROOT = Path(__file__).parents[2]


def load_chaos() -> ModuleType:
    """Return tools/chaos.py as a module."""
    spec = importlib.util.spec_from_file_location("chaos", ROOT / "tools" / "chaos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up.
    sys.modules["chaos"] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def under_way(folder: Path) -> Iterator[Future[Any]]:
    """Start the small loop by the command of the demo, kill each target once, and give the `Storm` to come.

    Its ``left_over`` are the processes of the folder that live when the demo is done.
    """
    chaos = load_chaos()
    overrides = folder / "small.yaml"
    overrides.write_text(yaml.safe_dump(SMALL))
    demo = chaos.Demo(folder / "demo", ["--overrides", str(overrides)])

    def run() -> Any:
        storm = chaos.Storm(demo)
        chaos.storm(storm, chaos.TARGETS, random.Random(1), pause=(2.0, 6.0))
        storm.left_over = demo.left_over()
        return storm

    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run)
        try:
            yield future
        finally:
            demo.end()

from __future__ import annotations

from typing import Any

import pytest

from .graphs import Finished, finished_study


@pytest.fixture(scope="module")
def study(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory, six_frames: Any) -> Finished:
    """Return a finished study. Only read it."""
    return finished_study(six_frames, tmp_path_factory.mktemp("study"))

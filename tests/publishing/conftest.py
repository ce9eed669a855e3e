from __future__ import annotations

from typing import Any

import pytest

from .fixtures import Published
from .graphs import Finished, finished_study


@pytest.fixture(scope="module")
def study(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory, six_frames: Any) -> Finished:
    """Return a finished study. Only read it."""
    return finished_study(six_frames, tmp_path_factory.mktemp("study"))


@pytest.fixture
def imported(published: Published, aiida_profile_clean: Any) -> Published:
    """Return the bundle of the session, with its archive in a profile that holds nothing else.

    Where another computer of that name is, AiiDA gives that of the archive another one, and costs are told by computer.
    """
    from aiida_seireact.publishing.importing import import_whole

    import_whole(published.folder / "archive.aiida")
    return published

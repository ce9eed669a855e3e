"""What pages that run MD are executed with: the small model of the session, and seireact-lmp."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_seireact.data.potential import PotentialData
from tests.models import compiled_card
from tests.programs.conftest import SPECIES


@pytest.fixture
def potential(aiida_profile_clean: Any, trained: Any, compiled: dict[str, Any]) -> PotentialData:
    return PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()


@pytest.fixture
def code(potential: PotentialData, aiida_localhost: orm.Computer) -> orm.InstalledCode:
    aiida_localhost.set_minimum_job_poll_interval(0)
    path = str(Path(sys.executable).parent / "seireact-lmp")
    return orm.InstalledCode(
        label="seireact-lmp-docs",
        computer=aiida_localhost,
        filepath_executable=path,
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()

"""A table of the health of a run: what was measured of each frame, and nothing where nothing was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact import query

from .graph import arrays, chain, ends, job, trajectory


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """A run of 2 fs a step whose voids were looked for in every other frame, and an analysis of it that failed."""
    top = chain("ReactWorkChain")
    run = trajectory([0, 500, 1000]).store()
    found = arrays(
        steps=[0, 500, 1000], smallest_distance_ang=[2.0, 1.9, 1.8], largest_hole_ang=[np.nan, 3.0, 4.0],
        void_steps=[0, 1000], void_volume_ang3=[0.0, 12.5],
    )  # fmt: skip
    ends(job("seireact.analyse", top, "analyse", trajectory=run), analysis_arrays=found)
    ends(job("seireact.analyse", top, "analyse_broken", trajectory=run), 400, analysis_arrays=found.clone())
    return top


def test_health_leaves_out_frames_without_a_number(study: orm.WorkChainNode) -> None:
    found = query.health(study)
    by_quantity = {name: rows["value"].tolist() for name, rows in found.groupby("quantity", sort=False)}
    assert by_quantity == {"smallest distance": [2.0, 1.9, 1.8], "largest hole": [3.0, 4.0], "voids": [0.0, 12.5]}
    assert found.query("quantity == 'voids'")["time_ps"].tolist() == [0.0, 2.0]
    assert found.query("quantity == 'largest hole'")["step"].tolist() == [500, 1000]
    assert found.drop_duplicates("quantity")["unit"].tolist() == ["Å", "Å", "Å³"]


def test_a_run_that_nobody_looked_at_has_an_empty_table_with_its_columns(aiida_profile: Any) -> None:
    found = query.health(chain("ReactWorkChain"))
    assert found.empty
    assert {"quantity", "unit", "value", "node_uuid"} < set(found.columns)

"""Small graphs for figures: those of the queries' tests, and runs that differ by size, seed or coating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiida import orm

from tests.query.graph import MD, arrays, chain, ends, function, job, potential, trajectory
from tests.query.test_analyses import study as analysed  # noqa: F401
from tests.query.test_energies import study as energies  # noqa: F401
from tests.query.test_interphase import study as interphase  # noqa: F401
from tests.query.test_labelling import study as labels  # noqa: F401
from tests.query.test_learning import study as explored  # noqa: F401
from tests.query.test_md import study as moved  # noqa: F401
from tests.query.test_training import study as trained  # noqa: F401

BARE = [{"phase": "Li6PS5Cl"}, {"phase": "Li"}]
COATED = [{"phase": "Li6PS5Cl"}, {"phase": "Li2S"}, {"phase": "Li"}, {"phase": "Li2S"}]
STEPS = [0, 50, 100]


def run_of(
    label: str, intact: Sequence[int], *, n_atoms: int = 10, seed: int = 1, slabs: Sequence[dict[str, str]] = BARE
) -> orm.WorkChainNode:
    """Return a finished study: a cell from a recipe, a run of it, and how many PS4 were intact at 0, 100 and 200 fs."""
    top = chain("ReactWorkChain")
    top.label = label
    built = function("build_cell", top, "structures", recipe=orm.Dict({"slabs": list(slabs)}))
    cell = ends(built, frames=orm.Dict({"cell": label}))
    parameters = orm.Dict({"md": {**MD, "velocity_seed": seed}})
    lammps = job("seireact.lammps", top, "produce", potential=potential("a"), parameters=parameters, structure=cell)
    facts = {"content_hash": f"{label}-{seed}"}
    ran = ends(lammps, trajectory=trajectory(STEPS, n_atoms=n_atoms, **facts))
    analyse = job("seireact.analyse", top, "analyse", trajectory=ran)
    found = arrays(steps=STEPS, n_intact_ps4=list(intact))
    ends(analyse, analysis=orm.Dict({"n_p": 8}), analysis_arrays=found)
    ends(top)
    return top


@pytest.fixture(scope="module")
def runs(aiida_profile: Any) -> dict[str, orm.WorkChainNode]:
    """Runs by name: two seeds of a small cell, a large one, a small coated one."""
    return {
        "small": run_of("small", [8, 4, 2]),
        "again": run_of("again", [8, 6, 6], seed=2),
        "large": run_of("large", [8, 8, 7], n_atoms=400),
        "coated": run_of("coated", [8, 8, 8], slabs=COATED),
    }

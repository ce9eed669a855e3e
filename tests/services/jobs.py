"""Cheap real jobs of our programs."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida.plugins import CalculationFactory, WorkflowFactory
from ase.build import bulk

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import find_code

ONE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}


def small_cell(computer: str, seed: int = 0, **options: Any) -> ProcessBuilder:
    """Return a `seireact-build` of a hundred atoms, a second of work."""
    builder = CalculationFactory("seireact.build").get_builder()
    builder.code = find_code("build", computer)
    builder.recipe = orm.Dict(
        {
            "phases": {"Li2S": {"name": "Li2S"}, "Li": {"name": "Li", "lattice": {"a": 3.42}}},
            "slabs": [
                {"phase": "Li2S", "hkl": [1, 0, 0], "matrix": [[1, 0], [0, 1]], "layers": 4},
                {"phase": "Li", "hkl": [1, 0, 0], "matrix": [[1, 0], [0, 1]], "layers": 6},
            ],
            "lattice_of": "Li2S",
            "seed": seed,
        }
    )
    builder.metadata.options = {"resources": ONE, **options}
    return builder


def small_sample() -> ProcessBuilder:
    """Return a `seireact.sample` of two jobs, one after the other: copper is relaxed, then strained and rattled."""
    cell = bulk("Cu", a=3.7, cubic=True)
    cell.info.update(config_type="Cu", group="cell/Cu")
    return WorkflowFactory("seireact.sample").get_builder_from_protocol(
        FramesData.from_ase([cell]),
        overrides={
            "plan": {"seed": 1, "classes": [{"kind": "bulk", "of": "Cu", "count": 4, "max_atoms": 8}]},
            "calculator": "emt",
        },
    )


def endless_md(computer: str, **options: Any) -> ProcessBuilder:
    """Return an MD by `seireact-label` that no wall time of a test is enough for."""
    builder = CalculationFactory("seireact.ase").get_builder()
    builder.code = find_code("label", computer)
    builder.frames = FramesData.from_ase([bulk("Cu", cubic=True)])
    builder.parameters = orm.Dict(
        {
            "task": "md",
            "calculator": {"name": "emt"},
            "md": {
                "steps": 10_000_000,
                "temperature_k": 300,
                "label_every": 1000,
                "block_steps": 10_000_000,
                "seed": 1,
            },
        }
    )
    # It only has to last: what else runs on this machine goes first.
    options.setdefault("prepend_text", "renice -n 19 $$")
    builder.metadata.options = {"resources": ONE, **options}
    return builder

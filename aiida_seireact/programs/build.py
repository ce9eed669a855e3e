"""``seireact-build``: a recipe becomes a cell of any size, written where it will be used."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from aiida_seireact.formats import files
from aiida_seireact.formats.cell_files import NoSpace, describe, write_cell
from aiida_seireact.formats.jobs.base import DiskFull, InvalidInput
from aiida_seireact.formats.jobs.build import BuildJob
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.science.structures.plan import CellPlan

EXAMPLE = """
{"recipe": {"phases": {"SE": {"name": "Li6PS5Cl", "lattice": {"a": 9.91}},
                       "Li": {"name": "Li", "lattice": {"a": 3.42}}},
            "slabs": [{"phase": "SE", "hkl": [1, 0, 0], "in_plane": [[0, 3, 0], [0, 0, 6]], "cells": 10},
                      {"phase": "Li", "hkl": [1, 1, 0], "in_plane": [[5, -5, 5], [7, -7, -14]], "layers": 56}],
            "lattice_of": "SE", "seed": 1},
 "outputs": ["lammps"], "species": ["Li", "P", "S", "Cl"]}
"""


def run(job: BuildJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Build a cell from its recipe and write it as LAMMPS data (cell.data), as a frames file (cell.npz), or both.

    Composition and strain are known before an atom is made; the atoms are made and written block by block, so that
    three million need no more memory than a hundred thousand. The same recipe gives the same bytes on any machine.
    `report` holds, beside `match` and `targets`, the `recipe` with what was found: it builds the same cell again.
    """
    start = time.perf_counter()
    try:
        plan = planned(job)
        progress(f"{plan.n_atoms:,} atoms in {' x '.join(f'{x:,.1f}' for x in plan.report['lengths_ang'])} Å")
        facts = write_cell(
            plan,
            folder,
            job.outputs,
            name=files.CELL,
            species=job.species,
            config_type=job.recipe.config_type,
            progress=progress,
        )
    except NoSpace as error:
        raise DiskFull(str(error)) from error
    seconds, memory = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    progress(f"{facts['n_atoms']:,} atoms built and written in {seconds:.1f} s, {memory:,.0f} MB of memory")
    return {**facts, "report": plan.report}


def planned(job: BuildJob) -> CellPlan:
    """Return the plan of a recipe.

    :raises InvalidInput: a recipe that no cell follows, or types that lack an element of the cell.
    """
    try:
        plan = job.recipe.plan()
        describe(plan, job.species)
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return plan


def foretell(job: BuildJob) -> dict[str, Any]:
    """Return what a cell will be and take, without making an atom of it."""
    plan = planned(job)
    facts, sizes = describe(plan, job.species)
    return {**facts, "bytes": {output: sizes[output] for output in job.outputs}, "report": plan.report}


main = program(
    "seireact-build", BuildJob, run, packages=("ase", "numpy", "pymatgen"), example=EXAMPLE, foretell=foretell
)

"""How fast a model was, as far as jobs of the profile have measured it. A clock's numbers are in no hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida_seireact.data.potential import PotentialData


def speeds_of(potential: PotentialData) -> dict[str, str]:
    """Return what the newest job of each kind has measured, in words: the package on frames, the compiled file in MD.

    Numbers of two machines are no comparison, so each tells its own.
    """
    found = {}
    if (frames := _of_frames(potential)) is not None:
        found["single points"] = frames
    if (md := _of_md(potential)) is not None:
        found["MD"] = md
    return found


def _of_frames(potential: PotentialData) -> str | None:
    """Return the speed on single frames."""
    from aiida_seireact.calculations.validate import ValidateCalculation
    from aiida_seireact.formats import files

    for job in _jobs(potential, ValidateCalculation):
        try:
            result = json.loads(job.outputs.retrieved.base.repository.get_object_content(files.RESULT))
            timing = result["outputs"]["timing"]
        except (KeyError, FileNotFoundError, AttributeError, json.JSONDecodeError):
            continue
        if timing["seconds"]:
            return f"{timing['n_atoms'] / timing['seconds']:,.0f} atoms/s on {job.computer.label}"
    return None


def _of_md(potential: PotentialData) -> str | None:
    """Return the speed in the largest of the newest MD jobs, all its ranks and GPUs together."""
    from aiida_seireact.calculations.lammps import LammpsCalculation

    found: tuple[int, str] | None = None
    for job in _jobs(potential, LammpsCalculation):
        if not {"performance", "trajectory"} <= set(job.outputs):
            continue
        told, n_atoms = job.outputs.performance.get_dict(), job.outputs.trajectory.base.attributes.get("n_atoms")
        seconds = told.get("md_seconds") or told.get("seconds")
        work = n_atoms * (told.get("steps") or 0)
        if seconds and work > (found[0] if found else 0):
            found = work, f"{work / seconds:,.0f} atom-steps/s ({n_atoms:,} atoms) on {job.computer.label}"
    return None if found is None else found[1]


def _jobs(potential: PotentialData, kind: type) -> list[Any]:
    """Return the jobs that ended well with any file of a model, the newest first; no clone from the cache."""
    from aiida.orm import QueryBuilder

    from aiida_seireact.data.potential import PotentialData
    from aiida_seireact.query.family import came_from_cache

    query = QueryBuilder()
    query.append(PotentialData, filters={"attributes.model_hash": potential.model_hash}, tag="model")
    query.append(
        kind,
        with_incoming="model",
        edge_filters={"label": "potential"},
        filters={"attributes.exit_status": 0},
        project="*",
        tag="job",
    )
    query.order_by({"job": {"ctime": "desc"}})
    return [job for job in query.limit(20).all(flat=True) if not came_from_cache(job)]

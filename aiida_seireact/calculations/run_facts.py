"""What is known of a run that exists: how it was asked for, and by which model it was made."""

from __future__ import annotations

from typing import Any

from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.lmp import SegmentSettings


def settings_of(run: TrajectoryData) -> dict[str, Any]:
    """Return what a run was asked for, from the process that made it.

    :raises ValueError: nobody knows.
    """
    creator = run.creator
    if creator is None or "parameters" not in creator.inputs:
        raise ValueError(f"nobody knows how trajectory <{run.pk}> was run: give one that `seireact.lammps` made.")
    md = SegmentSettings.model_validate(creator.inputs.parameters.get_dict()).md
    return {
        "by": "model",
        "timestep_fs": md.timestep_fs,
        "temperature_k": max(md.temperature_k, md.temperature_end_k or 0.0),
        "pressure_gpa": md.pressure_gpa if md.ensemble == "npt" else None,
    }


def model_of(run: TrajectoryData) -> str:
    """Return the hash of the model that made a run, or all its segments.

    :raises ValueError: nobody knows, or there were several.
    """
    found = {
        segment.creator.inputs.potential.model_hash
        for segment in run._segments()
        if segment.creator is not None and "potential" in segment.creator.inputs
    }
    if len(found) != 1:
        raise ValueError(f"trajectory <{run.pk}> is of {len(found) or 'no known'} models: give a run of one.")
    return str(found.pop())

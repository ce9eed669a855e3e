"""``seireact.analyse``: quantities along a run (``seireact-analyse``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.classify import FrameChoice
from aiida_seireact.calculations.placed_labels import place_labels
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.analyse import AnalyseJob


def validate_workers(workers: orm.Int | None, _: Any) -> str | None:
    """Return a sentence where there is nobody to work."""
    return None if workers is None or workers.value >= 1 else f"There are {workers.value} workers: give 1 or more."


class AnalyseSettings(AnalyseJob):
    """What the ``parameters`` hold: the job without its files."""

    trajectory: FrameChoice = FrameChoice()  # type: ignore[assignment]


class AnalyseCalculation(ProgramCalculation):
    """A run in; what each analysis found of it out."""

    PARSER = "seireact.analyse"
    RETRIEVE_TEMPORARY = (files.ANALYSIS,)
    # The program gives the same bytes for any number of processes.
    UNHASHED = ("workers",)
    UNHASHED_OPTIONS = ("resources",)
    CACHE_VERSION = 4

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "trajectory",
            valid_type=(TrajectoryData, FramesData),
            help="The run to analyse. Frames in a node are taken for wrapped, so they have no displacements.",
        )
        spec.input(
            "labels",
            valid_type=orm.ArrayData,
            required=False,
            help="Labels of its environments by `seireact.classify`, for what is told by phase. Those of a large run "
            "lie in chunks, which are linked or copied from where they are.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(
                AnalyseSettings, labels=files.LABELS, thermo_log=files.THERMO_TABLE, timestep_fs=1.0, workers=1
            ),
            help="`trajectory`: `skip_first` and `stride` of its frames; a section for each analysis; "
            "`seireact-analyse --help` tells more.",
        )
        spec.input(
            "workers",
            valid_type=orm.Int,
            required=False,
            validator=validate_workers,
            help="Processes that read side by side; the result is the same to the cache whatever their number. Ask for "
            "as many cores: `options.resources.num_cores_per_mpiproc`.",
        )
        spec.output("analysis", valid_type=orm.Dict, help="The numbers: PS4 at start and end, thickness, extremes.")
        spec.output("analysis_arrays", valid_type=orm.ArrayData, help="Each quantity against the MD step.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        run = self.inputs.trajectory
        chunks = place_run(run, "trajectory", self.inputs.code.computer, folder, links)
        job["trajectory"] = {**job.get("trajectory", {}), "files": chunks}
        if "workers" in self.inputs:
            job["workers"] = self.inputs.workers.value
        job["timestep_fs"] = run.base.attributes.get("timestep_fs", None)
        if isinstance(run, TrajectoryData) and "step" in (thermo := run.thermo):
            job["thermo_log"] = files.THERMO_TABLE
            np.savez(folder / files.THERMO_TABLE, **thermo)
        if "labels" in self.inputs:
            job["labels"] = place_labels(self.inputs.labels, self.inputs.code.computer, folder, links)
        return job

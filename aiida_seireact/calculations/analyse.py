"""``seireact.analyse``: quantities along a run (``seireact-analyse``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.classify import FrameChoice
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.analyse import AnalyseJob


class AnalyseSettings(AnalyseJob):
    """What the ``parameters`` hold: the job without its files."""

    trajectory: FrameChoice = FrameChoice()  # type: ignore[assignment]


class AnalyseCalculation(ProgramCalculation):
    """A run in; what each analysis found of it out."""

    PARSER = "seireact.analyse"
    RETRIEVE_TEMPORARY = (files.ANALYSIS,)
    CACHE_VERSION = 2

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("trajectory", valid_type=TrajectoryData, help="The run to analyse.")
        spec.input(
            "labels",
            valid_type=orm.ArrayData,
            required=False,
            help="Labels of its environments, for the profile.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(AnalyseSettings, labels=files.LABELS, timestep_fs=1.0),
            help="`trajectory`: `skip_first` and `stride` of its frames; a section for each analysis; "
            "`seireact-analyse --help` tells more.",
        )
        spec.output("analysis", valid_type=orm.Dict, help="The numbers: PS4 at start and end, thickness, extremes.")
        spec.output("analysis_arrays", valid_type=orm.ArrayData, help="Each quantity against the MD step.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        run = self.inputs.trajectory
        chunks = place_run(run, "trajectory", self.inputs.code.computer, folder, links)
        job["trajectory"] = {**job.get("trajectory", {}), "files": chunks}
        job["timestep_fs"] = run.base.attributes.get("timestep_fs")
        if "labels" in self.inputs:
            job["labels"] = files.LABELS
            labels = self.inputs.labels
            np.savez(folder / files.LABELS, **{name: labels.get_array(name) for name in labels.get_arraynames()})
        return job

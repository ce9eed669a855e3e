"""What the engines of MD over plug-ins of other codes share beside the ports of labelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec

from aiida_seireact.science.structures import ISOLATED_ATOM
from aiida_seireact.workchains.label_engine import LabelEngine


class MdEngine(LabelEngine):
    """Runs NVT from each frame, one job a run; stands before the labelling engine of the same program.

    A run that is cut short keeps the steps it came to. It is not run again: a second job would begin with other
    velocities.
    """

    # A run is a job, and all of them are read at once when the last has ended.
    MAX_FRAMES: ClassVar[int] = 16
    WAY_OUT: ClassVar[str] = "start MD from {most} at a time"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.inputs["frames"].help = f"The structures to start from, at most {cls.MAX_FRAMES}; labels are ignored."
        spec.inputs["parameters"].help = (
            "The level of theory as for labels by the same program, and `md`; the protocols of `seireact.aimd` have "
            "examples."
        )
        spec.outputs["frames"].help = "The labelled steps of all runs, in their order; none if no step has a label."
        spec.outputs["failures"].help = (
            "`failures`: index and structure id of the start, MD step and reason, of each step without a label; "
            "`reports`: frames, steps and mean temperature of each run."
        )

    def tell(self, outputs: Mapping[str, orm.Data]) -> ExitCode | None:
        """Attach what was collected; an error if there is not one label."""
        self.out_many(outputs)
        failures, reports = outputs["failures"]["failures"], outputs["failures"]["reports"]
        for report in reports:
            self.report(f"run {report['index']}: {report['n_frames']} labelled frames of {report['steps']} MD steps")
        if failures:
            self.report(f"MD step {failures[0]['md_step']} of run {failures[0]['index']}: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=len(failures), message=failures[0]["reason"])
        return None

    @classmethod
    def complaint(cls, inputs: Mapping[str, Any], settings: Any) -> str | None:
        """Refuse atoms that stand alone, beside what the labelling engine refuses."""
        frames = inputs["frames"].frames
        lone = (frames.n_atoms < 2) | (frames.config_type == ISOLATED_ATOM)
        if lone.any():
            return f"Frame {int(lone.argmax())} is one atom, whose centre of mass is at rest: repeat its cell."
        return super().complaint(inputs, settings)

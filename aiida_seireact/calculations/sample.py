"""``seireact.sample``: the frames of a plan, those worth a label, and what they cover (``seireact-sample``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec
from pydantic import ValidationError

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.sample import SamplePlan


def stage_label(melt: int, stage: int) -> str:
    """Return the link label of the frames of a stage: names of entries may hold what a label may not."""
    return f"melt_{melt:02d}_{stage:02d}"


class SampleCalculation(ProgramCalculation):
    """Plan and cells in; the frames to label out, with a row for every frame that was drawn, and their coverage."""

    PARSER = "seireact.sample"
    RETRIEVE_TEMPORARY = (files.SAMPLED, files.ISOLATED_ATOMS, files.SELECTION)
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "plan",
            valid_type=orm.Dict,
            validator=validate_plan,
            help="`seed`, `classes`, `budget`, …: `aiida-seireact sample --write-plan` prints one with comments.",
        )
        spec.input(
            "cells",
            valid_type=FramesData,
            required=False,
            help="Cells to draw from, the config type of each its name; crystals that are known need not be given.",
        )
        spec.input_namespace(
            "made",
            valid_type=FramesData,
            dynamic=True,
            required=False,
            help="Frames of melts by MD: `melt_<entry>_<stage>`, both counted from 0 among the melt_quench entries.",
        )
        spec.input(
            "label",
            valid_type=orm.Dict,
            required=False,
            help="Settings of the labels to come. By a calculator that has no isolated atoms these and dimers are left "
            "out, which the coverage says.",
        )
        spec.output("frames", valid_type=FramesData, help="The frames to label.")
        spec.output("atoms", valid_type=FramesData, required=False, help="Isolated atoms, to be labelled apart.")
        spec.output("selection", valid_type=orm.ArrayData, help="Class, phase, choice and place of every frame drawn.")
        spec.output("choice", valid_type=orm.Dict, help="The rule, and the numbers of each config type.")
        spec.output("coverage", valid_type=orm.Dict, help="What the frames cover, and in sentences what is missing.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        content = self.inputs.plan.get_dict()
        job: dict[str, Any] = {"plan": content}
        if "cells" in self.inputs:
            self.inputs.cells.frames.save(folder / files.FRAMES)
            job["cells"] = files.FRAMES
        given = self.inputs.get("made", {})
        made: dict[str, list[str]] = {}
        for number, entry in enumerate(SamplePlan.model_validate(content).melts):
            for stage in range(len(entry.temperatures_k)):
                label = stage_label(number, stage)
                if label in given:
                    given[label].frames.save(folder / f"{label}.npz")
                    made.setdefault(entry.config_type, []).append(f"{label}.npz")
        if made:
            job["made"] = made
        if (labeller := labeller_of(self.inputs.get("label"))) is not None:
            job["labeller"] = labeller
        return job


def labeller_of(label: orm.Dict | None) -> str | None:
    """Return the calculator that settings of labels name; None for settings of another engine."""
    given = {} if label is None else label.get_dict().get("calculator") or {}
    return given if isinstance(given, str) else given.get("name")


def plan_of(content: Mapping[str, Any]) -> SamplePlan:
    """Return a plan.

    :raises ValueError: it does not fit; all complaints in one sentence.
    """
    try:
        return SamplePlan.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"This sampling plan doesn't fit: {readable(error)}.") from error


def validate_plan(plan: orm.Dict, _: Any) -> str | None:
    """Refuse a plan that can't be drawn."""
    try:
        plan_of(plan.get_dict())
    except ValueError as error:
        return str(error)
    return None

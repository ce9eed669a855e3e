"""What one campaign is told and what it gives out, and what is refused before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_seireact.calculations.flare import FlareCalculation, validate_engine, validate_seeds, validate_start
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.explore import CampaignSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.workchains.label import LabelWorkChain


def define_ports(spec: ProcessSpec) -> None:
    """Define inputs and outputs of a campaign."""
    spec.input("code", valid_type=orm.AbstractCode, help="The program seireact-flare.")
    spec.input(
        "start",
        valid_type=FramesData,
        validator=validate_start,
        help="One frame, from which MD starts.",
    )
    spec.input("seeds", valid_type=FramesData, help="Labelled frames to learn before the first leg.")
    spec.input(
        "parameters",
        valid_type=orm.Dict,
        validator=job_validator(LegSettings),
        help="The condition: ensemble, temperature, steps of all legs together, thresholds, GP.",
    )
    spec.input(
        "campaign",
        valid_type=orm.Dict,
        validator=job_validator(CampaignSettings),
        help="How far: `max_legs`, `max_labels`, `max_detours`, and when learning has converged.",
    )
    spec.expose_inputs(
        LabelWorkChain,
        namespace="label",
        exclude=("frames", "options", "metadata"),
        namespace_options={"help": "Who labels, and how; the level of theory must be that of the seeds."},
    )
    spec.expose_inputs(FlareCalculation, include=("reference_energies", "lmp"))
    spec.input("options", valid_type=dict, is_metadata=True, default=dict, help="Scheduler options of each job.")
    spec.inputs.validator = validate_campaign
    spec.output(
        "frames",
        valid_type=FramesData,
        required=False,
        help="Every frame labelled on the way, by frame id; none if none was asked for.",
    )
    spec.output("gp", valid_type=PotentialData, required=False, help="The GP of the last leg.")
    spec.output("campaign", valid_type=orm.Dict, help="How it went, leg by leg, and how it ended.")
    spec.output(
        "arrays",
        valid_type=orm.ArrayData,
        required=False,
        help="`trace_…` by MD step, `canary_…` by atom of each new label, over all legs that were not given up; of "
        "a long trace 50,000 rows, extremes among them.",
    )
    spec.output("failures", valid_type=orm.Dict, help="Frames without a label, with reason and round.")


def validate_campaign(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse seeds that the GP of this cell can't learn, and an engine without its LAMMPS."""
    if "parameters" in inputs and (message := validate_engine(inputs["parameters"].get_dict(), inputs)):
        return message
    if "start" not in inputs or "seeds" not in inputs:
        return None
    message = validate_seeds(inputs["seeds"], inputs["start"])
    return f"seeds: {message}." if message else None

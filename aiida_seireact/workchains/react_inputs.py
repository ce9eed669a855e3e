"""What a study may be told, and what is refused before anything runs: a mistake found after an hour costs an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida import orm

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.analyse import AnalyseCalculation
from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.calculations.base import ProgramCalculation
from aiida_seireact.calculations.classify import ClassifyCalculation
from aiida_seireact.calculations.compile import CompileCalculation
from aiida_seireact.calculations.lammps import LammpsCalculation, validate_structure
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.formats.jobs.study import DatasetSettings, ReferenceSettings
from aiida_seireact.science.sampling import SamplingPlan

Check = Callable[[Any, Any], str | None]
ASE_ENGINE = "seireact.label.ase"
# What the cells that are built hold; one's own may hold other types.
BUILT_TYPES = {"interface", "Li6PS5Cl"}


def of_job(calculation: type[ProgramCalculation]) -> Check:
    """Return the validator of the port of the job that a setting goes to."""
    check: Check = calculation.spec().inputs["parameters"].validator
    return check


def validate_sampling(parameters: orm.Dict, _: Any) -> str | None:
    """Refuse a plan that can't be drawn."""
    try:
        SamplingPlan.from_dict(parameters.get_dict())
    except (TypeError, ValueError) as error:
        return f"This sampling plan doesn't fit: {error}."
    return None


def validate_runs(runs: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Refuse labeller MD with settings that its job would refuse."""
    for name, parameters in runs.items():
        if message := of_job(AseCalculation)(parameters, context):
            return f"{name}: {message}"
    return None


def validate_batch_size(size: orm.Int, _: Any) -> str | None:
    """Refuse empty batches."""
    return None if size.value >= 1 else f"batch_size is {size.value}; a job labels at least one frame."


SETTINGS: dict[str, tuple[Check | None, str]] = {
    "structures": (None, "Which cells: seed, sizes of training and production cell, repetitions of the references."),
    "relax": (of_job(AseCalculation), "Job of `seireact-label` that relaxes the training cells."),
    "sampling": (validate_sampling, "Seed and counts of the first training set (`science.sampling.SamplingPlan`)."),
    "label": (None, "Settings of the labels: one level of theory for the whole study."),
    "dataset": (job_validator(DatasetSettings), "Force limit, fractions of training, validation and test, seed."),
    "train": (of_job(AllegroCalculation), "Network and schedule of training."),
    "compile": (of_job(CompileCalculation), "Target and device of the compiled model."),
    "produce": (of_job(LammpsCalculation), "The production run: ensemble, steps, dumps, stop rule."),
    "references": (job_validator(ReferenceSettings), "Reference phases, and up to which error the model runs them."),
    "reference_md": (of_job(LammpsCalculation), "The reference runs where the model makes them."),
    "reference_labeller_md": (of_job(AseCalculation), "The reference runs where the labeller makes them."),
    "classify": (of_job(ClassifyCalculation), "Descriptors, density peaks, gates."),
    "analyse": (of_job(AnalyseCalculation), "Quantities followed along the production run."),
}


def validate_study(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse settings that fit each alone but not together."""
    given = {name: inputs[name].get_dict() for name in SETTINGS if name in inputs}
    if len(given) < len(SETTINGS) or "engine" not in inputs:
        return None
    if inputs["engine"].value == ASE_ENGINE and (message := of_job(AseCalculation)(inputs["label"], context)):
        return f"label: {message}"
    absent = [name for name in given["references"]["phases"] if name not in given["structures"].get("references", {})]
    if absent:
        return (
            f"There is no reference crystal of {', '.join(absent)}: give its repetitions under "
            "`structures.references`, or take it out of `references.phases`."
        )
    types = set(inputs["training"].frames.config_type.tolist()) if "training" in inputs else BUILT_TYPES
    for name in inputs.get("labeller_md", {}):
        if name.rsplit("_", 1)[0] not in types:
            return f"labeller_md {name!r} has no cell to start from: its name begins with {' or '.join(sorted(types))}."
    if "production" in inputs:
        if message := validate_structure(inputs["production"], context):
            return f"production: {message}"
        known = set(given["classify"].get("spec", {}).get("species", ["Li", "P", "S", "Cl"]))
        unknown = sorted(set(inputs["production"].base.attributes.get("species")) - known)
        if unknown:
            return (
                f"production holds {', '.join(unknown)}, but the study is about {', '.join(sorted(known))}: extend "
                "`classify.spec.species` and the training set, or take these atoms out."
            )
    return None

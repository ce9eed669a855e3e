"""What a study may be told, and what is refused before anything runs: a mistake found after an hour costs an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.analyse import AnalyseCalculation
from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.calculations.base import ProgramCalculation
from aiida_seireact.calculations.classify import ClassifyCalculation
from aiida_seireact.calculations.compile import CompileCalculation
from aiida_seireact.calculations.lammps import LammpsCalculation, contacts_of, validate_structure
from aiida_seireact.calculations.sample import validate_plan
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.study import DatasetSettings, ReferenceSettings
from aiida_seireact.workchains.aimd import md_engine
from aiida_seireact.workchains.aimd import validate_engine as validate_md_engine
from aiida_seireact.workchains.atoms import IsolatedAtomsWorkChain
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.augment_inputs import expose_scorecard
from aiida_seireact.workchains.close_loop import CloseLoopWorkChain
from aiida_seireact.workchains.codes import PROGRAMS
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.label import complaint, validate_batch_size, validate_engine
from aiida_seireact.workchains.produce import ProduceWorkChain, validate_start
from aiida_seireact.workchains.react_start import first_set_complaint, species_of_study
from aiida_seireact.workchains.sample import SampleWorkChain
from aiida_seireact.workchains.validate_checks import scorecard_complaint

Check = Callable[[Any, Any], str | None]
# What the cells that are built hold; one's own may hold other types.
BUILT_TYPES = {"interface", "Li6PS5Cl"}


def of_job(calculation: type[ProgramCalculation]) -> Check:
    """Return the validator of the port of the job that a setting goes to."""
    check: Check = calculation.spec().inputs["parameters"].validator
    return check


def runs_complaint(engine: orm.Str, runs: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Return what speaks against MD of the labeller, None if nothing: settings that its engine would refuse."""
    if not runs:
        return None
    of_md = md_engine(engine.value)
    if message := validate_md_engine(orm.Str(of_md), context):
        return f"labeller_md: {message} Leave labeller_md out, or label by another engine."
    for name, parameters in runs.items():
        if message := complaint(orm.Str(of_md), parameters, context):
            return f"labeller_md: {name}: {message}"
    return None


SETTINGS: dict[str, tuple[Check | None, str]] = {
    "structures": (None, "Which cells: seed, sizes of training and production cell, repetitions of the references."),
    "relax": (of_job(AseCalculation), "Job of `seireact-label` that relaxes the training cells."),
    "sampling": (validate_plan, "The plan of `seireact.sample` from which the first training set is drawn."),
    "label": (None, "Settings of the labels: one level of theory for the whole study."),
    "dataset": (job_validator(DatasetSettings), "Force limit, fractions of training, validation and test, seed."),
    "limits": (
        ExploreWorkChain.spec().inputs["limits"].validator,
        "How many conditions may fail before exploration does.",
    ),
    "train": (of_job(AllegroCalculation), "Network and schedule of training."),
    "compile": (of_job(CompileCalculation), "Target and device of the compiled model."),
    "produce": (of_job(LammpsCalculation), "The production run: ensemble, steps, dumps, stop rule."),
    "references": (job_validator(ReferenceSettings), "Reference phases, and up to which error the model runs them."),
    "reference_md": (of_job(LammpsCalculation), "The reference runs where the model makes them."),
    "reference_labeller_md": (of_job(AseCalculation), "The reference runs where the labeller makes them."),
    "classify": (of_job(ClassifyCalculation), "Descriptors, density peaks, gates."),
    "analyse": (of_job(AnalyseCalculation), "Quantities followed along the production run."),
}


AUGMENT: dict[str, tuple[Check | None, str]] = {
    "rounds": (AugmentWorkChain.spec().inputs["rounds"].validator, "How many rounds, and labels, at most."),
    "md": (of_job(LammpsCalculation), "The run of the training cell that is learned from beside the production run."),
    "select": (AugmentWorkChain.spec().inputs["select"].validator, "Which frames of these runs are labelled."),
    "extend": (AugmentWorkChain.spec().inputs["extend"].validator, "Which of them are learned, which held out."),
    "train": (of_job(AllegroCalculation), "Schedule of the training that starts from the first model."),
}


CLOSE_LOOP: dict[str, tuple[Check | None, str]] = {
    "settings": (CloseLoopWorkChain.spec().inputs["settings"].validator, "From how much on the unknown is learned."),
    **{name: AUGMENT[name] for name in ("rounds", "select", "extend")},
}


def define_inputs(spec: ProcessSpec) -> None:
    """Define the inputs of a study."""
    spec.input_namespace("codes", help="One code for each program; `aiida-seireact setup` makes them.")
    for program in PROGRAMS:
        spec.input(f"codes.{program}", valid_type=orm.AbstractCode, help=f"The program seireact-{program}.")
    spec.input(
        "codes.engine",
        valid_type=orm.AbstractCode,
        required=False,
        help="The program of the labelling engine, where that is not `seireact.label.ase`. Relaxation of the cells and "
        "runs of reference phases by the labeller stay with seireact-label.",
    )
    for name, (check, text) in SETTINGS.items():
        spec.input(name, valid_type=orm.Dict, validator=check, help=text)
    spec.expose_inputs(SampleWorkChain, include=("melt",))
    spec.expose_inputs(ProduceWorkChain, include=("start",))
    spec.inputs["start"].help = (
        "A safe start before the production run of the last model, from its `parameters`; left out: the run begins "
        "with the cell as it was built. The first model's run in augmentation has none: it is learned from."
    )
    spec.input_namespace(
        "labeller_md",
        valid_type=orm.Dict,
        dynamic=True,
        required=False,
        help="Short MD of the labeller, one job for each; named `<config type>_<anything>` after the relaxed cell "
        "it starts from. Each is a job of `seireact-label` of the task md or, where another engine labels, the "
        "settings of `label` and `md`.",
    )
    spec.input_namespace(
        "conditions",
        valid_type=orm.Dict,
        dynamic=True,
        required=False,
        validator=ExploreWorkChain.spec().inputs["conditions"].validator,
        help="Conditions under which a GP learns on the fly (see `seireact.explore`); none: no exploration.",
    )
    expose_scorecard(spec, "The scorecard by which each model is judged, and what belongs to it.")
    spec.input(
        "accept_rejected",
        valid_type=orm.Bool,
        required=False,
        help="True: make the production run even with a model that was rejected; the report says so.",
    )
    spec.input_namespace(
        "augment",
        required=False,
        populate_defaults=False,
        help="Rounds of learning from the model's own runs; left out: the first model is the last.",
    )
    for name, (check, text) in AUGMENT.items():
        spec.input(f"augment.{name}", valid_type=orm.Dict, validator=check, help=text)
    spec.input_namespace(
        "close_loop",
        required=False,
        populate_defaults=False,
        help="Learn from what is unknown in the production run, and make it again; left out: it is only told.",
    )
    for name, (check, text) in CLOSE_LOOP.items():
        spec.input(f"close_loop.{name}", valid_type=orm.Dict, validator=check, help=text)
    spec.input("augment.batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
    spec.input(
        "isolated_atoms",
        valid_type=orm.List,
        validator=IsolatedAtomsWorkChain.spec().inputs["species"].validator,
        required=False,
        help="Elements whose isolated atoms the labelling engine computes, for the reference energies of both "
        "learners; without it they are fitted to the data, and the model's card says so.",
    )
    spec.input(
        "engine",
        valid_type=orm.Str,
        validator=validate_engine,
        help="Labelling engine, an entry point `seireact.label.<name>`.",
    )
    spec.input("batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
    spec.input("production", valid_type=FramesData, required=False, help="Your own production cell; else it is built.")
    spec.input(
        "training",
        valid_type=FramesData,
        required=False,
        help="Your own cells to relax and to train on: one frame of type `interface`, then one of the electrolyte; "
        "else they are built.",
    )
    spec.input(
        "start_dataset",
        valid_type=DatasetData,
        required=False,
        help="Your own first set, labelled with the settings of `label`: nothing is relaxed, drawn or labelled first; "
        "what exploration finds is added to it. Runs that start from a training cell then start from it as it is.",
    )
    spec.inputs.validator = validate_study


def validate_study(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse settings that fit each alone but not together."""
    given = {name: inputs[name].get_dict() for name in SETTINGS if name in inputs}
    if len(given) < len(SETTINGS) or "engine" not in inputs:
        return None
    if message := complaint(inputs["engine"], inputs["label"], context):
        return f"label: {message}"
    if "settings" in inputs.get("close_loop", {}) and "train" not in inputs.get("augment", {}):
        return "close_loop learns by the settings of `augment`, which is left out: give both, or none."
    if message := runs_complaint(inputs["engine"], inputs.get("labeller_md", {}), context):
        return message
    absent = [name for name in given["references"]["phases"] if name not in given["structures"].get("references", {})]
    if absent:
        return (
            f"There is no reference crystal of {', '.join(absent)}: give its repetitions under "
            "`structures.references`, or take it out of `references.phases`."
        )
    if message := first_set_complaint(inputs, context):
        return message
    if message := scorecard_complaint(inputs.get("validate", {}), species_of_study(inputs)):
        return message
    types = set(inputs["training"].frames.config_type.tolist()) if "training" in inputs else BUILT_TYPES
    for name in inputs.get("labeller_md", {}):
        if name.rsplit("_", 1)[0] not in types:
            return f"labeller_md {name!r} has no cell to start from: its name begins with {' or '.join(sorted(types))}."
    for name, condition in inputs.get("conditions", {}).items():
        if (system := condition.get_dict().get("system")) not in types:
            return f"Condition {name!r} is of system {system!r}, but the study has {' and '.join(sorted(types))}."
    if "production" in inputs:
        if message := validate_structure(inputs["production"], context):
            return f"production: {message}"
        known = species_of_study(inputs)
        unknown = sorted(set(inputs["production"].base.attributes.get("species")) - known)
        if unknown:
            return (
                f"production holds {', '.join(unknown)}, but the study is about {', '.join(sorted(known))}: extend "
                "`classify.spec.species` and the training set, or take these atoms out."
            )
        cell = {"structure": inputs["production"], "start": inputs.get("start")}
        if message := contacts_of(inputs["production"], inputs["produce"]) or validate_start(cell):
            return f"production: {message}"
    return None

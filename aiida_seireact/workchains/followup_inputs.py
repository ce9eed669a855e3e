"""The ports of `FollowUpWorkChain`, and what it refuses before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_seireact.calculations.analyse import AnalyseSettings
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.disorder import read_settings
from aiida_seireact.formats.followup import FollowUpSettings
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.science.transport.diffusion import FEWEST_FRAMES
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.gap import GAP_PREFIX
from aiida_seireact.workchains.label import ASE_ENGINE, LabelWorkChain, complaint, engine_refusal
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.produce_chain import validate_verdict
from aiida_seireact.workchains.products import validate_phases

OF_LABELS = ("code", "engine", "parameters", "batch_size", "max_parallel", "reuse", "options")
OF_RELAXATION = ("code", "parameters", "potential", "options")
NOT_OF_MD = ("structure", "cell", "previous", "metadata")
OPTIONAL: dict[str, Any] = {"required": False, "populate_defaults": False}


def define_inputs(spec: ProcessSpec) -> None:
    """Define what goes in."""
    spec.input(
        "parameters",
        valid_type=orm.Dict,
        validator=validate_composition,
        help="`composition`, `parent` and `repeat`: what is put on which sites, in which cell; `max_orderings`; "
        "`temperatures_k`; `md`, the cell of the MD; `conductor`, what counts as one; `gap_orderings`.",
    )
    spec.input("phases", valid_type=orm.List, required=False, validator=validate_phases,
               help="Phases of the library that make the hull, labelled as the orderings are.")  # fmt: skip
    spec.input_namespace(
        "cifs", valid_type=orm.SinglefileData, required=False, dynamic=True,
        help="Further phases of the hull, as CIF; the key is the name.",
    )  # fmt: skip
    spec.input(
        "entries",
        valid_type=(orm.SinglefileData, orm.Dict),
        required=False,
        help="Energies of further phases as JSON; of the level of the labels, which their `level` says.",
    )
    spec.input(
        "frames", valid_type=FramesData, required=False, validator=validate_labelled,
        help="Further phases, relaxed and labelled before; of the level of the labels.",
    )  # fmt: skip
    spec.expose_inputs(LabelWorkChain, namespace="label", include=OF_LABELS)
    spec.inputs["label"].validator = None
    spec.expose_inputs(
        AseLabelWorkChain,
        namespace="relax",
        include=OF_RELAXATION,
        namespace_options={
            **OPTIONAL,
            "help": "A calculator of ASE, or a trained potential, that relaxes orderings and phases before they are "
            "labelled: `parameters` of the task relax. Left out: the labels are of the cells as they are, or the "
            "engine of labels relaxes (a calculator of ASE, task relax).",
        },
    )
    spec.inputs["relax"].validator = None
    spec.expose_inputs(
        ProduceWorkChain,
        namespace="md",
        exclude=NOT_OF_MD,
        namespace_options={
            **OPTIONAL,
            "help": "MD of a large cell with a trained potential, as of `seireact.produce`; left out: none.",
        },
    )
    spec.inputs["md"].validator = None
    spec.expose_inputs(
        AnalyseWorkChain,
        namespace="md.analyse",
        include=("code", "parameters", "options"),
        namespace_options={"help": "How the run is analysed."},
    )
    spec.inputs["md"]["analyse"].validator = None
    spec.input_namespace(
        "gap", required=False, populate_defaults=False,
        help="The engine of band gaps, with the settings of labels; left out: none is computed.",
    )  # fmt: skip
    spec.input("gap.engine", valid_type=orm.Str, required=False, validator=validate_gap_engine,
               help="Entry point `seireact.gap.<name>`.")  # fmt: skip
    spec.input("gap.code", valid_type=orm.AbstractCode, required=False, help="Its program.")
    spec.input("gap.parameters", valid_type=orm.Dict, required=False, help="Its level of theory.")
    spec.input("gap.options", valid_type=dict, is_metadata=True, required=False, help="Scheduler options of its jobs.")
    spec.inputs.validator = validate_inputs


def define_outputs(spec: ProcessSpec) -> None:
    """Define what comes out."""
    spec.output(
        "followup",
        valid_type=orm.Dict,
        help="All numbers: `composition`, `stability` (`orderings`, `hull`, `decomposition`, `temperatures`), "
        "`diffusion`, `gap`, each null where it was not asked for or is among `failed`; `remarks` and `sentences`. "
        "Also of a follow-up whose MD or gap failed, which ends with the reason.",
    )
    spec.output("composition", valid_type=orm.Dict, help="What the cell holds, and each ordering with its degeneracy.")
    spec.output(
        "stability",
        valid_type=orm.Dict,
        required=False,
        help="Where the orderings lie above the hull: there when all is labelled, whatever becomes of MD and gap.",
    )
    spec.output("orderings", valid_type=FramesData, required=False, help="The orderings, labelled.")
    spec.output("phases", valid_type=FramesData, required=False, help="The phases of the hull, labelled.")
    spec.output("gaps", valid_type=orm.Dict, required=False, help="Band gaps.")
    spec.output("trajectory", valid_type=TrajectoryData, required=False, help="The run of the large cell.")


def relaxes(settings: Mapping[str, Any]) -> bool:
    """Whether these settings of labels are those of a relaxation by a calculator of ASE."""
    engine = settings.get("engine")
    by_ase = engine is None or engine.value == ASE_ENGINE
    return by_ase and settings["parameters"].get_dict().get("task", "label") == "relax"


def validate_composition(parameters: orm.Dict | None, port: Any) -> str | None:
    """Refuse a composition that can't be put on its parent."""
    if message := job_validator(FollowUpSettings)(parameters, port):
        return message
    if parameters is None:
        return None
    try:
        _ = read_settings(FollowUpSettings, parameters.get_dict()).fitted
    except ValueError as error:
        return str(error)
    return None


def validate_labelled(frames: FramesData | None, _: Any) -> str | None:
    """Refuse phases without energies."""
    if frames is None or frames.is_labelled:
        return None
    return "These frames have no labels: give labelled ones, or name `phases`, which are labelled here."


def validate_gap_engine(engine: orm.Str | None, _: Any) -> str | None:
    """Refuse engines that are not there."""
    return None if engine is None else engine_refusal(engine.value, GAP_PREFIX, "An engine of band gaps")


def validate_inputs(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse what would end halfway: no hull, labels that the engine refuses, a model that nobody has judged."""
    if not {"parameters", "label"} <= set(inputs):
        return None
    if not ("phases" in inputs or inputs.get("cifs") or "entries" in inputs or "frames" in inputs):
        return "There is no hull without other phases: give `phases`, `cifs`, `frames` or `entries`."
    label = inputs["label"]
    if {"engine", "parameters"} <= set(label) and (message := complaint(label["engine"], label["parameters"], context)):
        return f"label.parameters: {message}"
    relax = inputs.get("relax") or {}
    if relax and "parameters" in relax and relax["parameters"].get_dict().get("task") != "relax":
        return "relax.parameters is a job of the task relax: set `task` to relax."
    if relax and relaxes(label):
        return (
            "Both relax and label relax the cells: leave `relax` out, or set the task of `label.parameters` to label."
        )
    if "gap" in inputs and inputs["gap"] and (missing := {"engine", "code", "parameters"} - set(inputs["gap"])):
        return f"A band gap needs gap.{min(missing)}."
    return _md_complaint(inputs.get("md") or {}, inputs["parameters"])


def _md_complaint(md: Mapping[str, Any], parameters: orm.Dict) -> str | None:
    if not md:
        return None
    if message := validate_verdict(md):
        return f"md: {message}"
    if "potential" not in md:
        return "MD needs a trained potential: give md.potential."
    known = set(md["potential"].species)
    elements = set(read_settings(FollowUpSettings, parameters.get_dict()).amounts)
    if unknown := sorted(elements - known):
        return (
            f"The composition holds {', '.join(unknown)}, and the potential of md knows {', '.join(sorted(known))} "
            "only: train one on it, or leave `md` out."
        )
    if {"parameters", "analyse"} <= set(md) and "parameters" in md["analyse"]:
        return _ions_complaint(
            read_settings(FollowUpSettings, parameters.get_dict()),
            SegmentSettings.model_validate(md["parameters"].get_dict()),
            AnalyseSettings.model_validate({**md["analyse"]["parameters"].get_dict(), "timestep_fs": 1.0}),
        )
    return None


def _ions_complaint(settings: FollowUpSettings, run: SegmentSettings, analysis: AnalyseSettings) -> str | None:
    """Return why the run could not tell whether ions move: nobody would follow them, or there are too few frames."""
    ion, asked = settings.conductor.species, analysis.diffusion
    if ion not in settings.amounts:
        return f"parameters.conductor: the composition holds no {ion}, whose motion is asked for: name another species."
    if asked is None or (asked.species is not None and ion not in asked.species):
        return f"md.analyse.parameters: nobody follows {ion}: ask for `diffusion` with its species."
    skipped, stride = analysis.trajectory.skip_first, analysis.trajectory.stride
    frames = max(0, -(-(run.md.steps // run.md.dump_every + 1 - skipped) // stride))
    if frames < asked.n_blocks * FEWEST_FRAMES:
        needed = (asked.n_blocks * FEWEST_FRAMES * stride + skipped) * run.md.dump_every
        return (
            f"md.parameters: {frames} frames are left of the run after the first {skipped}, and diffusion needs "
            f"{asked.n_blocks} blocks of {FEWEST_FRAMES}: run {needed} steps or more, or dump more often."
        )
    return None

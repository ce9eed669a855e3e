"""What a round of augmentation takes: model, cells to run, who judges, who labels, and how it learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_seireact.calculations.allegro import AllegroCalculation, validate_energies
from aiida_seireact.calculations.compile import CompileCalculation, validate_package
from aiida_seireact.calculations.lammps import (
    LammpsCalculation,
    contacts_of,
    validate_potential,
    validate_species,
    validate_structure,
)
from aiida_seireact.calculations.select import FILLED, SelectSettings, cells_complaint, validate_processes
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.augment import ExtendSettings
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.label import complaint, validate_batch_size, validate_engine
from aiida_seireact.workchains.validate import ValidateWorkChain
from aiida_seireact.workchains.validate_checks import scorecard_complaint

PROGRAMS = ("lmp", "select", "label", "train", "compile")
# What a scorecard needs beside model, dataset, codes and labeller, which a round has anyway.
OF_VALIDATION = ("scorecard", "phases", "md", "evaluate")
# The model itself among the members of its committee.
MODEL = "model"


def expose_scorecard(spec: ProcessSpec, text: str) -> None:
    """Define the namespace ``validate`` of a process that judges models; left out, nobody does."""
    spec.expose_inputs(
        ValidateWorkChain,
        namespace="validate",
        include=OF_VALIDATION,
        namespace_options={
            "required": False,
            "populate_defaults": False,
            # It looks at model and labeller too, which are not in this namespace.
            "validator": None,
            "help": f"{text} Left out: nobody judges.",
        },
    )


def define_inputs(spec: ProcessSpec) -> None:
    """Define the inputs of a round."""
    spec.input_namespace("codes", help="One code for each program; `aiida-seireact setup` makes them.")
    for program in PROGRAMS:
        spec.input(f"codes.{program}", valid_type=orm.AbstractCode, help=f"The program seireact-{program}.")
    spec.input("dataset", valid_type=DatasetData, help="What the model has learned from; it keeps its split.")
    spec.input("potential", valid_type=PotentialData, validator=validate_package, help="The package: the parent.")
    spec.input("compiled", valid_type=PotentialData, validator=validate_potential, help="The same model, to run.")
    spec.input(
        "reference_energies",
        valid_type=orm.Dict,
        validator=validate_energies,
        help="Energies of the atoms of the model; the new one keeps them.",
    )
    spec.input_namespace(
        "cells", valid_type=FramesData, dynamic=True, help="The cells to run, one frame each, by name."
    )
    spec.input_namespace(
        "md",
        valid_type=orm.Dict,
        dynamic=True,
        validator=validate_md,
        help="By the name of the cell: settings of its run, those of `seireact.lammps`.",
    )
    spec.input_namespace(
        "runs",
        valid_type=TrajectoryData,
        dynamic=True,
        required=False,
        help="Runs of the model that are there already, by the name of their cell: they are not made again.",
    )
    spec.input_namespace(
        "labels",
        valid_type=orm.ArrayData,
        dynamic=True,
        required=False,
        help="Output `labels` of `seireact.classify` of `runs`, by name: these are not classified again.",
    )
    spec.input_namespace(
        "gps",
        valid_type=PotentialData,
        dynamic=True,
        required=False,
        validator=validate_processes,
        help="Sparse Gaussian processes whose uncertainty chooses the frames; without these and a committee they are "
        "chosen by difference alone.",
    )
    spec.input_namespace(
        "committee",
        valid_type=PotentialData,
        dynamic=True,
        required=False,
        help="Instead of `gps`: further packages, trained like the model but for the seed. Frames are chosen where "
        "their forces and the model's lie apart; each of them learns the new frames too.",
    )
    spec.expose_inputs(
        ClassifyWorkChain,
        namespace="classify",
        include=("code", "classifier", "parameters"),
        namespace_options={
            "required": False,
            "populate_defaults": False,
            "help": "A classifier that tells which environments of the runs are unknown (`select.reasons.unknown`).",
        },
    )
    expose_scorecard(spec, "The scorecard that the model must hold after the round, and what belongs to it.")
    spec.input(
        "codes.validate",
        valid_type=orm.AbstractCode,
        required=False,
        help="The program seireact-validate; needed with a scorecard.",
    )
    spec.input(
        "select",
        valid_type=orm.Dict,
        validator=job_validator(SelectSettings, **FILLED),
        help="Settings of `seireact-select`: `runs`, by the name of the cell, and the rule of the blocks.",
    )
    spec.input("engine", valid_type=orm.Str, validator=validate_engine, help="Labelling engine.")
    spec.input("label", valid_type=orm.Dict, help="Settings of the labels: those of the dataset.")
    spec.input("batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
    spec.input(
        "extend",
        valid_type=orm.Dict,
        validator=job_validator(ExtendSettings),
        help="Force limit, blocks that choose the epoch, and how many frames are too few.",
    )
    spec.input(
        "train",
        valid_type=orm.Dict,
        validator=AllegroCalculation.spec().inputs["parameters"].validator,
        help="Settings of the training that starts from the model; its network is that of the model.",
    )
    spec.input(
        "compile",
        valid_type=orm.Dict,
        required=False,
        validator=CompileCalculation.spec().inputs["parameters"].validator,
        help="Target and device of the compiled file.",
    )


def validate_md(runs: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Refuse settings that the job of the run would refuse."""
    check = LammpsCalculation.spec().inputs["parameters"].validator
    for name, parameters in runs.items():
        if message := check(parameters, context):
            return f"md.{name}: {message}"
    return None


def validate_round(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse runs without cell, settings or numbers, cells the model does not know, and two models in one."""
    if not {"cells", "md", "select", "compiled", "potential"} <= set(inputs):
        return None
    names = set(inputs["cells"])
    parts = {"cells": names, "md": set(inputs["md"]), "select.runs": set(inputs["select"].get_dict()["runs"])}
    for name in sorted(set.union(*parts.values())):
        lacking = [part for part, known in parts.items() if name not in known]
        if lacking:
            return f"The run {name!r} has no {' and no '.join(lacking)}: give `cells`, `md` and `select.runs` of each."
    for name, cell in inputs["cells"].items():
        message = (
            validate_structure(cell, context)
            or validate_species({"structure": cell, "potential": inputs["compiled"]}, context)
            or contacts_of(cell, inputs["md"][name])
        )
        if message:
            return f"cells.{name}: {message}"
    if message := runs_complaint(inputs):
        return message
    if "scorecard" in inputs.get("validate", {}) and "validate" not in inputs["codes"]:
        return "codes.validate is missing: a scorecard is judged by seireact-validate."
    if message := scorecard_complaint(inputs.get("validate", {}), inputs["potential"].species):
        return message
    if MODEL in inputs.get("committee", {}):
        return f"committee: {MODEL!r} is the model itself; give the other members other names."
    if inputs["potential"].model_hash != inputs["compiled"].model_hash:
        return "`compiled` was not made of `potential`: frames of one model's runs would teach another."
    if {"engine", "label"} <= set(inputs) and (message := complaint(inputs["engine"], inputs["label"], context)):
        return f"label: {message}"
    return None


def runs_complaint(inputs: Mapping[str, Any]) -> str | None:
    """Return what speaks against the runs that are there already, and against cells that are cut; None if nothing."""
    runs, labels = inputs.get("runs", {}), inputs.get("labels", {})
    for part, given, known in (("runs", runs, inputs["cells"]), ("labels", labels, runs)):
        if foreign := sorted(set(given) - set(known)):
            return f"{part}.{foreign[0]}: there is no such {'cell' if part == 'runs' else 'run'}."
    for name, run in runs.items():
        atoms, ran = len(inputs["cells"][name].frames.numbers), run.base.attributes.get("n_atoms")
        if atoms != ran:
            return f"runs.{name} has {ran} atoms, its cell {atoms}: give the cell that it started from."
    judged = any(inputs.get(name) for name in ("gps", "committee")) or "classifier" in inputs.get("classify", {})
    return cells_complaint(inputs["select"], has_potential=True, is_judged=judged)

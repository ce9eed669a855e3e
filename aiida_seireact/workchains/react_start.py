"""What a study begins with: the plan of its first set, or a dataset in its place, and what speaks against either."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_seireact.calculations.sample import plan_of
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.jobs.sample import IsolatedAtom
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.workchains.known_labels import known_level
from aiida_seireact.workchains.label import ASE_ENGINE
from aiida_seireact.workchains.sample import validate_sample

INTERFACE = "interface"
SPECIES = ["Li", "P", "S", "Cl"]


def species_of_study(inputs: Mapping[str, Any]) -> set[str]:
    """Return the elements a study is about: those that its classifier tells apart."""
    return set(inputs["classify"].get_dict().get("spec", {}).get("species", SPECIES))


def first_set_complaint(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Return what speaks against cells and plan of the first set, or the dataset in its place; None if nothing."""
    if "training" in inputs and INTERFACE not in inputs["training"].base.attributes.get("config_types"):
        return f"training holds no frame of type {INTERFACE!r}: give the small interface that type, and it is learned."
    if "start_dataset" in inputs:
        return dataset_complaint(inputs)
    given = {"plan": inputs["sampling"], "relax": inputs["relax"], "codes": inputs["codes"]}
    given |= {port: inputs[name] for name, port in (("training", "cells"), ("melt", "melt")) if name in inputs}
    if message := validate_sample(given, context):
        return f"sampling: {message}"
    if any(isinstance(entry, IsolatedAtom) for entry in plan_of(inputs["sampling"].get_dict()).classes):
        return "sampling: a study labels isolated atoms apart: take the entry out and name them in `isolated_atoms`."
    return None


def dataset_complaint(inputs: Mapping[str, Any]) -> str | None:
    """Return what speaks against a dataset in place of the first set, None if nothing."""
    dataset: DatasetData = inputs["start_dataset"]
    wanted = species_of_study(inputs)
    if lacking := sorted(wanted - set(dataset.species)):
        return (
            f"start_dataset has no {', '.join(lacking)}: it is of {', '.join(dataset.species)}, the study of "
            f"{', '.join(sorted(wanted))}; give a dataset of these elements, or none, then one is made."
        )
    types = dataset.base.attributes.get("config_types")
    for name, condition in inputs.get("conditions", {}).items():
        if absent := [kind for kind in condition["seeds"]["types"] if kind not in types]:
            return (
                f"Condition {name!r} begins with frames of type {', '.join(absent)}, but start_dataset has "
                f"{', '.join(types)}: name some of these under `seeds.types`, or leave the condition out."
            )
    try:
        level = level_of_study(inputs)
    except InvalidInput as error:
        return f"label: {error}"
    if level is None:
        return (
            "start_dataset can't be told to be of the level of theory of this study, whose engine, code and settings "
            "have labelled nothing in this profile: label one of its frames with them by LabelWorkChain, then submit "
            "the study again."
        )
    if level != dataset.settings_hash:
        return (
            f"start_dataset was labelled with settings {dataset.settings_hash[:12]}, but this study labels with "
            f"{level[:12]}: give `label` the settings of the dataset, or label its frames anew."
        )
    return None


def level_of_study(inputs: Mapping[str, Any]) -> str | None:
    """Return the hash of the level of theory at which a study labels, None where only a first label would tell.

    :raises InvalidInput: the calculator is refused.
    """
    code = inputs["codes"].get("engine", inputs["codes"]["label"])
    level = known_level({"engine": inputs["engine"], "code": code, "parameters": inputs["label"]})
    if level is None and inputs["engine"].value == ASE_ENGINE and _is_of_this_environment(code):
        try:
            return load_labeller(_calculator_of(inputs["label"])).card.settings_hash
        except MissingPackage:
            return None
    return level


def _calculator_of(label: orm.Dict) -> CalculatorSettings:
    given = label["calculator"]
    return CalculatorSettings.model_validate({"name": given} if isinstance(given, str) else given)


def _is_of_this_environment(code: orm.AbstractCode) -> bool:
    """Whether a program is that beside this Python, so that its calculators have the versions of those here."""
    executable = getattr(code, "filepath_executable", None)
    return (
        executable is not None
        and code.computer.hostname == "localhost"
        and Path(executable).parent == Path(sys.executable).parent
    )

"""What an exploration may be told, and what is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_seireact.calculations.flare import validate_engine, validate_start
from aiida_seireact.calculations.validation import job_validator, link_name_complaint
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.explore import MAX_CONDITIONS, MAX_RUNGS, ConditionSettings, ladders
from aiida_seireact.workchains.label import LabelWorkChain, complaint
from aiida_seireact.workchains.ladder import after_of
from aiida_seireact.workchains.protocol import merge

# A name is part of link labels and of names of arrays.


def level_of_theory(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of the labels: as they are, or laid over those of the protocol of `seireact.label` they name."""
    settings = {name: value for name, value in label.items() if name != "protocol"}
    if "protocol" not in label:
        return settings
    return merge(LabelWorkChain.get_protocol_inputs(label["protocol"])["parameters"], settings)


def wrong_size(systems: Mapping[str, FramesData], n_atoms: Mapping[str, int | None]) -> str:
    """Return which cell is not of the size that a protocol has; empty if all are."""
    for name, cell in systems.items():
        wanted, found = n_atoms.get(name), int(cell.frames.n_atoms[0])
        if wanted is not None and found != wanted:
            return (
                f"This protocol explores {name!r} in {wanted} atoms, the cell given has {found}: give one such, "
                f"or say in the overrides that any will do, `systems: {{{name}: null}}`."
            )
    return ""


def validate_systems(systems: Mapping[str, FramesData], context: Any) -> str | None:
    """Refuse cells that no condition can start from."""
    for name, cell in systems.items():
        if message := validate_start(cell, context):
            return f"{name}: {message}"
    return None


def validate_conditions(conditions: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Refuse settings that a campaign would refuse."""
    if len(conditions) > MAX_CONDITIONS:
        return (
            f"{len(conditions)} conditions are more than one process can gather ({MAX_CONDITIONS}): "
            "explore them in several studies."
        )
    check = job_validator(ConditionSettings)
    for name, condition in conditions.items():
        if message := link_name_complaint(name, "a condition"):
            return message
        if message := check(condition, context):
            return f"{name}: {message}"
    return None


def validate_exploration(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse settings that fit each alone but not together."""
    conditions, systems = inputs.get("conditions", {}), inputs.get("systems", {})
    if not conditions:
        return "There is no condition to explore: give at least one under `conditions`."
    try:
        longest = max(ladders(after_of(conditions)), key=len)
    except ValueError as error:
        return f"The conditions are no ladder: {error}."
    if len(longest) > MAX_RUNGS:
        return f"The ladder on {longest[0]!r} has {len(longest)} rungs, one process takes {MAX_RUNGS}: begin another."
    labelled = inputs.get("labelled")
    if labelled is not None and not labelled.has_stress:
        return "labelled: these frames have no energy, forces and stress: label them first."
    if {"engine", "label"} <= set(inputs) and (message := complaint(inputs["engine"], inputs["label"], context)):
        return f"label: {message}"
    for name, node in conditions.items():
        condition = node.get_dict()
        if condition["system"] not in systems:
            return (
                f"Condition {name!r} is of system {condition['system']!r}, but there is only "
                f"{', '.join(sorted(systems)) or 'none'}: give that cell under `systems`."
            )
        if message := validate_engine(condition["leg"], inputs):
            return f"Condition {name!r}: {message}"
        types = set(labelled.base.attributes.get("config_types")) if labelled is not None else set()
        absent = [wanted for wanted in condition["seeds"]["types"] if wanted not in types]
        if labelled is not None and absent:
            return (
                f"Condition {name!r} learns first from frames of type {' and '.join(absent)}, but labelled are "
                f"{', '.join(sorted(types))}."
            )
    return None

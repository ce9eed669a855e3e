"""What `ValidateWorkChain` refuses before anything runs, and what it is told of runs that exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm

from aiida_seireact.calculations.functions.validate import cells_of, runs_asked
from aiida_seireact.calculations.validate import lacks_species, not_evaluable
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.scorecard import Scorecard, ScorecardError, read_scorecard
from aiida_seireact.science.structures.library import entry, names, within
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.science.validation.lines import Phases
from aiida_seireact.workchains.label import complaint
from aiida_seireact.workchains.validate_given import foreign_runs, not_held_out


def validate_scorecard(scorecard: orm.Dict | None, _: Any) -> str | None:
    """Refuse a scorecard that can't be used."""
    try:
        read_scorecard({} if scorecard is None else scorecard.get_dict())
    except ScorecardError as error:
        return str(error)
    return None


def in_library(species: list[str]) -> bool:
    """Whether the library has phases of all these elements."""
    return set(species) <= {symbol for name in names() for symbol in entry(name).elements}


def phases_given(inputs: Mapping[str, Any]) -> Phases:
    """Return the cells of the phases: those given, else those of the library, else none.

    :raises ValueError: frames that are no phases.
    """
    if "phases" in inputs:
        return cells_of(inputs["phases"])
    return _library_cells(inputs["potential"].species)


def _library_cells(species: list[str]) -> Phases:
    cells = phase_cells(within(species)) if in_library(species) else []
    return {str(atoms.info["config_type"]): atoms for atoms in cells}


def scorecard_complaint(inputs: Mapping[str, Any], species: Iterable[str]) -> str | None:
    """Return what speaks against a scorecard of a model that is yet to be trained, None if nothing.

    :param inputs: of the namespace ``validate``.
    :param species: that the model will know.
    """
    if "scorecard" not in inputs:
        return None
    card = read_scorecard(inputs["scorecard"].get_dict())
    try:
        phases = cells_of(inputs["phases"]) if "phases" in inputs else _library_cells(sorted(species))
        card.static(phases)
        card.runs(phases)
    except ValueError as error:
        return f"validate: {error} Leave the line out (`validate.scorecard.lines.<name>: null`), or give `phases`."
    return None


def validate_lines(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse lines whose inputs are missing, runs of another model, and a model that lacks a species."""
    if not {"scorecard", "potential", "codes"} <= set(inputs):
        return None
    card = read_scorecard(inputs["scorecard"].get_dict())
    if message := not_evaluable(inputs["potential"]):
        return message
    try:
        phases = phases_given(inputs)
        return (
            _dataset_missing(card, inputs)
            or _labels_missing(card, phases, inputs, context)
            or _runs_missing(card, phases, inputs)
            or foreign_runs(runs_asked(card, phases), inputs)
        )
    except ValueError as error:
        return str(error)


def _dataset_missing(card: Scorecard, inputs: Mapping[str, Any]) -> str | None:
    lines = card.needs_held_out
    if "dataset" not in inputs:
        return f"Line {lines[0]} looks at held-out frames: give `dataset`, or leave out the line." if lines else None
    message = lacks_species(inputs["potential"], inputs["dataset"].species, "The dataset holds")
    return message or (not_held_out(inputs["potential"], inputs["dataset"]) if lines else None)


def _labels_missing(card: Scorecard, phases: Phases, inputs: Mapping[str, Any], context: Any) -> str | None:
    asked = {name: cells for name, cells in card.static(phases).items() if cells}
    for name, cells in asked.items():
        species = sorted({symbol for cell in cells for symbol in cell.atoms.get_chemical_symbols()})
        if message := lacks_species(inputs["potential"], species, f"The cells of line {name} hold"):
            return message
    by_labeller = [name for name, runs in card.runs(phases).items() if any(run.by == "labeller" for run in runs)]
    for name in [*asked, *by_labeller]:
        if "label" not in inputs["codes"] or "label" not in inputs:
            return f"Line {name} compares with the labeller: give `codes.label` and `label`, or leave out the line."
        return _complaint(inputs, context)
    return None


def _complaint(inputs: Mapping[str, Any], context: Any) -> str | None:
    message = complaint(inputs["engine"], inputs["label"], context)
    return f"label: {message}" if message else None


def _runs_missing(card: Scorecard, phases: Phases, inputs: Mapping[str, Any]) -> str | None:
    handed_in = set(inputs.get("runs", {}))
    asked = runs_asked(card, phases)
    if foreign := sorted(handed_in - set(asked)):
        known = ", ".join(sorted(asked)) or "none at all"
        return f"runs.{foreign[0]} is a run that no line asks for; they ask for {known}."
    for line, runs in card.runs(phases).items():
        for run in runs:
            if run.name in handed_in or run.by == "labeller":
                continue
            if run.atoms is None:
                return f"Line {line} looks at the run {run.name}, which must be handed in: give `runs.{run.name}`."
            missing = [name for name in ("compiled", "md") if name not in inputs]
            missing += [] if "lmp" in inputs["codes"] else ["codes.lmp"]
            if missing:
                return (
                    f"Line {line} runs MD of the model: give `{missing[0]}`, hand in the run as `runs.{run.name}`, or "
                    "leave out the line."
                )
    compiled: PotentialData | None = inputs.get("compiled")
    if compiled is not None and compiled.model_hash != inputs["potential"].model_hash:
        return "`compiled` was not made of `potential`: its runs would be those of another model."
    return None

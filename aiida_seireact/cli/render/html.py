"""The report as one HTML file: every picture and program is in it, and nothing is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiida_seireact.cli.render.augmentation import error_changes
from aiida_seireact.cli.render.boxes import loop_picture
from aiida_seireact.cli.render.discovery import discovery_section
from aiida_seireact.cli.render.exploration import so_far, trust
from aiida_seireact.cli.render.frame import live_parts, number_at, templates
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.models import ratio
from aiida_seireact.cli.render.pictures import CELL, Picture
from aiida_seireact.cli.render.words import labeller_name, stand_in
from aiida_seireact.query.trajectories import stop_message
from aiida_seireact.query.tree import in_call_order

ELECTROLYTE = "Li6PS5Cl"
IN_STORY = (
    *("calls", "uncertainty", "canaries", "calibration", "parity", "training", "before_after"),
    *("scorecard", "traces", "ps4", "phases", "phase_map", "thickness", "costs", CELL),
)
"""Figures that stand in the text of a section, or are shown by themselves."""
FOLDED = {
    "label": ("dataset", "coverage"),
    "learn": ("errors",),
    "judge": ("eos", "elastic", "dimers", "stability"),
    "produce": ("speed", "cavities"),
    "recognise": (
        *("phase_fractions", "composition_map", "composition_profile", "charge_profile", "templates", "template_map"),
        *("rdf", "groups", "found_rdf", "found_xrd", "xrd"),
    ),
}
"""Further figures of a section, folded up at its end; what is in no section follows the story."""


def render_html(data: ReportData, pictures: Mapping[str, Picture] | None = None) -> str:
    """Return the report of one process.

    :param pictures: figures of the gallery that are there, by name; none by default.
    """
    environment = templates()
    environment.globals.update(at=partial(number_at, data.sources))
    sections = sections_of(data)
    pictures = pictures or {}
    folded = {section: [name for name in FOLDED.get(section, ()) if name in pictures] for section in sections}
    told = {*IN_STORY, *(name for names in folded.values() for name in names)}
    page: str = environment.get_template("report.html.j2").render(
        **live_parts(pictures, data.run.picture, [data.uuid]),
        folded=folded,
        more=[name for name in pictures if name not in told],
        several=False,
        top=data.pk,
        data=data,
        content=data.content,
        sections=sections,
        step_of={name: place for place, name in enumerate(sections, 1)},
        loop=loop_picture(data) if data.stages else "",
        processes=in_call_order(data.processes),
        troubles=data.troubles,
        ledger=data.ledger,
        bases=data.bases,
        stand_in=stand_in(data.labeller),
        labeller=labeller_name(data.labeller) or "the labeller",
        n_failed=sum(process.is_failed for process in data.processes),
        n_cached=sum(process.member.from_cache for process in data.processes),
        learned=data.first_model or data.model,
        ratio=ratio,
        changes=error_changes(data.augmentation) if data.augmentation else {},
        trust=trust(data.exploration.rank_correlation) if data.exploration else "",
        conditions_so_far=so_far(data.conditions),
        stopped=stop_message(data.content.get("production_stopped_by")),
        unrecognised=unrecognised_electrolyte(data),
        fraction_tables=fraction_tables(data),
        unknown=discovery_section(data.run.discovery, data.run.discovery_curves) if data.run.discovery_curves else "",
    )
    return page


def sections_of(data: ReportData) -> list[str]:
    """Return the sections of the page in order: a study's steps, of any other process those it knows of."""
    known = {
        "label": bool(data.stages) or bool(data.n_first_labels),
        "explore": data.has("explore") or bool(data.conditions),
        "learn": bool(data.stages) or bool(data.model.metrics),
        "augment": data.has("augment") or data.augmentation is not None,
        "judge": data.has("validate") or bool(data.judged),
        "produce": bool(data.stages) or bool(data.run.facts),
        "recognise": bool(data.stages) or data.run.fractions is not None or bool(data.closed),
    }
    return [name for name, is_told in known.items() if is_told]


def unrecognised_electrolyte(data: ReportData) -> str:
    """Return the electrolyte's name if it was there at the start and not recognised; else an empty text."""
    first = (data.content.get("phase_fractions") or {}).get("first") or {}
    is_there = bool(data.content.get("ps4_intact_start"))
    return ELECTROLYTE if is_there and first.get(ELECTROLYTE) == 0 else ""


def fraction_tables(data: ReportData) -> list[dict[str, Any]]:
    """Return the phases at the start and end of each run, by phase; the run of the first model first."""
    parts = {"first model": (data.content.get("first") or {}), "model after augmentation": data.content}
    tables = []
    for name, content in parts.items():
        fractions = content.get("phase_fractions")
        if fractions and fractions.get("of"):
            tables.append({"run": name, **fractions})
    return tables

"""The report as one HTML file: every picture and program is in it, and nothing is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from aiida_seireact import __version__
from aiida_seireact.cli.render.assets import as_json, licences, packed, script
from aiida_seireact.cli.render.boxes import loop_picture
from aiida_seireact.cli.render.discovery import discovery_section
from aiida_seireact.cli.render.draw_learning import error_changes
from aiida_seireact.cli.render.drawing import Picture, draw
from aiida_seireact.cli.render.exploration import so_far
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.models import ratio
from aiida_seireact.cli.render.processes import in_call_order
from aiida_seireact.cli.render.runs import stop_message
from aiida_seireact.cli.render.sources import Source, source_of
from aiida_seireact.cli.render.viewer import scene_of
from aiida_seireact.cli.render.words import counted, duration, fixed, labeller_name, number, percent, stand_in

ELECTROLYTE = "Li6PS5Cl"


def render_html(data: ReportData, pictures: Mapping[str, Picture] | None = None) -> str:
    """Return the report.

    :param pictures: those drawn already, else they are drawn.
    """
    environment = Environment(
        loader=PackageLoader("aiida_seireact.cli.render", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, fixed=fixed, duration=duration, percent=percent, counted=counted)
    environment.globals.update(at=partial(number_at, data.sources), of_node=of_node)
    sections = sections_of(data)
    pictures = draw(data) if pictures is None else pictures
    plots = {name: picture.plot for name, picture in pictures.items() if picture.plot}
    scene = scene_of(data.run.picture) if data.run.picture else None
    page: str = environment.get_template("report.html.j2").render(
        data=data,
        content=data.content,
        sections=sections,
        step_of={name: place for place, name in enumerate(sections, 1)},
        pictures=pictures,
        plots=as_json(plots),
        has_plots=bool(plots),
        scene=as_json(scene),
        has_scene=scene is not None,
        scene_moments=[moment["title"] for moment in scene["moments"]] if scene else [],
        scene_kinds=scene["kinds"] if scene else [],
        packed=packed,
        script=Markup(script()),
        licences=licences(),
        loop=loop_picture(data) if data.stages else "",
        processes=in_call_order(data.processes),
        troubles=data.troubles,
        ledger=[],
        stand_in=stand_in(data.labeller),
        labeller=labeller_name(data.labeller) or "the labeller",
        n_failed=sum(process.is_failed for process in data.processes),
        n_cached=sum(process.member.from_cache for process in data.processes),
        learned=data.first_model or data.model,
        ratio=ratio,
        changes=error_changes(data.augmentation) if data.augmentation else {},
        conditions_so_far=so_far(data.conditions),
        stopped=stop_message(data.content.get("production_stopped_by")),
        unrecognised=unrecognised_electrolyte(data),
        fraction_tables=fraction_tables(data),
        unknown=discovery_section(data.run.discovery, data.run.discovery_curves) if data.run.discovery_curves else "",
        version=__version__,
    )
    return page


def number_at(sources: Mapping[str, Source], key: str) -> Markup:
    """Return the attributes of an element that say where its number is from; none where no single node holds it."""
    source = source_of(sources, key)
    return Markup("") if source is None else of_node(source.uuid, source.path, key)


def of_node(uuid: str, path: str = "", key: str = "") -> Markup:
    """Return the attributes of an element whose numbers are of a node.

    :param path: of the number in the attributes of the node.
    :param key: of the number in ``summary.json``.
    """
    told = {"data-uuid": uuid, "data-path": path, "data-key": key}
    title = f"node {uuid}" + (f", at {path}" if path else "")
    return Markup("".join(f' {name}="{escape(value)}"' for name, value in told.items() if value)) + Markup(
        f' title="{escape(title)}"'
    )


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

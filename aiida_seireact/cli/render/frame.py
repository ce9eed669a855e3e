"""What every page of the report has: the templates, the programs, figures and cell, and where its numbers are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from aiida_seireact import __version__
from aiida_seireact.cli.render.assets import as_json, licences, packed, script
from aiida_seireact.cli.render.sources import Source, source_of
from aiida_seireact.cli.render.viewer import scene_of
from aiida_seireact.cli.render.words import counted, duration, fixed, hours, number, percent

if TYPE_CHECKING:
    from aiida_seireact.cli.render.pictures import Picture
    from aiida_seireact.cli.render.runs import Moment


def templates() -> Environment:
    """Return the templates with their filters."""
    environment = Environment(
        loader=PackageLoader("aiida_seireact.cli.render", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, fixed=fixed, duration=duration, percent=percent, counted=counted, hours=hours
    )
    environment.globals.update(of_node=of_node)
    return environment


def live_parts(pictures: Mapping[str, Picture], moments: Mapping[str, Moment], uuids: Sequence[str]) -> dict[str, Any]:
    """Return what `base.html.j2` and `cell.j2` take.

    :param moments: cells to show in three dimensions, by title.
    :param uuids: of the processes the page is about.
    """
    plots = {name: picture.plot for name, picture in pictures.items() if picture.plot}
    scene = scene_of(moments) if moments else None
    return {
        "pictures": pictures,
        "plots": as_json(plots),
        "has_plots": bool(plots),
        "scene": as_json(scene),
        "has_scene": scene is not None,
        "scene_moments": [moment["title"] for moment in scene["moments"]] if scene else [],
        "scene_kinds": scene["kinds"] if scene else [],
        "packed": packed,
        "script": Markup(script()),
        "licences": licences(),
        "uuids": uuids,
        "rendered": datetime.now(UTC),
        "version": __version__,
    }


def number_at(sources: Mapping[str, Source], key: str, prefix: str = "") -> Markup:
    """Return the attributes of an element that say where its number is from; none where no single node holds it.

    :param prefix: of the key in ``summary.json``.
    """
    source = source_of(sources, key)
    return Markup("") if source is None else of_node(source.uuid, source.path, f"{prefix}{key}")


def of_node(uuid: str, path: str = "", key: str = "") -> Markup:
    """Return the attributes of an element whose numbers are of a node.

    :param path: of the number in the attributes of the node.
    :param key: of the number in ``summary.json``.
    """
    told = {
        "data-uuid": uuid,
        "data-path": path,
        "data-key": key,
        "title": f"node {uuid}" + f", at {path}" * bool(path),
    }
    return Markup("".join(f' {name}="{escape(value)}"' for name, value in told.items() if value))

"""A figure as files: pictures, its table, and the nodes behind it. The same figure gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure as Drawn

from aiida_seireact.figures.figure import RUN_UUID, Figure, sources_of
from aiida_seireact.figures.on_page import to_plotly
from aiida_seireact.figures.on_paper import to_matplotlib
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.formats.atomic import write_atomically, write_json

Format = Literal["pdf", "svg", "png", "json"]
FORMATS: tuple[Format, ...] = ("pdf", "svg", "png", "json")
"""`json` is plotly's."""


def save(
    figure: Figure, folder: str | Path, formats: Iterable[Format] = ("pdf", "svg", "png"), *, drawn: Drawn | None = None
) -> dict[str, Path]:
    """Write a figure as pictures, its table as CSV and its sources as JSON; return the paths by kind.

    Each file is whole or absent. Nothing in them tells a date, a PK or a machine.

    :param folder: made if it is not there.
    :param drawn: the figure by `to_matplotlib`, where that is there already.
    :raises OSError: the folder is not writable, or the disk is full.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    picture = drawn
    for kind in dict.fromkeys(formats):
        paths[kind] = place / f"{figure.name}.{kind}"
        if kind == "json":
            write_json(paths[kind], to_plotly(figure))
        else:
            picture = to_matplotlib(figure) if picture is None else picture
            save_picture(picture, paths[kind])
    paths["csv"] = place / f"{figure.name}.csv"
    with write_atomically(paths["csv"]) as temporary:
        figure.table.to_csv(temporary, index=False, lineterminator="\n")
    paths["sources"] = place / f"{figure.name}.sources.json"
    write_json(
        paths["sources"],
        {
            "figure": figure.name,
            "title": figure.title,
            "caption": figure.caption,
            "notes": list(figure.notes),
            "rows": len(figure.table),
            "points": figure.n_points,
            "nodes": list(sources_of(figure.table, ["node_uuid"])),
            "processes": list(sources_of(figure.table, ["process_uuid"])),
            "runs": list(sources_of(figure.table, [RUN_UUID])),
        },
    )
    return paths

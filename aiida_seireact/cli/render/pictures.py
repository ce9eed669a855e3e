"""The figures of the gallery on the page: live by plotly.js, as a picture for paper, with their files beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import AiidaException
from markupsafe import Markup
from matplotlib.figure import Figure as Drawn

from aiida_seireact.cli.render.figures_cell import cell_picture
from aiida_seireact.cli.render.runs import Moment
from aiida_seireact.cli.render.svg import inline_svg
from aiida_seireact.figures.figure import Figure, NothingToDraw, Trace
from aiida_seireact.figures.files import Format, save
from aiida_seireact.figures.gallery import FIGURES, make
from aiida_seireact.figures.on_page import to_plotly
from aiida_seireact.figures.on_paper import to_matplotlib
from aiida_seireact.query import walked

FOLDER = "figures"
"""Beside the page."""
CELL = "picture"
REFUSED = "figure "
"""What begins the names of figures that can't be drawn, among what is missing."""
OF_DATA = (AiidaException, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What numbers that are not as they should be lead to; all else is an error of ours, or of the machine."""
MOST_TOLD = 6
"""Curves told in words."""
DIGITS = 6
"""Of a number in the page; the CSV beside has them all."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page.

    :param svg: as a picture, for paper and for a browser without scripts.
    :param alt: words for those who do not see it.
    :param plot: the same for plotly.js; None of what is only a picture.
    :param files: print-quality files beside the page, by how they are called.
    """

    svg: Markup
    alt: str
    caption: str
    title: str = ""
    plot: dict[str, Any] | None = None
    files: dict[str, str] = field(default_factory=dict)


def pictures_of(
    tops: Sequence[orm.ProcessNode], folder: Path | None, formats: Iterable[Format]
) -> tuple[dict[str, Picture], dict[str, str]]:
    """Return every figure that these processes give something to draw in, and why one of them can't be drawn.

    :param folder: of the page; figures are written beside it. None: nothing is written.
    :returns: both by the figure's name in the gallery.
    :raises OSError: the folder is not writable, or the disk is full.
    """
    found: dict[str, Picture] = {}
    refused: dict[str, str] = {}
    graph = walked(list(tops))
    for name in FIGURES:
        try:
            figure = make(name, graph)
            drawn = to_matplotlib(figure)
            paths = {} if folder is None else save(figure, folder / FOLDER, formats, drawn=drawn)
            names = {kind: kind if kind == "sources" else kind.upper() for kind in paths}
            files = {names[kind]: f"{FOLDER}/{path.name}" for kind, path in paths.items()}
            found[name] = picture_of(figure, files, drawn)
        except NothingToDraw:  # which is no news
            continue
        except OF_DATA as error:  # a node of an older version that lacks something must not cost the whole report
            refused[f"{REFUSED}{name}"] = str(error) if isinstance(error, ValueError) else repr(error)
    return found, refused


def picture_of(figure: Figure, files: dict[str, str], drawn: Drawn | None = None) -> Picture:
    """Return a figure for the page.

    :param drawn: it by `to_matplotlib`, where that is there already.
    """
    alt = described(figure)
    return Picture(
        inline_svg(to_matplotlib(figure) if drawn is None else drawn, figure.name, alt),
        alt,
        " ".join([figure.caption, *figure.notes]),
        figure.title,
        shortened(to_plotly(figure)),
        files,
    )


def cell_of(moments: Mapping[str, Moment]) -> dict[str, Picture]:
    """Return the classified cell seen from the side, for paper and where there is no WebGL; nothing without one."""
    if not moments:
        return {}
    drawn = cell_picture({title: asdict(moment) for title, moment in moments.items()})
    alt = f"The cell seen along y, lithium coloured by the phase it is recognised as: {', '.join(moments)}."
    return {CELL: Picture(inline_svg(drawn, CELL, alt), alt, "")}


def described(figure: Figure) -> str:
    """Return words for those who do not see a figure: its title, and where its curves begin and end."""
    traces = [trace for panel in figure.panels for trace in panel.traces if trace.kind in ("line", "area", "bar")]
    told = [words for trace in traces[:MOST_TOLD] if (words := _course(figure, trace))]
    more = f"; and {len(traces) - MOST_TOLD} more" if len(traces) > MOST_TOLD else ""
    return f"{figure.title}. {'; '.join(told)}{more}".strip(". ") + f". {figure.n_points} points."


def _course(figure: Figure, trace: Trace) -> str:
    values = figure.column(trace, trace.y)
    known = values[np.isfinite(values.astype(float))] if len(values) else values
    if not len(known):
        return ""
    if len(known) == 1:
        return f"{trace.name} {float(known[0]):.3g}"
    return f"{trace.name} from {float(known[0]):.3g} to {float(known[-1]):.3g}"


def shortened(value: Any) -> Any:
    """Return the same with numbers of `DIGITS` digits: nobody sees more, and the page is half as large."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value

"""Figures of a bundle: every one that its processes give, with its table and sources; and whether they come again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from aiida import orm

from aiida_seireact.figures.figure import FigureError
from aiida_seireact.figures.files import Format, save
from aiida_seireact.figures.gallery import FIGURES, make
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.publishing.bundle import FIGURES as FOLDER
from aiida_seireact.publishing.bundle import PART, Progress, read_json
from aiida_seireact.query import QueryError

FORMATS: tuple[Format, ...] = ("pdf", "svg", "png")


def write_figures(tops: Sequence[orm.ProcessNode], folder: Path, progress: Progress) -> dict[str, Any]:
    """Write every figure that can be made of the processes together, and their index; return the index.

    Figures that cannot be made are told with the reason.
    """
    (folder / FOLDER).mkdir()
    made, why_not = [], {}
    for name in FIGURES:
        try:
            figure = make(name, list(tops))
        except (FigureError, QueryError) as error:
            why_not[name] = str(error)
            continue
        paths = save(figure, folder / FOLDER, FORMATS)
        made.append(
            {
                "name": name,
                "title": figure.title,
                "n_points": figure.n_points,
                "files": {kind: f"{FOLDER}/{path.name}" for kind, path in paths.items()},
            }
        )
        progress(f"figures: {name}, {figure.n_points} points")
    index = {
        "of": [top.uuid for top in tops],
        "matplotlib": matplotlib.__version__,
        "made": made,
        "not_made": why_not,
    }
    write_json(folder / FOLDER / PART, index)
    return index


def check_figures(folder: Path, work: Path, progress: Progress) -> tuple[list[str], str]:
    """Make the figures anew from the loaded profile; return what differs from those shipped, and what was compared.

    Tables and sources are compared byte for byte, pictures (SVG) too where matplotlib is the same version.

    :param work: an empty folder.
    """
    index = read_json(folder / FOLDER / PART)
    same_matplotlib = index["matplotlib"] == matplotlib.__version__
    kinds = ("csv", "sources", *(("svg",) if same_matplotlib else ()))
    wrong = []
    tops = [orm.load_node(uuid) for uuid in index["of"]]
    for entry in index["made"]:
        name = entry["name"]
        progress(f"figures: making {name} anew, {entry['n_points']} points")
        try:
            # The same formats as there: laid out anew for one, a picture of matplotlib may shift in its last digits.
            paths = save(make(name, tops), work, FORMATS if same_matplotlib else ())
        except Exception as error:  # whatever an archive that was altered leads to
            wrong.append(f"{name} can't be made from the archive: {error}")
            continue
        for kind in kinds:
            shipped, found = (folder / entry["files"][kind]).read_bytes(), paths[kind].read_bytes()
            if shipped != found:
                wrong.append(f"{entry['files'][kind]} is not what the archive gives: {_where(shipped, found)}")
    said = f"{len(index['made'])} figures made anew from the archive: tables and sources equal byte for byte"
    if same_matplotlib:
        return wrong, f"{said}, pictures too"
    return (
        wrong,
        f"{said}; pictures not compared (matplotlib {index['matplotlib']} there, {matplotlib.__version__} here)",
    )


def _where(shipped: bytes, found: bytes) -> str:
    """Return the first line that differs."""
    ours, theirs = shipped.splitlines(), found.splitlines()
    for number, (line, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if line != other:
            start = max(next(place for place in range(len(line) + 1) if line[:place] != other[:place]) - 20, 0)
            told = [text[start : start + 60].decode("utf-8", "replace") for text in (line, other)]
            return f"line {number} has {told[0]!r} for {told[1]!r}"
    return f"{len(ours)} lines for {len(theirs)}"

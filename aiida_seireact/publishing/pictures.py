"""Figures of a bundle: every one that its processes give, with its table and sources; and whether they come again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import matplotlib
from aiida import orm

from aiida_seireact.figures.figure import FigureError
from aiida_seireact.figures.files import Format, save
from aiida_seireact.figures.gallery import FIGURES, make
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.publishing.bundle import FIGURES as FOLDER
from aiida_seireact.publishing.bundle import PART, BundleError, Progress, is_full, read_index, read_part
from aiida_seireact.query import QueryError

FORMATS: tuple[Format, ...] = ("pdf", "svg", "png")


def write_figures(tops: Sequence[orm.ProcessNode], folder: Path, progress: Progress) -> dict[str, Any]:
    """Write every figure that can be made of the processes together, and their index; return the index.

    Figures that cannot be made are told with the reason.

    :raises BundleError: one fails in a way that nobody foresaw.
    :raises OSError: the disk is full.
    """
    (folder / FOLDER).mkdir()
    made, why_not = [], {}
    for name in FIGURES:
        try:
            figure = make(name, list(tops))
        except (FigureError, QueryError) as error:
            why_not[name] = str(error)
            continue
        except Exception as error:
            if is_full(error):
                raise
            raise _fault(name, tops, error) from error
        try:
            paths = save(figure, folder / FOLDER, FORMATS)
        except OSError:
            raise
        except Exception as error:
            raise _fault(name, tops, error) from error
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

    Every figure that the archive gives is to be there, and no other. Tables and sources are compared byte for byte,
    pictures too where matplotlib is the same version.

    :param work: an empty folder.
    """
    index = read_part(folder, FOLDER)
    same_matplotlib = index["matplotlib"] == matplotlib.__version__
    formats = FORMATS if same_matplotlib else ()
    shipped = {entry["name"]: entry for entry in index["made"]}
    wrong = [f"{name} is no figure of the figure map" for name in shipped if name not in FIGURES]
    uuids = [told["uuid"] for told in read_index(folder)["processes"]]
    if index["of"] != uuids:
        wrong.append(f"{FOLDER}/{PART} tells other processes than the bundle is about")
    tops = [orm.load_node(uuid) for uuid in uuids]
    for name in FIGURES:
        entry = shipped.get(name)
        if entry:
            progress(f"figures: making {name} anew, {entry['n_points']} points")
        try:
            figure = make(name, tops)
            paths = save(figure, work, formats) if entry else {}
        except Exception as error:  # whatever an archive that was altered leads to
            if is_full(error):
                raise
            if entry:
                wrong.append(f"{name} can't be made from the archive: {error}")
            elif not isinstance(error, FigureError | QueryError):
                wrong.append(f"{name} is not there, and fails in another way: {type(error).__name__}: {error}")
            continue
        if not entry:
            why = index["not_made"].get(name)
            told = f"is told as not to be made ({why})" if why else "is missing"
            wrong.append(f"{name} {told}, but the archive gives it: {figure.n_points} points")
            continue
        for kind in ("csv", "sources", *formats):
            ours, theirs = (folder / entry["files"][kind]).read_bytes(), paths[kind].read_bytes()
            if ours != theirs:
                wrong.append(f"{entry['files'][kind]} is not what the archive gives: {_where(ours, theirs)}")
    said = f"{len(shipped)} figures made anew from the archive: tables and sources equal byte for byte"
    if same_matplotlib:
        return wrong, f"{said}, pictures too"
    return (
        wrong,
        f"{said}; pictures not compared (matplotlib {index['matplotlib']} there, {matplotlib.__version__} here)",
    )


def _fault(name: str, tops: Sequence[orm.ProcessNode], error: Exception) -> BundleError:
    of = ", ".join(f"{top.process_label} <{top.pk}> ({top.uuid})" for top in tops)
    return BundleError(
        f"The figure {name} of {of} can't be made ({type(error).__name__}: {error}). That is a fault of this program "
        f"or of a node behind it: `aiida-seireact figure {name} {' '.join(str(top.pk) for top in tops)}` makes it "
        "alone. Nothing was written."
    )


def _where(shipped: bytes, found: bytes) -> str:
    """Return the first line that differs."""
    ours, theirs = shipped.splitlines(), found.splitlines()
    for number, (line, other) in enumerate(zip(ours, theirs, strict=False), 1):
        if line != other:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(line, other, strict=False))
            start = max(sum(1 for _ in same) - 20, 0)
            told = [text[start : start + 60].decode("utf-8", "replace") for text in (line, other)]
            return f"line {number} has {told[0]!r} for {told[1]!r}"
    return f"{len(ours)} lines for {len(theirs)}"

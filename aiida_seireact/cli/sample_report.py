"""The coverage of a training set, written as a page, a picture or numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from aiida_seireact import __version__
from aiida_seireact.cli.render.figures_coverage import coverage_picture
from aiida_seireact.cli.render.svg import inline_svg
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.formats.atomic import write_atomically

FORMS = (".html", ".svg", ".png", ".json")
WORDS = "Frames by class, compositions in a triangle, distances to the nearest atom, and a map of descriptors."


def form_of(path: Path) -> str:
    """Return the form a report is written in.

    :raises click.UsageError: an ending that is none.
    """
    if path.suffix not in FORMS:
        raise click.UsageError(f"--report {path.name}: its ending says what is written: {', '.join(FORMS)}.")
    return path.suffix


def write_report(path: Path, coverage: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
    """Write a coverage as its ending says.

    :param rows: arrays of `selection`, a row for each frame of the pool; the chosen ones are drawn.
    """
    chosen = rows["chosen"]
    if path.suffix == ".json":
        text = json.dumps(coverage, indent=2, sort_keys=True) + "\n"
    else:
        figure = coverage_picture(coverage, places=rows["map"][chosen], classes=rows["frame_class"][chosen].tolist())
        if path.suffix != ".html":
            save_picture(figure, path, dpi=160)
            return
        environment = Environment(
            loader=PackageLoader("aiida_seireact.cli.render", "page"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        picture = inline_svg(figure, "coverage", WORDS)
        text = environment.get_template("coverage.html.j2").render(
            content=coverage, picture=picture, version=__version__
        )
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def tell(coverage: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
    """Say on the terminal what was drawn, what of it was chosen, and what is missing."""
    click.echo(f"{choice['n_pool']} frames drawn, {choice['n_chosen']} chosen ({choice['criterion']})")
    for name, row in coverage["classes"].items():
        if row["frames"]:
            click.echo(f"  {name:<10} {row['frames']:>5} frames {row['environments']:>7} environments")
    if coverage["missing"]:
        click.echo("Missing:")
    for sentence in coverage["missing"]:
        click.echo(f"  {sentence}")


def rows_of(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a selection."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}

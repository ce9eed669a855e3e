"""The texts of a bundle that people read: README and licences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2

from aiida_seireact.formats.labellers import STAND_IN, TOY, kind_of
from aiida_seireact.publishing.citations import Work


def readme(**told: Any) -> str:
    """Return the README of a bundle.

    :param told: what the template names; one that is not given is an error.
    """
    text = files("aiida_seireact.publishing").joinpath("data", "README.md.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text).render(**told).rstrip() + "\n"


def licences(licence: str, works: Iterable[Work]) -> str:
    """Return the licence of the bundle, and those of the programs and models it was made with."""
    rows = "\n".join(f"| {work.what} | {work.licence} | `{work.key}` |" for work in works if work.licence)
    # An expression of several licences has no page of its own.
    page = "" if " " in licence else f" (https://spdx.org/licenses/{licence}.html)"
    return (
        "# Licences\n\n"
        f"The data of this bundle (archive, datasets, models, figures, report): **{licence}**{page}.\n\n"
        "The page of the report shows them by two libraries that lie in it under their own licences, told there: "
        "plotly.js (MIT) and 3Dmol.js (BSD-3-Clause).\n\n"
        "No other program is part of it. Whoever repeats the work needs these, under their own licences:\n\n"
        f"| used for | licence | in CITATIONS.bib |\n|---|---|---|\n{rows}\n\n"
        "The models carry the source code of the network that they were packaged with, under its licence (MIT).\n"
    )


def description_of(tops: Sequence[Mapping[str, Any]], counts: Mapping[str, int], labellers: Sequence[str]) -> str:
    """Return in a sentence or two what a bundle holds."""
    names = " and ".join(sorted({str(top["process"]) for top in tops}))
    parts = ", ".join(f"{number} {name if number != 1 else name.removesuffix('s')}" for name, number in counts.items())
    by = f" Labels by {', '.join(labellers)}." if labellers else ""
    return f"What stands behind {names} of aiida-seireact: the full AiiDA provenance, {parts}.{by}"


def stand_in_note(labellers: Iterable[str]) -> str:
    """Return a warning where labels are those of something that stands in for DFT; empty where not."""
    kinds = [kind_of(name) for name in labellers]
    named = ", ".join(f"{kind.title} ({kind.what})" for kind in kinds if kind.kind in (STAND_IN, TOY))
    return (
        f"**Labels are by {named}, not by DFT**: what is true of it need not be true of the material." if named else ""
    )

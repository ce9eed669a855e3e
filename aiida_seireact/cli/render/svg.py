"""A drawing of matplotlib as an element of the page."""

from __future__ import annotations

import io
import re

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from aiida_seireact.figures.style import INK


def inline_svg(figure: Figure, name: str, alt: str) -> Markup:
    """Return a figure as an SVG element for the page: text in the page's colour, ids of its own, no references.

    :param name: prefix of the ids, distinct for each figure of a page.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", dpi=160, transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    # Ids such as axes_1 are in every figure; in one page each may be there once.
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = svg.replace(INK, "currentColor")
    width, height = (float(size) for size in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    head = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{Markup.escape(alt)}" stroke-linejoin="round" style="max-width:{width * 1.25:.0f}px">'
    )
    body = re.sub(r"\n\s*", " ", svg[svg.index(">") + 1 :].strip())
    return Markup(head + body)

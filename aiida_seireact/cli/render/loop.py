"""The loop as a picture: each step a box with the numbers of this run, each arrow what went along it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 836, 466
BOX_WIDTH, BOX_HEIGHT = 236, 106
COLUMNS = (14, 300, 586)
ROWS = (14, 180, 346)
LINE_HEIGHT = 16.5
INK, SOFT, ACCENT = "currentColor", "var(--soft, #5a626c)", "var(--accent, #0072b2)"


@dataclass(frozen=True)
class Box:
    """One step: its name, and lines of at most some thirty letters."""

    title: str
    lines: tuple[str, ...]
    reached: bool = True


@dataclass(frozen=True)
class Place:
    """Where a box lies, in the units of the drawing."""

    x: float
    y: float
    width: float = BOX_WIDTH
    height: float = BOX_HEIGHT


PLACES = {
    "cells": Place(COLUMNS[0], ROWS[0]),
    "label": Place(COLUMNS[1], ROWS[0]),
    "explore": Place(COLUMNS[2], ROWS[0]),
    "learn": Place(COLUMNS[1], ROWS[1], COLUMNS[2] + BOX_WIDTH - COLUMNS[1]),
    "produce": Place(COLUMNS[1], ROWS[2]),
    "augment": Place(COLUMNS[2], ROWS[2]),
    "recognise": Place(COLUMNS[0], ROWS[1], BOX_WIDTH, ROWS[2] + BOX_HEIGHT - ROWS[1]),
}
# From box to box; those of the way back are the loop and stand out.
ARROWS = (
    ("cells", "label", False),
    ("label", "explore", False),
    ("label", "learn", False),
    ("explore", "learn", False),
    ("learn", "produce", True),
    ("produce", "augment", True),
    ("augment", "learn", True),
    ("produce", "recognise", False),
)


def draw_loop(boxes: dict[str, Box], along: dict[tuple[str, str], str]) -> Markup:
    """Return the drawing as an SVG element for the page.

    :param boxes: by name (`PLACES`); what is left out is not drawn, nor its arrows.
    :param along: words at arrows, by the names of the two boxes.
    """
    is_loop = "augment" in boxes
    parts = [_markers()]
    for start, end, back in ARROWS:
        if start in boxes and end in boxes:
            parts.append(_arrow(start, end, along.get((start, end), ""), accent=back and is_loop))
    parts += [_box(PLACES[name], box) for name, box in boxes.items()]
    if "explore" in boxes:
        parts.append(_circle(PLACES["explore"]))
    alt = "The loop of this run. " + " ".join(
        f"{box.title}: {'; '.join(box.lines) if box.lines else 'not reached'}." for box in boxes.values()
    )
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt)}" font-family="inherit" style="max-width:{WIDTH}px">{"".join(parts)}</svg>'
    )


def _markers() -> str:
    return "<defs>" + "".join(
        f'<marker id="loop-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" style="fill:{colour}"/></marker>'
        for name, colour in (("ink", SOFT), ("accent", ACCENT))
    ) + "</defs>"  # fmt: skip


def _box(place: Place, box: Box) -> str:
    dashes = "" if box.reached else ' stroke-dasharray="5 4"'
    colour = INK if box.reached else SOFT
    frame = (
        f'<rect x="{place.x}" y="{place.y}" width="{place.width}" height="{place.height}" rx="11" '
        f'style="fill:var(--card, #f4f5f6);stroke:{SOFT}" stroke-width="1"{dashes}/>'
    )
    left, top = place.x + 14, place.y + 25
    title = (
        f'<text x="{left}" y="{top}" font-size="15" font-weight="700" style="fill:{colour}">{escape(box.title)}</text>'
    )
    lines = box.lines or ("not reached",)
    text = "".join(
        f'<text x="{left}" y="{top + 5 + LINE_HEIGHT * number:g}" font-size="12.5" style="fill:{colour}">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines, 1)
    )
    return frame + title + text


def _arrow(start: str, end: str, words: str, *, accent: bool) -> str:
    first, last = PLACES[start], PLACES[end]
    if first.y == last.y or (start, end) == ("produce", "recognise"):
        y = first.y + first.height / 2
        is_rightward = last.x > first.x
        x1, x2 = (first.x + first.width, last.x) if is_rightward else (first.x, last.x + last.width)
        line = f'x1="{x1}" y1="{y}" x2="{x2 + (-3 if is_rightward else 3)}" y2="{y}"'
        at, anchor = ((x1 + x2) / 2, y - 8), "middle"
    else:
        is_down = last.y > first.y
        x = (first if first.width == BOX_WIDTH else last).x + BOX_WIDTH / 2
        y1, y2 = (first.y + first.height, last.y) if is_down else (first.y, last.y + last.height)
        line = f'x1="{x}" y1="{y1}" x2="{x}" y2="{y2 + (-3 if is_down else 3)}"'
        at, anchor = (x + 9, (y1 + y2) / 2 + 4), "start"
    colour, name = (ACCENT, "accent") if accent else (SOFT, "ink")
    weight = 600 if accent else 400
    text = (
        f'<text x="{at[0]:g}" y="{at[1]:g}" font-size="12.5" font-weight="{weight}" text-anchor="{anchor}" '
        f'style="fill:{colour}">{escape(words)}</text>'
        if words
        else ""
    )
    stroke = f'style="stroke:{colour}" stroke-width="{2.4 if accent else 1.5}"'
    return f'<line {line} {stroke} marker-end="url(#loop-{name})"/>{text}'


def _circle(place: Place) -> str:
    """The small loop inside exploration: run until unsure, label, learn, go on."""
    x, y, r = place.x + place.width - 28, place.y + 26, 13
    return (
        f'<path d="M{x + r * 0.5:g} {y - r * 0.866:g}A{r} {r} 0 1 1 {x - r * 0.5:g} {y - r * 0.866:g}" fill="none" '
        f'style="stroke:{ACCENT}" stroke-width="2.2" marker-end="url(#loop-accent)"/>'
    )

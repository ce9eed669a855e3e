"""A trace as a picture: what was made of what, many equal things as one box with their number."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import graphviz

from aiida_seireact.cli.tracing import Step, Trace
from aiida_seireact.formats.atomic import write_atomically

FORMATS = ("svg", "pdf", "png", "dot")
WENT_WELL = "finished [0]"
INSTALL = "`apt-get install graphviz`, `conda install graphviz` or `brew install graphviz`"
INK, SOFT, LABEL, DATA, PROCESS = "#22272e", "#5a626c", "#d9f0e3", "#f4f5f6", "#dbeafe"


class DrawingError(ValueError):
    """The picture can't be made; the message says what to do."""


@dataclass
class Box:
    """Equal steps, drawn as one."""

    steps: list[Step]
    to: dict[int, str] = field(default_factory=dict)
    """What is made of it: number of the box, and the link there."""

    @property
    def first(self) -> Step:
        """The step that stands for all."""
        return self.steps[0]


def boxes_of(way: Trace) -> list[Box]:
    """Return the boxes of a trace, what was asked for first; equal steps that go into the same box are one."""
    steps, consumers = _graph(way.root)
    under: dict[int, list[int]] = {pk: [] for pk in steps}
    for pk, above in consumers.items():
        for consumer in above:
            under[consumer].append(pk)
    order = _from_the_top(way.root.pk, under, consumers)
    shapes: dict[int, int] = {}
    known: dict[tuple[object, ...], int] = {}
    for pk in reversed(order):
        shape = (steps[pk].name, steps[pk].is_label, frozenset(shapes[child] for child in under[pk]))
        shapes[pk] = known.setdefault(shape, len(known))
    boxes: list[Box] = []
    places: dict[tuple[object, ...], int] = {}
    place_of: dict[int, int] = {}
    for pk in order:
        to = {place_of[consumer]: link for consumer, link in consumers[pk].items()}
        place_of[pk] = places.setdefault((shapes[pk], frozenset(to)), len(boxes))
        if place_of[pk] == len(boxes):
            boxes.append(Box([], to))
        boxes[place_of[pk]].steps.append(steps[pk])
    return boxes


def _graph(root: Step) -> tuple[dict[int, Step], dict[int, dict[int, str]]]:
    """Return the steps by PK, and for each those it goes into with the link."""
    steps: dict[int, Step] = {}
    consumers: dict[int, dict[int, str]] = {root.pk: {}}
    waiting = [root]
    while waiting:
        step = waiting.pop()
        if not step.again:
            steps[step.pk] = step
        for child in step.under:
            consumers.setdefault(child.pk, {})[step.pk] = child.link
            waiting.append(child)
    return steps, consumers


def _from_the_top(root: int, under: dict[int, list[int]], consumers: dict[int, dict[int, str]]) -> list[int]:
    """Return the PKs, each after all it goes into."""
    order, missing = [], {pk: len(above) for pk, above in consumers.items()}
    waiting = [root]
    while waiting:
        pk = waiting.pop(0)
        order.append(pk)
        for child in sorted(under[pk], reverse=True):
            missing[child] -= 1
            if not missing[child]:
                waiting.append(child)
    return order


def dot_of(way: Trace) -> graphviz.Digraph:
    """Return the picture in Graphviz's language: labels above, what was asked for below."""
    labelled = {item.pk: item.n_frames for item in way.labellings}
    picture = graphviz.Digraph(
        "trace",
        graph_attr={"rankdir": "TB", "bgcolor": "white", "nodesep": "0.25", "ranksep": "0.35", "fontname": "Helvetica"},
        node_attr={"fontname": "Helvetica", "fontsize": "11", "color": SOFT, "fontcolor": INK, "style": "filled"},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "color": SOFT, "fontcolor": SOFT, "arrowsize": "0.7"},
    )
    for number, box in enumerate(boxes_of(way)):
        step, count = box.first, len(box.steps)
        lines = _lines(box, sum(labelled.get(one.pk, 0) for one in box.steps))
        fill = LABEL if step.is_label else (PROCESS if step.is_process else DATA)
        picture.node(
            f"n{number}",
            graphviz.escape("\n".join(lines)),
            shape="box" if step.is_process else "note" if not step.pk else "box",
            style="filled" if step.is_process else "rounded,filled",
            fillcolor=fill,
            peripheries="2" if count > 1 else "1",
            tooltip="\n".join(one.uuid for one in box.steps if one.uuid) or step.text,
        )
        for consumer, link in box.to.items():
            picture.edge(f"n{number}", f"n{consumer}", label=graphviz.escape(link) if count == 1 else "")
    return picture


def _lines(box: Box, n_frames: int) -> list[str]:
    """Return what stands in a box."""
    step, count = box.first, len(box.steps)
    if count == 1:
        lines = [part.strip() for part in step.text.split(": ", 1)]
    else:
        words = Counter(one.text.split(": ", 1)[-1] for one in box.steps)
        lines = [f"{count} × {step.name}"]
        if len(words) == 1:
            lines.append(next(iter(words)))
    lines = [line for line in lines if line != WENT_WELL]
    return [*lines, f"{n_frames} labelled frames"] if step.is_label and n_frames else lines


def draw(way: Trace, path: Path) -> Path:
    """Write the picture, in the format the name ends with; ``.dot`` needs no Graphviz.

    :raises DrawingError: another format, no ``dot`` on this machine, or it failed.
    :raises OSError: the folder is not writable.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise DrawingError(f"{path.name}: a graph is written as one of {', '.join(f'.{name}' for name in FORMATS)}.")
    picture = dot_of(way)
    try:
        content = picture.source.encode() if kind == "dot" else picture.pipe(format=kind)
    except graphviz.ExecutableNotFound:
        raise DrawingError(
            f"Graphviz's program `dot`, which draws the graph, is not on PATH: {INSTALL}. A name that ends with .dot "
            "writes the graph without it."
        ) from None
    except graphviz.CalledProcessError as error:
        raise DrawingError(f"Graphviz's `dot` failed: {error.stderr}") from None
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
    return path

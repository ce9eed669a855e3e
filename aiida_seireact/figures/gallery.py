"""The figure map, and a figure by its name: what the papers show, made of the nodes one gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from aiida_seireact import query
from aiida_seireact.figures.assemble import MeanOver, Words, assemble
from aiida_seireact.figures.chart import Colour
from aiida_seireact.figures.entries_found import FOUND
from aiida_seireact.figures.entries_interphase import INTERPHASE
from aiida_seireact.figures.entries_learning import LEARNING
from aiida_seireact.figures.entries_runs import RUNS
from aiida_seireact.figures.entries_transport import TRANSPORT
from aiida_seireact.figures.entries_validation import VALIDATION
from aiida_seireact.figures.entry import Entry
from aiida_seireact.figures.facts import facts_of, needs_facts
from aiida_seireact.figures.figure import Figure, FigureError, NothingToDraw
from aiida_seireact.query import What

FIGURES: dict[str, Entry] = {**LEARNING, **VALIDATION, **RUNS, **INTERPHASE, **TRANSPORT, **FOUND}
"""By name, in the order of the study."""


def make(name: str, what: What, *, colour: Colour | None = None, mean_over: MeanOver | None = None) -> Figure:
    """Return a figure of one or many processes.

    :param name: in `FIGURES`.
    :param what: a process node, PK or UUID, a list of these, or a group; for many figures `query.walked` of these.
    :param colour: what colours tell apart; None: what the figure is about, in most of them the run.
    :param mean_over: ``seed``: the mean over runs that differ by their seed only, with their standard deviation.
    :raises FigureError: no such figure, one that cannot be made, or nothing to draw under these processes.
    :raises aiida_seireact.query.QueryError: not processes.
    """
    entry = entry_of(name)
    if entry.read is None or entry.chart is None:
        raise NothingToDraw(f"Figure {name} cannot be made: {entry.why_not}")
    table = entry.read(what)
    if table.empty:
        raise NothingToDraw(f"Nothing there to draw: {entry.needs}.")
    told = colour or entry.colour
    facts = facts_of(query.runs(what)) if needs_facts(told, mean_over) else None
    words = Words(name, entry.title, entry.caption)
    return assemble(words, table, entry.chart, facts=facts, colour=told, mean_over=mean_over)


def entry_of(name: str) -> Entry:
    """Return an entry of the figure map.

    :raises FigureError: there is none of this name.
    """
    if name not in FIGURES:
        near = get_close_matches(name, FIGURES, n=1)
        hint = f" Do you mean {near[0]}?" if near else ""
        raise FigureError(f"There is no figure {name!r}.{hint} `aiida-seireact figure --list` tells all.")
    return FIGURES[name]


def can_be_made(what: What, names: Iterable[str] | None = None) -> Iterator[tuple[str, int, str]]:
    """Yield for each figure its name, how many rows these processes give it, and if none, why.

    :param names: of the figures to look at; all if None.
    :raises aiida_seireact.query.QueryError: not processes.
    """
    graph = query.walked(what)
    for name in FIGURES if names is None else names:
        try:
            yield name, len(make(name, graph).table), ""
        except FigureError as error:
            yield name, 0, str(error)

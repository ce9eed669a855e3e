"""An entry of the figure map: what a paper shows, how we make it, or why we cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from aiida_seireact.figures.chart import Chart, Colour
from aiida_seireact.query import What

LPSC, LPS, LIC, OURS = "Li|Li6PS5Cl", "Li|Li7P3S11", "Li|Li3InCl6", "ours"
PAPERS = {
    LPSC: "arXiv:2506.10944",
    LPS: "Li, Karan, Kaplan and Persson",
    LIC: "Golov and Carrasco",
    OURS: "of this package",
}


@dataclass(frozen=True)
class Entry:
    """A figure.

    :param paper: key of `PAPERS`: whose figure it is.
    :param shows: what it shows there.
    :param caption: what is drawn, and how its numbers are defined.
    :param queries: functions of `aiida_seireact.query` its numbers come from.
    :param nodes: where they lie: node types with the processes that make them.
    :param needs: what to run so that there is something to draw.
    :param colour: what tells runs apart by default.
    :param why_not: why it cannot be made; empty where it can.
    """

    title: str
    paper: str
    shows: str
    caption: str = ""
    queries: tuple[str, ...] = ()
    nodes: str = ""
    needs: str = ""
    read: Callable[[What], pd.DataFrame] | None = None
    chart: Chart | None = None
    colour: Colour = "run"
    why_not: str = ""

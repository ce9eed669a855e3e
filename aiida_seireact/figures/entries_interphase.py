"""Figures of what becomes of the interface: intact PS4, thickness, phases, maps along z and time."""

from __future__ import annotations

import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPSC, Entry
from aiida_seireact.query import What

ANALYSIS = "`analysis_arrays` ← `seireact.analyse`"
LABELS = "`labels` ← `seireact.classify`"
TIME = "time (ps)"
Z = "z (Å)"


def profile_of(what: What, of: str) -> pd.DataFrame:
    """Return the rows of `query.profiles` of one kind."""
    found = query.profiles(what)
    return found[found["of"] == of].reset_index(drop=True)


INTERPHASE = {
    "ps4": Entry(
        title="Intact PS4 with time",
        paper=LPSC,
        shows="PS4 tetrahedra left with time: how much electrolyte has not reacted",
        caption="P atoms whose four nearest neighbours are S within 2.6 Å.",
        queries=("ps4",),
        nodes=ANALYSIS,
        needs="analyse a run of a cell with P and S (`thickness` is on by default)",
        read=lambda what: query.ps4(what),
        chart=Chart("line", "time_ps", "n_intact", x_label=TIME, y_label="intact PS₄", from_zero=True),
    ),
    "thickness": Entry(
        title="Thickness of the interphase with time",
        paper=LPSC,
        shows="thickness of the SEI on each side with time",
        caption=(
            "From the last intact PS4 to the outermost S, P or Cl, while there is any intact PS4 (`ps4`); and where "
            "neither metal nor electrolyte fills half of a slab (`profile`), which always exists."
        ),
        queries=("thickness",),
        nodes=ANALYSIS,
        needs="analyse a run; for the second definition with the labels of its classification",
        read=lambda what: query.thickness(what),
        chart=Chart(
            "line", "time_ps", "thickness_ang", x_label=TIME, y_label="thickness (Å)", series="side",
            panel="definition", from_zero=True,
        ),
    ),
    "phases": Entry(
        title="Phases with time",
        paper=LPSC,
        shows="phase fractions of the Li environments with time",
        caption="Share of the environments that the classifier gave each label, stacked; a panel a run.",
        queries=("phases",),
        nodes=LABELS,
        needs="classify a run",
        read=lambda what: query.phases(what),
        chart=Chart(
            "area", "time_ps", "fraction", x_label=TIME, y_label="share of the environments", series="phase",
            side_by_side=True, is_phase=True, from_zero=True,
        ),
    ),
}  # fmt: skip

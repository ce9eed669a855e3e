"""Figures of what becomes of the interface: intact PS4, thickness, phases, maps along z and time."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPSC, OURS, Entry
from aiida_seireact.figures.tables import chosen
from aiida_seireact.query import What

ANALYSIS = "`analysis_arrays` ← `seireact.analyse`"
LABELS = "`labels` ← `seireact.classify`"
TIME = "time (ps)"
Z = "z (Å)"


NAME = "kind"


def profile_of(of: str) -> Callable[[What], pd.DataFrame]:
    """Return a function that gives the rows of `query.profiles` of one kind, but for names that are nowhere."""

    def read(what: What) -> pd.DataFrame:
        found = chosen(query.profiles(what), of=of)
        some = found.groupby(["node_uuid", NAME], sort=False)["count"].transform("any").astype(bool)
        return found[some].reset_index(drop=True)

    return read


def first_and_last(what: What, of: str) -> pd.DataFrame:
    """Return the rows of `query.profiles` of one kind in the first and in the last stretch of each run."""
    found = chosen(query.profiles(what), of=of)
    steps = found.groupby("node_uuid", sort=False)["step"]
    is_first, is_last = found["step"] == steps.transform("min"), found["step"] == steps.transform("max")
    first, last = found[is_first].assign(moment="start"), found[is_last & ~is_first].assign(moment="end")
    return pd.concat([first, last], ignore_index=True)


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
            side_by_side=True, palette="phase", from_zero=True,
        ),
    ),
    "phase_fractions": Entry(
        title="Phase fractions with time, runs on one axis",
        paper=LPSC,
        shows="how fast phases form, in cells of unlike size or coating",
        caption="Share of the environments with each label; a panel a phase where there are many.",
        queries=("phases",),
        nodes=LABELS,
        needs="classify a run",
        read=lambda what: query.phases(what),
        chart=Chart(
            "line", "time_ps", "fraction", x_label=TIME, y_label="share of the environments", series="phase",
            palette="phase", from_zero=True,
        ),
    ),
    "templates": Entry(
        title="bcc, hcp, fcc of Li with time",
        paper=LPSC,
        shows="fractions of Li that is bcc, hcp, fcc or none of these with time; a transient fcc stripe",
        caption="Polyhedral template matching of each analysed frame.",
        queries=("templates",),
        nodes=ANALYSIS,
        needs="analyse a run with `ptm`",
        read=lambda what: chosen(query.templates(what), of="ptm"),
        chart=Chart(
            "line", "time_ps", "fraction", x_label=TIME, y_label="share of the Li", series=NAME, from_zero=True
        ),
    ),
    "composition_map": Entry(
        title="Composition along z and time",
        paper=LPSC,
        shows="maps of the elements across the cell with time",
        caption="Share of each element among the atoms of a slab; a panel an element and run.",
        queries=("profiles",),
        nodes=ANALYSIS,
        needs="analyse a run (`composition` is on by default)",
        read=profile_of("composition"),
        chart=Chart(
            "heat", "time_ps", "z_ang", value="fraction", x_label=TIME, y_label=Z, value_label="share of the atoms",
            series=NAME, side_by_side=True, value_from_zero=True,
        ),
    ),
    "template_map": Entry(
        title="bcc, hcp, fcc of Li along z and time",
        paper=LPSC,
        shows="maps of the structure of Li metal by template matching with time",
        caption="Share of the Li of a slab that each template fits; empty where there is no Li.",
        queries=("profiles",),
        nodes=ANALYSIS,
        needs="analyse a run with `ptm`",
        read=profile_of("ptm"),
        chart=Chart(
            "heat", "time_ps", "z_ang", value="fraction", x_label=TIME, y_label=Z, value_label="share of the Li",
            series=NAME, side_by_side=True, value_from_zero=True,
        ),
    ),
    "phase_map": Entry(
        title="Phases along z and time",
        paper=LPSC,
        shows="where each phase grows",
        caption="Share of the environments of a slab with each label.",
        queries=("profiles",),
        nodes=ANALYSIS,
        needs="analyse a run with the labels of its classification",
        read=profile_of("phases"),
        chart=Chart(
            "heat", "time_ps", "z_ang", value="fraction", x_label=TIME, y_label=Z,
            value_label="share of the environments", series=NAME, side_by_side=True, value_from_zero=True,
        ),
    ),
    "composition_profile": Entry(
        title="Composition along z, first and last",
        paper=LPSC,
        shows="composition profile across the cell",
        caption="Atoms of each element in a slab, mean of the first and of the last stretch of time.",
        queries=("profiles",),
        nodes=ANALYSIS,
        needs="analyse a run (`composition` is on by default)",
        read=lambda what: first_and_last(what, "composition"),
        chart=Chart(
            "line", "z_ang", "count", x_label=Z, y_label="atoms in a slab", series=NAME, panel="moment",
            from_zero=True, palette="element",
        ),
    ),
    "charge_profile": Entry(
        title="Formal charge along z, first and last",
        paper=OURS,
        shows="where cations and anions part",
        caption="Sum of the formal charges given, of a slab: a proxy, it does not say where electrons are.",
        queries=("profiles",),
        nodes=ANALYSIS,
        needs="analyse a run with `composition: {charges: …}`",
        read=lambda what: first_and_last(what, "charge"),
        chart=Chart("line", "z_ang", "count", x_label=Z, y_label="charge of a slab (e)", panel="moment"),
    ),
    "sizes": Entry(
        title="Reaction in cells of several sizes",
        paper=LPSC,
        shows="10,080 atoms react too fast; 21,120 and 120,960 agree",
        caption="Share of the PS4 of the electrolyte that is intact; a colour a size.",
        queries=("ps4", "runs"),
        nodes=ANALYSIS,
        needs="analyse runs of several sizes, and give them all",
        colour="size",
        read=lambda what: query.ps4(what),
        chart=Chart(
            "line", "time_ps", "intact_fraction", x_label=TIME, y_label="share of intact PS₄", from_zero=True,
            fewest_groups=2,
        ),
    ),
    "coatings": Entry(
        title="Reaction with and without a coating",
        paper=LPSC,
        shows="two unit cells of Li2S on each side stop the reaction",
        caption="Share of the PS4 of the electrolyte that is intact; the coating is told by the recipe of the cell.",
        queries=("ps4", "runs"),
        nodes=f"{ANALYSIS}; `recipe` → `seireact.build` or `build_cell`",
        needs="analyse runs of a coated and of a bare cell that `aiida-seireact build` made, and give both",
        colour="coating",
        read=lambda what: query.ps4(what),
        chart=Chart(
            "line", "time_ps", "intact_fraction", x_label=TIME, y_label="share of intact PS₄", from_zero=True,
            fewest_groups=2,
        ),
    ),
}  # fmt: skip

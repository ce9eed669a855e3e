"""Figures of how atoms move: displacements and diffusion by phase and direction, Onsager coefficients, regimes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LPS, LPSC, Entry
from aiida_seireact.figures.tables import QUANTITY, VALUE, below_each_other, chosen
from aiida_seireact.query import What

ANALYSIS = "`analysis_arrays` ← `seireact.analyse`"
LAG, MSD = "lag (ps)", "mean squared displacement (Å²)"
DIRECTIONS = {"all": "all directions", "xy": "in the plane", "z": "out of the plane"}
D = "D (cm²/s)"


def displacements(what: What, analysis: str, directions: Sequence[str]) -> pd.DataFrame:
    """Return mean squared displacements of one analysis, beyond lag zero, with words for the directions.

    Of those over all time origins lags beyond half of the longest are left out: too few origins are left to mean much.
    """
    found = chosen(query.msd(what), analysis=analysis)
    longest = found.groupby("node_uuid", sort=False)["lag_ps"].transform("max")
    shown = found["direction"].isin(directions) & (found["lag_ps"] > 0)
    if analysis == "msd":
        shown &= found["lag_ps"] <= longest / 2
    return in_words(found[shown])


def coefficients(what: What, analysis: str) -> pd.DataFrame:
    """Return self-diffusion coefficients of one analysis that are above zero, with words for the directions."""
    found = chosen(query.diffusion(what), analysis=analysis)
    return in_words(found[found["d_cm2_per_s"] > 0])


def in_words(found: pd.DataFrame) -> pd.DataFrame:
    """Return a table with words for the directions, and what a panel is about."""
    directions = found["direction"].map(DIRECTIONS)
    return found.assign(direction=directions, of=found["species"] + ", " + directions).reset_index(drop=True)


def onsager_pairs(what: What) -> pd.DataFrame:
    """Return Onsager coefficients of each pair once, with their standard errors, by phase where there are any."""
    found = query.onsager(what)
    order = found["species"] <= found["other"]
    found = found[order].reset_index(drop=True)
    ends = {"low": found["value"] - found["error"], "high": found["value"] + found["error"]}
    of = found["group"].where(found["group"] != "all", "whole cell") + " (" + found["unit"] + ")"
    return found.assign(pair=found["species"] + "–" + found["other"], of=of, **ends)


def conductivities(what: What) -> pd.DataFrame:
    """Return conductivities and Haven ratios, with their unit in the name of the quantity."""
    found = query.conductivity(what)
    units = found["unit"].where(found["unit"] == "", " (" + found["unit"] + ")")
    return found.assign(of=found["quantity"] + units)


def regimes(what: What) -> pd.DataFrame:
    """Return the rate of each stretch, and when the break was, a row a number."""
    found = query.paces(what)
    rates = found.assign(**{QUANTITY: "rate", VALUE: found["rate_per_ps"]})
    breaks = chosen(found, stretch="before")
    breaks = breaks.assign(
        **{
            QUANTITY: "break",
            VALUE: breaks["break_ps"],
            "low": breaks["break_low_ps"],
            "high": breaks["break_high_ps"],
        },
        stretch="break",
    )
    return pd.concat([rates, breaks], ignore_index=True) if len(found) else below_each_other(found, {})


def _msd(**more: Any) -> Chart:
    settings: dict[str, Any] = {"x_label": LAG, "y_label": MSD, "x_scale": "log", "y_scale": "log", "slope_one": True}
    return Chart("line", "lag_ps", "msd_ang2", **{**settings, **more})


def _coefficients(x: str, **more: Any) -> Chart:
    settings: dict[str, Any] = {
        "x_label": "", "y_label": D, "y_scale": "log", "low": "low_cm2_per_s", "high": "high_cm2_per_s",
        "hover": ("regime", "below_cm2_per_s"),
    }  # fmt: skip
    return Chart("scatter", x, "d_cm2_per_s", **{**settings, **more})


TRANSPORT = {
    "msd": Entry(
        title="Mean squared displacements",
        paper=LPSC,
        shows="how far each element moves",
        caption="Over all time origins; the dotted line has slope 1, as diffusion has.",
        queries=("msd",),
        nodes=ANALYSIS,
        needs="analyse a run (`msd` is on by default)",
        read=lambda what: displacements(what, "msd", ["all"]),
        chart=_msd(series="species"),
    ),
    "msd_directions": Entry(
        title="Mean squared displacements in and out of the plane",
        paper=LPSC,
        shows="MSDs of Li along and across the interface",
        caption="With the 95 % band of stretches of the run; the dotted line has slope 1.",
        queries=("msd",),
        nodes=ANALYSIS,
        needs="analyse a run with `diffusion`",
        read=lambda what: displacements(what, "diffusion", ["xy", "z"]),
        chart=_msd(series="species", panel="direction", low="low_ang2", high="high_ang2"),
    ),
    "msd_phases": Entry(
        title="Mean squared displacements by phase and direction",
        paper=LPSC,
        shows="MSDs of bcc and hcp Li over 2 ns after 5, 10, 15, 20, 25 ns, in plane and out of plane, by slab",
        caption="Of the atoms that were in a phase or slab when a window began.",
        queries=("msd",),
        nodes=ANALYSIS,
        needs="analyse a run with `windows: {by: both, at_ps: […]}`",
        read=lambda what: displacements(what, "windows", ["xy", "z"]),
        chart=_msd(series="group", panel="of", palette="phase"),
    ),
    "diffusion": Entry(
        title="Self-diffusion coefficients",
        paper=LPSC,
        shows="D(Li) of the new phase, up to 4.2e-9 cm²/s; that of Li in the electrolyte",
        caption="With 95 % intervals; under the pointer the regime, and the bound where too few atoms hop.",
        queries=("diffusion",),
        nodes=ANALYSIS,
        needs="analyse a run with `diffusion`",
        read=lambda what: coefficients(what, "diffusion"),
        chart=_coefficients("species", panel="direction", columns=3),
    ),
    "diffusion_phases": Entry(
        title="Self-diffusion by phase and direction",
        paper=LPSC,
        shows="how fast Li moves in each phase, in plane and out of plane",
        caption="Of the atoms that were in a phase or slab when a window began, with 95 % intervals.",
        queries=("diffusion",),
        nodes=ANALYSIS,
        needs="analyse a run with `windows`",
        read=lambda what: coefficients(what, "windows"),
        chart=_coefficients("group", panel="of"),
    ),
    "diffusion_along_z": Entry(
        title="Self-diffusion along z",
        paper=LPSC,
        shows="motion of Li near the interface and far from it",
        caption="Of the atoms that were in a slab when a window began, at the middle of the slab.",
        queries=("diffusion",),
        nodes=ANALYSIS,
        needs="analyse a run with `windows: {by: slab, n_slabs: …}`",
        read=lambda what: coefficients(what, "windows").dropna(subset=["z_ang"]).reset_index(drop=True),
        chart=_coefficients("z_ang", x_label="z (Å)", series="species", panel="direction"),
    ),
    "far_movers": Entry(
        title="Atoms that go far",
        paper=LPSC,
        shows="Li that moves more than 10 Å within 5 ns",
        caption="Where along the cell each such atom began, and how far it went within the time asked.",
        queries=("far_movers",),
        nodes=ANALYSIS,
        needs="analyse a run with `jumps: {within_ps: …, longer_than_ang: …}`",
        read=lambda what: query.far_movers(what),
        chart=Chart(
            "scatter", "z_fraction", "moved_ang", x_label="z over the height of the cell", y_label="moved (Å)",
            has_mean=False, from_zero=True, hover=("atom_id", "time_ps"),
        ),
    ),
    "survival": Entry(
        title="How long atoms stay in a phase",
        paper=LPSC,
        shows="whether the phase that an atom was chosen by is still the one it moves in",
        caption="Share of the atoms of a group that have not left it, against the time after the window began.",
        queries=("survival",),
        nodes=ANALYSIS,
        needs="analyse a run with `windows: {by: phase}`",
        read=lambda what: query.survival(what),
        chart=Chart(
            "line", "lag_ps", "staying", x_label=LAG, y_label="share that stayed", series="group", palette="phase",
            from_zero=True,
        ),
    ),
    "onsager": Entry(
        title="Onsager coefficients by phase",
        paper=LPS,
        shows="L_ij of Li, P and S with cross terms, in crystalline and amorphous phases apart",
        caption="Bars: the coefficient and its standard error. Those of a phase are times its volume, as it has none.",
        queries=("onsager",),
        nodes=ANALYSIS,
        needs="analyse a run with `onsager`; by phase with `windows: {by: phase, temperature_k: …}`",
        read=onsager_pairs,
        chart=Chart(
            "bar", "pair", "value", x_label="", y_label="L", panel="of", low="low", high="high", columns=2,
        ),
    ),
    "conductivity": Entry(
        title="Conductivity and Haven ratio",
        paper=LPS,
        shows="conductivity from the Onsager coefficients",
        caption="Of a whole cell, with 95 % intervals.",
        queries=("conductivity",),
        nodes=ANALYSIS,
        needs="analyse a run with `onsager: {temperature_k: …, charges: …}`",
        read=conductivities,
        chart=Chart("bar", "name", "value", x_label="", panel="of", low="low", high="high", from_zero=True),
    ),
    "regimes": Entry(
        title="Fast and slow regime",
        paper=LPS,
        shows="a fast regime within 20 ps, then a slow one",
        caption="Rates at which intact PS4 fall before and after the break, and the break with its 95 % interval.",
        queries=("paces",),
        nodes="`analysis` ← `seireact.analyse`",
        needs="analyse a run that has both (`thickness` tells `ps4_pace`)",
        read=regimes,
        chart=Chart(
            "bar", "stretch", VALUE, x_label="", panel=QUANTITY, low="low", high="high", hover=("kinetics",),
            y_labels={"rate": "rate (1/ps)", "break": "time (ps)"},
        ),
    ),
}  # fmt: skip

"""The report as one HTML file: figures are inline SVG, and nothing in it is fetched from anywhere."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from aiida_seireact import __version__
from aiida_seireact.cli.render import figures
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.processes import in_call_order

LABELLERS = {
    "chgnet": ("CHGNet", "a universal potential"),
    "emt": ("EMT", "a toy potential"),
    "lj": ("Lennard-Jones", "a toy potential"),
    "tblite": ("GFN-xTB", "a semi-empirical method"),
}
"""Labellers that stand in for DFT: their name in print, and what they are."""


ELECTROLYTE = "Li6PS5Cl"


@dataclass(frozen=True)
class Picture:
    """A figure in the page, with the words for those who do not see it."""

    svg: Markup
    alt: str
    caption: str


def stand_in(labeller: str) -> str:
    """Return the sentence that says what the labels are worth; empty where the labeller is a DFT engine."""
    if labeller.lower() not in LABELLERS:
        return ""
    name, kind = LABELLERS[labeller.lower()]
    return f"Labels by {kind}: the loop is real, the numbers are {name}'s, not DFT."


def labeller_name(labeller: str) -> str:
    """Return the labeller's name in print."""
    return LABELLERS.get(labeller.lower(), (labeller, ""))[0]


def render_html(data: ReportData) -> str:
    """Return the report."""
    environment = Environment(
        loader=PackageLoader("aiida_seireact.cli", "render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, fixed=fixed, duration=duration, percent=percent)
    page: str = environment.get_template("report.html.j2").render(
        data=data,
        content=data.content,
        pictures=draw(data),
        processes=in_call_order(data.processes),
        stand_in=stand_in(data.labeller),
        labeller=labeller_name(data.labeller) or "the labeller",
        n_failed=sum(process.is_failed for process in data.processes),
        n_cached=sum(process.member.from_cache for process in data.processes),
        error_rows=error_rows(data),
        stopped=stop_message(data.content.get("production_stopped_by")),
        unrecognised=unrecognised_electrolyte(data),
        version=__version__,
    )
    return page


def error_rows(data: ReportData) -> list[dict[str, Any]]:
    """Return the rows of the table of errors: all held-out frames first, then each config type."""
    rows = []
    if data.metrics.get("all"):
        rows.append({"type": "all", **data.metrics["all"]})
    by_type = data.content.get("errors_by_type") or {}
    rows += [{"type": name, **by_type[name]} for name in sorted(by_type)]
    for row in rows:
        error, rms = row.get("force_rmse_ev_per_ang"), row.get("force_rms_ev_per_ang")
        row["ratio"] = error / rms if error is not None and rms else None
    return rows


def stop_message(stopped_by: Any) -> str:
    """Return the sentence of the rule that ended the production run, empty if none did."""
    if not stopped_by:
        return ""
    return str(stopped_by.get("message", stopped_by)) if isinstance(stopped_by, dict) else str(stopped_by)


def unrecognised_electrolyte(data: ReportData) -> str:
    """Return the electrolyte's name if it was there at the start and not recognised; else an empty text."""
    first = (data.content.get("phase_fractions") or {}).get("first") or {}
    is_there = bool(data.content.get("ps4_intact_start"))
    return ELECTROLYTE if is_there and first.get(ELECTROLYTE) == 0 else ""


def draw(data: ReportData) -> dict[str, Picture]:
    """Draw every figure whose data are there."""
    drawn: dict[str, tuple[Figure, str, str]] = {}
    for name, parity in data.parity.items():
        error = float(np.sqrt(np.mean((parity.predicted - parity.reference) ** 2)))
        drawn[f"parity_{name}"] = (
            figures.parity(
                parity.reference, parity.predicted, parity.kinds.tolist(),
                title=name.capitalize() + (" per atom, from its mean" if name == "energy" else ""),
                unit=parity.unit, centred=name == "energy",
            ),
            f"Predicted against labelled {name} of {len(parity.reference)} held-out values; the points scatter about "
            f"the diagonal with a root mean square error of {error:.3g} {parity.unit}.",
            "",
        )  # fmt: skip
    _draw_training(data, drawn)
    _draw_run(data, drawn)
    _draw_phases(data, drawn)
    return {
        name: Picture(inline_svg(figure, name, alt), alt, caption) for name, (figure, alt, caption) in drawn.items()
    }


def _draw_training(data: ReportData, drawn: dict[str, tuple[Figure, str, str]]) -> None:
    if data.epoch is None or not data.curve:
        return
    best = data.metrics.get("best_epoch")
    drawn["curve"] = (
        figures.training_curve(data.epoch, data.curve, best=best),
        f"Training curve over {len(data.epoch)} epochs: "
        + "; ".join(f"{name} from {_first(values):.3g} to {_last(values):.3g}" for name, values in data.curve.items())
        + (f"; the weights of epoch {best} were kept." if best is not None else "."),
        "Validation frames choose the epoch whose weights are kept; the errors above are of a third set.",
    )


def _first(values: Any) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known[0]) if len(known) else float("nan")


def _last(values: Any) -> float:
    return _first(np.asarray(values)[::-1])


def _draw_run(data: ReportData, drawn: dict[str, tuple[Figure, str, str]]) -> None:
    thermo, atoms = data.thermo, data.run.get("n_atoms")
    energy = next((name for name in ("pe", "poteng", "etotal") if name in thermo), None)
    volume = next((name for name in ("vol", "volume") if name in thermo), None)
    series: dict[str, Any] = {}
    if "temp" in thermo:
        series["temperature (K)"] = thermo["temp"]
    if energy and atoms:
        series["potential energy (eV/atom)"] = thermo[energy] / atoms
    if volume and atoms:
        series["volume (Å³/atom)"] = thermo[volume] / atoms
    if series and len(thermo["time_ps"]) > 1:
        drawn["thermo"] = (
            figures.time_series(thermo["time_ps"], series),
            "Traces of the production run: "
            + "; ".join(f"{name} from {values[0]:.4g} to {values[-1]:.4g}" for name, values in series.items())
            + ".",
            "",
        )
    if data.ps4 is not None:
        time, counts, total = data.ps4
        drawn["ps4"] = (
            figures.counts_in_time(time, counts, total=total, label="intact PS₄"),
            f"Intact PS4 tetrahedra against time: {counts[0]:g} of {total} at the start, {counts[-1]:g} at the end.",
            "",
        )
    if data.thickness is not None:
        time, curves = data.thickness
        drawn["thickness"] = (
            figures.lines(time, curves, xlabel="time (ps)", ylabel="thickness (Å)"),
            "Thickness of the interphase against time: "
            + "; ".join(f"{name} {_first(values):.3g} to {_last(values):.3g} Å" for name, values in curves.items())
            + ".",
            "",
        )
    if data.distributions is not None:
        r, pairs = data.distributions
        drawn["rdf"] = (
            figures.pair_distributions(r, pairs),
            f"Partial radial distribution functions of {', '.join(pairs)}.",
            f"Averaged over {', '.join(next(iter(pairs.values())))} of the run." if pairs else "",
        )
    if data.displacements is not None:
        time, curves = data.displacements
        drawn["msd"] = (
            figures.lines(time, curves, xlabel="lag (ps)", ylabel="mean squared displacement (Å²)"),
            f"Mean squared displacement of {', '.join(curves)} against the lag.",
            "",
        )


def _draw_phases(data: ReportData, drawn: dict[str, tuple[Figure, str, str]]) -> None:
    if data.fractions is not None:
        time, curves, of = data.fractions
        drawn["fractions"] = (
            figures.fractions_in_time(time, curves, of=of),
            f"Fractions of {of} against time: "
            + "; ".join(
                f"{name} {100 * values[0]:.0f} % to {100 * values[-1]:.0f} %" for name, values in curves.items()
            )
            + ".",
            "",
        )
    if data.profile is not None:
        z, panels, ylabel = data.profile
        drawn["profile"] = (
            figures.profile(z, panels, ylabel=ylabel),
            "Where along the long axis of the cell each phase is, " + " and ".join(panels) + ".",
            "",
        )
    if data.picture:
        moments = {
            title: {
                "positions": moment.positions, "symbols": moment.symbols, "cell": moment.cell, "phases": moment.phases
            }
            for title, moment in data.picture.items()
        }  # fmt: skip
        drawn["picture"] = (
            figures.cell_picture(moments),
            "The cell seen along y, lithium atoms coloured by the phase they are recognised as, "
            + " and ".join(moments)
            + ".",
            "",
        )


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
    svg = svg.replace(figures.INK, "currentColor")
    width, height = (float(size) for size in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    head = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{Markup.escape(alt)}" stroke-linejoin="round" style="max-width:{width * 1.25:.0f}px">'
    )
    body = re.sub(r"\n\s*", " ", svg[svg.index(">") + 1 :].strip())
    return Markup(head + body)


def number(value: Any, digits: int = 3) -> str:
    """Format a number for people: significant digits, thousands apart, a dash for what is not known."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 10**digits):
        return f"{int(value):,}".replace(",", "\u202f")
    if not np.isfinite(value):
        return "–"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}".replace(",", "\u202f")


def fixed(value: Any, decimals: int) -> str:
    """Format a number for a column: always as many decimals."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{decimals}f}"


def percent(value: Any, decimals: int = 0) -> str:
    """Format a fraction as a percentage."""
    return "–" if value is None else f"{100 * float(value):.{decimals}f}\u202f%"


def duration(seconds: float | None) -> str:
    """Format seconds for people."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"

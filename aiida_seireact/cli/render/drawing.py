"""From what was gathered to the pictures of the page: inline SVG, each with words for those who do not see it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from aiida_seireact.cli.render import figures, figures_cell
from aiida_seireact.cli.render.draw_learning import draw_augmentation, draw_exploration
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.models import Model
from aiida_seireact.cli.render.runs import Run
from aiida_seireact.figures import style

FIRST_RUN, LAST_RUN = "first model", "model after augmentation"

Drawn = dict[str, tuple[Figure, str, str]]
"""By name: figure, words for those who do not see it, caption."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page, with the words for those who do not see it."""

    svg: Markup
    alt: str
    caption: str


def draw(data: ReportData) -> dict[str, Picture]:
    """Draw every figure whose data are there."""
    drawn: Drawn = {}
    # The model that learned from the first labels; what augmentation changed is shown by itself.
    _draw_model(data.first_model or data.model, drawn)
    if data.first_model is not None:
        _draw_curve(data.model, "curve_last", drawn)
    if data.exploration is not None:
        draw_exploration(data.exploration, drawn)
    if data.augmentation is not None:
        draw_augmentation(data.augmentation, drawn)
    _draw_run(data, drawn)
    _draw_phases(data, drawn)
    return {
        name: Picture(inline_svg(figure, name, alt), alt, caption) for name, (figure, alt, caption) in drawn.items()
    }


def runs_of(data: ReportData) -> dict[str, Run]:
    """Return the runs of the interface by name, the last one last."""
    if data.first_run is None:
        return {"the run": data.run}
    return {FIRST_RUN: data.first_run, LAST_RUN: data.run}


def _draw_model(model: Model, drawn: Drawn) -> None:
    for name, parity in model.parity.items():
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
    _draw_curve(model, "curve", drawn)


def _draw_curve(model: Model, key: str, drawn: Drawn) -> None:
    if model.epoch is None or not model.curve:
        return
    best = model.metrics.get("best_epoch")
    drawn[key] = (
        figures.training_curve(model.epoch, model.curve, best=best),
        f"Training curve over {len(model.epoch)} epochs: "
        + "; ".join(
            f"{name} from {first_of(values):.3g} to {last_of(values):.3g}" for name, values in model.curve.items()
        )
        + (f"; the weights of epoch {best} were kept." if best is not None else "."),
        "Validation frames choose the epoch whose weights are kept; the errors in the table are of a third set.",
    )


def first_of(values: Any) -> float:
    """Return the first known value."""
    known = np.asarray(values)[np.isfinite(values)]
    return float(known[0]) if len(known) else float("nan")


def last_of(values: Any) -> float:
    """Return the last known value."""
    return first_of(np.asarray(values)[::-1])


def _draw_run(data: ReportData, drawn: Drawn) -> None:
    run = data.run
    thermo, atoms = run.thermo, run.facts.get("n_atoms")
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
    counted = {name: each.ps4 for name, each in runs_of(data).items() if each.ps4 is not None}
    if counted:
        total = max(most for _, _, most in counted.values())
        drawn["ps4"] = (
            figures.counts_in_time(
                {name: (time, counts) for name, (time, counts, _) in counted.items()}, total=total, label="intact PS₄"
            ),
            "Intact PS4 tetrahedra against time: "
            + "; ".join(
                f"{name}, {counts[0]:g} of {total} at the start, {counts[-1]:g} at the end"
                for name, (_, counts, _) in counted.items()
            )
            + ".",
            "",
        )
    if data.run.thickness is not None:
        time, curves = data.run.thickness
        drawn["thickness"] = (
            figures.lines(time, curves, xlabel="time (ps)", ylabel="thickness (Å)"),
            "Thickness of the interphase against time: "
            + "; ".join(f"{name} {first_of(values):.3g} to {last_of(values):.3g} Å" for name, values in curves.items())
            + ".",
            "",
        )
    if data.run.distributions is not None:
        r, pairs = data.run.distributions
        drawn["rdf"] = (
            figures.pair_distributions(r, pairs),
            f"Partial radial distribution functions of {', '.join(pairs)}.",
            f"Averaged over {', '.join(next(iter(pairs.values())))} of the run." if pairs else "",
        )
    if data.run.displacements is not None:
        time, curves = data.run.displacements
        drawn["msd"] = (
            figures.lines(time, curves, xlabel="lag (ps)", ylabel="mean squared displacement (Å²)"),
            f"Mean squared displacement of {', '.join(curves)} against the lag.",
            "",
        )


def _draw_phases(data: ReportData, drawn: Drawn) -> None:
    told = {name: each.fractions for name, each in runs_of(data).items() if each.fractions is not None}
    if told:
        of = next(iter(told.values()))[2]
        drawn["fractions"] = (
            figures.fractions_in_time({name: (time, curves) for name, (time, curves, _) in told.items()}, of=of),
            f"Fractions of {of} against time: "
            + ". ".join(
                f"{name}: "
                + ", ".join(
                    f"{phase} {100 * values[0]:.0f} % to {100 * values[-1]:.0f} %" for phase, values in curves.items()
                )
                for name, (_, curves, _) in told.items()
            )
            + ".",
            "",
        )
    if data.run.profile is not None:
        z, panels, ylabel = data.run.profile
        drawn["profile"] = (
            figures.profile(z, panels, ylabel=ylabel),
            "Where along the long axis of the cell each phase is, " + " and ".join(panels) + ".",
            "",
        )
    if data.run.picture:
        moments = {
            title: {
                "positions": moment.positions, "symbols": moment.symbols, "cell": moment.cell, "phases": moment.phases
            }
            for title, moment in data.run.picture.items()
        }  # fmt: skip
        drawn["picture"] = (
            figures_cell.cell_picture(moments),
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
    svg = svg.replace(style.INK, "currentColor")
    width, height = (float(size) for size in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    head = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{Markup.escape(alt)}" stroke-linejoin="round" style="max-width:{width * 1.25:.0f}px">'
    )
    body = re.sub(r"\n\s*", " ", svg[svg.index(">") + 1 :].strip())
    return Markup(head + body)

"""Several runs in one page: their numbers beside each other, figures on one axis, troubles and costs of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from aiida_seireact.cli.render.frame import live_parts, number_at, templates
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.models import ratio
from aiida_seireact.cli.render.pictures import Picture
from aiida_seireact.cli.render.runs import Moment
from aiida_seireact.cli.render.summary import summary_of
from aiida_seireact.cli.render.words import number, percent, stand_in


@dataclass(frozen=True)
class Column:
    """A number of every run: its heading, its key in the summary, how it is said."""

    title: str
    key: str
    show: Callable[[ReportData], str]


def _content(key: str) -> Callable[[ReportData], str]:
    return lambda data: number(data.content.get(key))


def _picoseconds(data: ReportData) -> str:
    steps, timestep = data.content.get("md_steps"), data.content.get("md_timestep_fs")
    return number(steps * timestep / 1000) if steps and timestep else "–"


def _recognised(data: ReportData) -> str:
    last = (data.content.get("phase_fractions") or {}).get("last") or {}
    return percent(1 - last["unknown"]) if "unknown" in last else "–"


COLUMNS = (
    Column("labels", "n_label_calls", _content("n_label_calls")),
    Column("frames", "n_frames", _content("n_frames")),
    Column("force error, eV/Å", "force_rmse_ev_per_ang", _content("force_rmse_ev_per_ang")),
    Column("of the rms force", "force_rmse_ev_per_ang", lambda data: percent(ratio(data.content))),
    Column("energy error, meV/atom", "energy_rmse_mev_per_atom", _content("energy_rmse_mev_per_atom")),
    Column("atoms", "md_atoms", _content("md_atoms")),
    Column("ps", "md_steps", _picoseconds),
    Column("intact PS₄, start", "ps4_intact_start", _content("ps4_intact_start")),
    Column("end", "ps4_intact_end", _content("ps4_intact_end")),
    Column("recognised at the end", "phase_fractions.last.unknown", _recognised),
    Column("verdict", "verdict", lambda data: data.judged.verdict.decision if data.judged.verdict else "–"),
)


def moments_of(runs: Sequence[ReportData]) -> dict[str, Moment]:
    """Return the cells of all runs, each under the name of its run."""
    return {
        f"{data.label or f'<{data.pk}>'}: {title}": moment
        for data in runs
        for title, moment in data.run.picture.items()
    }


def render_runs(runs: Sequence[ReportData], pictures: Mapping[str, Picture]) -> str:
    """Return the page of several runs."""
    environment = templates()
    troubles = [{"run": data.label or f"<{data.pk}>", **vars(trouble)} for data in runs for trouble in data.troubles]
    page: str = environment.get_template("runs.html.j2").render(
        **live_parts(pictures, moments_of(runs), [data.uuid for data in runs]),
        several=True,
        top=" ".join(str(data.pk) for data in runs),
        runs=runs,
        columns=COLUMNS,
        at=_at,
        troubles=troubles,
        ledger=[row for data in runs for row in data.ledger],
        bases=list(dict.fromkeys(words for data in runs for words in data.bases)),
        stand_ins=sorted({line for data in runs if (line := stand_in(data.labeller))}),
        step_of={},
        data=None,
    )
    return page


def summary_of_runs(runs: Sequence[ReportData]) -> dict[str, Any]:
    """Return ``summary.json`` of several runs: that of each under its PK, sources by keys that begin with ``runs.<pk>.``."""
    summaries = {str(data.pk): summary_of(data) for data in runs}
    sources = {f"runs.{pk}.{key}": source for pk, one in summaries.items() for key, source in one.pop("sources").items()}
    return {"schema": "seireact-summaries/1", "runs": summaries, "sources": sources}


def _at(data: ReportData, key: str) -> Markup:
    return number_at(data.sources, key, f"runs.{data.pk}.")

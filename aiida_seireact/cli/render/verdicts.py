"""A verdict, and two beside each other, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiida_seireact.formats.verdict import PRODUCTION, Verdict, VerdictLine

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {PRODUCTION: "green", "rejected": "red"}


def headline(verdict: Verdict) -> str:
    """Return the decision in a line."""
    failed = len(verdict.failed)
    told = (
        f"{len(verdict.lines)} numbers meet their targets" if not failed else f"{failed} of {len(verdict.lines)} miss"
    )
    return f"{verdict.decision}: {told} (scorecard {verdict.scorecard}, model {verdict.model_hash[:12]})"


def scorecard_table(verdict: Verdict, why: Mapping[str, str] | None = None) -> Table:
    """Return the lines as a table, each with its number, the labeller's and the target.

    :param why: by line, what goes wrong with a model that fails it; told of those that failed.
    """
    from rich.table import Table

    table = Table(title=headline(verdict), title_justify="left", title_style=COLOURS[verdict.decision])
    for name in ("line", "of", "what", "value", "labeller", "target", ""):
        number = name in ("value", "labeller")
        table.add_column(name, justify="right" if number else "left", no_wrap=number or not name, overflow="fold")
    before = ""
    for line in verdict.lines:
        table.add_row(
            line.name if line.name != before else "",
            line.subject,
            line.quantity,
            number_of(line),
            "" if line.reference is None else f"{line.reference:.4g}",
            line.target,
            "ok" if line.passed else "MISSED",
            style=None if line.passed else "red",
        )
        before = line.name
    table.caption = "\n".join(_told(line, (why or {}).get(line.name, "")) for line in verdict.failed) or None
    table.caption_justify = "left"
    return table


def number_of(line: VerdictLine) -> str:
    """Return the value of a line with its error and unit."""
    if line.value is None:
        return "no number"
    error = "" if line.error is None else f" ± {line.error:.2g}"
    return f"{line.value:.4g}{error} {line.unit}".rstrip()


def side_by_side(names: tuple[str, str], verdicts: tuple[Verdict | None, Verdict | None]) -> Table:
    """Return the lines of two verdicts in one table; what only one has looked at is empty for the other."""
    from rich.table import Table

    table = Table(title="verdicts", title_justify="left")
    for name in ("line", "of", "what"):
        table.add_column(name, overflow="fold")
    for name in names:
        table.add_column(name, justify="right")
    for (name, subject, quantity), lines in paired(verdicts).items():
        cells = ["" if line is None else number_of(line) + ("" if line.passed else "  MISSED") for line in lines]
        missed = any(line is not None and not line.passed for line in lines)
        table.add_row(name, subject, quantity, *cells, style="red" if missed else None)
    return table


def paired(
    verdicts: tuple[Verdict | None, Verdict | None],
) -> dict[tuple[str, str, str], list[VerdictLine | None]]:
    """Return by name, subject and quantity the lines of two verdicts, None where one has not looked at it."""
    rows: dict[tuple[str, str, str], list[VerdictLine | None]] = {}
    for place, verdict in enumerate(verdicts):
        for line in [] if verdict is None else verdict.lines:
            rows.setdefault((line.name, line.subject, line.quantity), [None, None])[place] = line
    return rows


def error_rows(metrics: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the errors on a model's card, by what they are called in a table."""
    known = {
        "energy RMSE (meV/atom)": ("energy_rmse_mev_per_atom", "{:.1f}"),
        "force RMSE (eV/Å)": ("force_rmse_ev_per_ang", "{:.3f}"),
        "stress RMSE (GPa)": ("stress_rmse_gpa", "{:.2f}"),
    }
    found = metrics or {}
    return {name: form.format(found[key]) for name, (key, form) in known.items() if found.get(key) is not None}


def _told(line: VerdictLine, why: str) -> str:
    frames = f" Frames: {', '.join(frame[:12] for frame in line.frames)}." if line.frames else ""
    return f"{line.message}{frames}" + (f" ({why})" if why else "")

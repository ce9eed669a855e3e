"""Numbers, times and names as the report and the terminal say them."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.labellers import kind_of


def stand_in(labeller: str) -> str:
    """Return the sentence that says what the labels are worth; empty where the labeller is a DFT engine."""
    known = kind_of(labeller)
    return f"Labels by {known.what}: the loop is real, the numbers are {known.title}'s, not DFT." if known.what else ""


def labeller_name(labeller: str) -> str:
    """Return the labeller's name in print."""
    return kind_of(labeller).title


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


def hours(value: float) -> str:
    """Format hours of a ledger: three digits, nothing for none, and no more zeros than are read."""
    if not value:
        return ""
    return "< 0.001" if value < 0.001 else number(value)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless it is one."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"

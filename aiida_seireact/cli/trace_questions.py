"""What a person asks `trace` for, by the one word given: a node, a frame, a number of a report, a row of a CSV."""

from __future__ import annotations

import re
from pathlib import Path

import click

from aiida_seireact.cli._profile import load_node, load_process
from aiida_seireact.cli.trace_frames import FULL_LENGTH, FrameOrigin, frame_origin, frame_with_id
from aiida_seireact.cli.trace_numbers import Number, Report, read_report, report_of, row_of
from aiida_seireact.cli.tracing import Trace, trace, trace_number

HEX = re.compile(r"[0-9a-fA-F]+")
PK_DIGITS = 12
"""Digits alone are a PK, unless there are more."""


def answer(what: str | None, place: str | None, frame: int | None, row: int | None) -> Trace | FrameOrigin | Report:
    """Return the way back from what was asked for; a report whose keys are to be listed.

    :raises TraceError: the question does not fit what was found.
    :raises click.ClickException: nothing was found.
    """
    if row is not None and (what is None or Path(what).suffix != ".csv"):
        raise click.UsageError("--row is of the CSV of a figure: aiida-seireact trace figures/phases.csv --row 12.")
    if place is not None:
        if frame is not None:
            raise click.UsageError("--frame is of a shard or a dataset, --in of a number: give one of them.")
        report = _report(place)
        return report if what is None else _of_number(report.number(what))
    if what is None:
        raise click.UsageError("Give WHAT to trace: a PK, a UUID, a frame id, a CSV; or --in PK to list the numbers.")
    path = Path(what)
    if path.suffix == ".csv":
        return _of_number(row_of(path, row))
    if path.suffix == ".json" or path.is_dir():
        return read_report(path)
    if frame is not None:
        return frame_origin(load_node(what), frame)
    if _may_be_frame(what):
        return _frame_or_node(what)
    if not _may_be_node(what):
        raise click.ClickException(
            f"{what!r} is no PK, UUID, frame id or file. Of the key of a number say where: --in PK, or --in with the "
            "folder of a report."
        )
    return trace(load_node(what))


def _report(place: str) -> Report:
    path = Path(place)
    if path.exists() or path.suffix == ".json":
        return read_report(path)
    return report_of(load_process(place))


def _of_number(number: Number) -> Trace:
    return trace_number(number.name, number.text, number.nodes)


def _may_be_node(word: str) -> bool:
    return HEX.fullmatch(word.replace("-", "")) is not None


def _may_be_frame(word: str) -> bool:
    return HEX.fullmatch(word) is not None and not (word.isdigit() and len(word) <= PK_DIGITS)


def _frame_or_node(word: str) -> Trace | FrameOrigin:
    """Return the way back from a node or a frame, both told by hexadecimal digits; refuse what may be either."""
    if len(word) == FULL_LENGTH:
        return frame_origin(*frame_with_id(word))
    try:
        node = load_node(word)
    except click.ClickException as error:
        if "multiple" in str(error).lower():
            raise
        return frame_origin(*frame_with_id(word))
    return trace(node)

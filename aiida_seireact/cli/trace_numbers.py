"""Which nodes stand behind a number of a report, by its key, or behind a row of the CSV of a figure."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.orm import Node, ProcessNode, load_node

from aiida_seireact.cli.render.outputs import Outputs
from aiida_seireact.cli.render.sources import Source, source_of, sources_of, value_at
from aiida_seireact.cli.tracing import TraceError
from aiida_seireact.query.tree import processes_under

SUMMARY_FILE = "summary.json"
SCHEMAS = ("seireact-summary/1", "seireact-summaries/1")
"""Of a report of one run, and of several; keys of the latter begin with ``runs.<pk>.``."""
UUIDS = "node_uuid"
"""Column of the CSV of a figure: the nodes that hold the numbers of a row, with a space between."""
BOOKKEEPING = (UUIDS, "process_uuid", "run_uuid", "run", "stage", "part", "path", "group")
"""Columns that tell whose a row is, not what was found."""


@dataclass(frozen=True)
class Number:
    """A number, or several that stand side by side, and the nodes that hold them."""

    name: str
    value: Any
    """None where it is counted from what its node holds, and no file tells it."""
    where: str
    nodes: tuple[Node, ...]

    @property
    def text(self) -> str:
        """Return it in half a line."""
        value = "" if self.value is None else f" = {short(self.value)}"
        return f"{self.name}{value}{f', {self.where}' if self.where else ''}"


@dataclass(frozen=True)
class Report:
    """The numbers of a report that can be traced.

    :param content: of its ``summary.json``; None where it was read from the graph and not from a file.
    """

    name: str
    sources: Mapping[str, Source]
    content: Mapping[str, Any] | None = None

    def value(self, key: str) -> Any:
        """Return the number as the report has it; without a file, as its node has it, None of one that is counted.

        :raises KeyError: the report has no such number.
        """
        if self.content is not None:
            return value_at(self.content, key)
        source = source_of(self.sources, key)
        if source is None:
            raise KeyError(key)
        return value_at(_load(source.uuid).base.attributes.all, source.path) if source.is_value else None

    def number(self, key: str) -> Number:
        """Return a number by its key, or all whose keys begin so: ``phase_fractions.last.Li2S``, ``phase_fractions``.

        :raises TraceError: there is no such key, or its node holds another number than the file.
        """
        source = source_of(self.sources, key)
        if source is None:
            below = [other for other in self.sources if other.startswith(f"{key}.")]
            if not below:
                raise TraceError(self._unknown(key))
            parts = [self.number(other) for other in below]
            nodes = {node.uuid: node for part in parts for node in part.nodes}
            return Number(key, {part.name.removeprefix(f"{key}."): part.value for part in parts}, "",
                          tuple(nodes.values()))  # fmt: skip
        try:
            value = self.value(key)
        except KeyError:
            raise TraceError(self._unknown(key)) from None
        node = _load(source.uuid)
        held = value_at(node.base.attributes.all, source.path, None)
        if not source.is_value:
            return Number(key, value, f"counted from {source.path} of <{node.pk}>", (node,))
        if held != value:
            raise TraceError(
                f"{self.name} says {key} = {short(value)}, but {source.path or 'its node'} of node {node.pk} is "
                f"{short(held)}: the file was changed after it was written. Write the report again."
            )
        return Number(key, value, f"{source.path or 'all'} of <{node.pk}>", (node,))

    def _unknown(self, key: str) -> str:
        near = get_close_matches(key, list(self.sources), n=3)
        hint = f" Near: {', '.join(near)}." if near else ""
        return (
            f"{self.name} has no number {key!r} that a node holds.{hint} "
            f"`aiida-seireact trace --in {self.name}` lists all keys."
        )


def report_of(process: ProcessNode) -> Report:
    """Return what the report of a process would hold, read from the graph."""
    return Report(str(process.pk), sources_of(Outputs(process, processes_under(process))))


def read_report(path: Path) -> Report:
    """Return the numbers of a report on disk.

    :param path: its folder, or its ``summary.json``.
    :raises TraceError: it is none, or was written before reports named their sources.
    """
    file = path / SUMMARY_FILE if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TraceError(f"There is no {file}: `aiida-seireact report PK -o {path}` writes it.") from None
    except (OSError, ValueError) as error:
        raise TraceError(f"{file} can't be read: {error}") from None
    if not isinstance(content, dict) or content.get("schema") not in SCHEMAS:
        raise TraceError(f"{file} is no {SUMMARY_FILE} of a report ({SCHEMAS[0]}).")
    if "sources" not in content:
        raise TraceError(
            f"{file} does not tell its sources, as reports of older versions: `aiida-seireact report "
            f"{content.get('react_uuid', 'PK')}` writes it anew."
        )
    return Report(str(path), {key: Source(**told) for key, told in content["sources"].items()}, content)


def row_of(path: Path, row: int | None) -> Number:
    """Return a row of the CSV of a figure.

    :param row: counted from 0, the line of names not counted.
    :raises TraceError: no such file or row, no row asked for, or a table that does not name its nodes.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream, _long_cells():
            table = csv.DictReader(stream)
            names, rows = list(table.fieldnames or ()), list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path} can't be read: {error}") from None
    if UUIDS not in names:
        raise TraceError(
            f"{path} has no column {UUIDS}: only tables of `aiida-seireact figure`, `report` and `publish` name the "
            "nodes behind each row."
        )
    if row is None or not 0 <= row < len(rows):
        asked = "give one" if row is None else f"not {row}"
        raise TraceError(f"{path} has rows 0 to {len(rows) - 1}, {asked}: `aiida-seireact trace {path} --row 0`.")
    cells = rows[row]
    nodes = {uuid: _load(uuid) for uuid in cells[UUIDS].split()}
    if not nodes:
        raise TraceError(f"Row {row} of {path} names no node.")
    told = ", ".join(f"{name} {value}" for name, value in cells.items() if value and name not in BOOKKEEPING)
    return Number(f"row {row} of {path.name}", told, cells.get("path") or "", tuple(nodes.values()))


@contextmanager
def _long_cells() -> Iterator[None]:
    """Read cells of any length: those of a sum over many jobs hold more UUIDs than the 131,072 letters csv takes."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)  # it is one for the whole process


def short(value: Any) -> str:
    """Return a value in few letters; of a mapping or a list that is long, only how many there are."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping) and value and len(value) <= 8 and not any(
        isinstance(item, Mapping | list) for item in value.values()
    ):  # fmt: skip
        return ", ".join(f"{name} {short(item)}" for name, item in value.items())
    if isinstance(value, Mapping | list) and len(value) > 4:
        return f"{len(value)} values"
    return str(value) if isinstance(value, str) else json.dumps(value)


def _load(uuid: str) -> Node:
    try:
        return load_node(uuid=uuid)
    except (NotExistent, MultipleObjectsError, ValueError):
        raise TraceError(
            f"Node {uuid} is not in this profile: choose another by --profile, or import the archive that came with "
            "the report (`verdi archive import`)."
        ) from None

"""What the report shows of the scorecard: each number of the models beside its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiida_seireact.cli.render.outputs import FIRST, Outputs
from aiida_seireact.cli.render.words import number
from aiida_seireact.formats.verdict import PRODUCTION


@dataclass(frozen=True)
class Judged:
    """The verdicts on the models of a process; empty: nobody judged that model."""

    last: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.last or self.first)

    def words(self) -> str:
        """Return the decisions, in the order of the models."""
        return ", then ".join(verdict["decision"] for verdict in (self.first, self.last) if verdict)

    def sentence(self) -> str:
        """Return the decision on the last model judged and what it failed first."""
        verdict = self.last or self.first
        failed = [line for line in verdict["lines"] if not line["passed"]]
        if verdict["decision"] == PRODUCTION:
            return f"{PRODUCTION}: all {len(verdict['lines'])} numbers of the scorecard {verdict['scorecard']} hold"
        return f"{verdict['decision']}: {len(failed)} of {len(verdict['lines'])} numbers fail; {failed[0]['message']}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each number of the scorecard: of the first model, of the last, and its target."""
        table: dict[tuple[str, str, str], dict[str, Any]] = {}
        for model, verdict in (("first", self.first), ("last", self.last)):
            for line in verdict.get("lines", []):
                key = (line["name"], line["subject"], line["quantity"])
                row = table.setdefault(key, {**line, "first": None, "last": None})
                row[model] = {"passed": line["passed"], "value": value_of(line)}
        return list(table.values())


def value_of(line: dict[str, Any]) -> str:
    """Return the number of a line with its error and unit."""
    if line["value"] is None:
        return "no number"
    error = f" ± {number(line['error'])}" if line.get("error") is not None else ""
    return f"{number(line['value'])}{error} {line['unit']}".strip()


def read_judged(outputs: Outputs) -> Judged:
    """Read the verdicts of a process, or of its children while it runs."""
    last = outputs.find("verdict", quietly=True)
    first = outputs.find("verdict", FIRST, quietly=True) if outputs.has_first else None
    return Judged(*({} if node is None else node.get_dict() for node in (last, first)))

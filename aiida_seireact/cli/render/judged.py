"""What the report shows of the scorecard: each number of the models beside its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida_seireact.cli.render.outputs import FIRST, Outputs
from aiida_seireact.cli.render.verdicts import number_of, paired
from aiida_seireact.formats.verdict import PRODUCTION, Verdict


@dataclass(frozen=True)
class Judged:
    """The verdicts on the models of a process; None: nobody judged that model."""

    last: Verdict | None = None
    first: Verdict | None = None

    def __bool__(self) -> bool:
        return self.verdict is not None

    @property
    def verdict(self) -> Verdict | None:
        """On the last model that was judged."""
        return self.last or self.first

    def words(self) -> str:
        """Return the decisions, in the order of the models."""
        return ", then ".join(verdict.decision for verdict in (self.first, self.last) if verdict)

    def sentence(self) -> str:
        """Return the decision on the last model judged, and what it failed first; empty if nobody judged."""
        verdict = self.verdict
        if verdict is None:
            return ""
        if verdict.decision == PRODUCTION:
            return f"{PRODUCTION}: all {len(verdict.lines)} numbers of the scorecard {verdict.scorecard} hold"
        failed = verdict.failed
        return f"{verdict.decision}: {len(failed)} of {len(verdict.lines)} numbers fail; {failed[0].message}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each number of the scorecard: of the first model, of the last, and its target."""
        rows = []
        for (name, subject, quantity), lines in paired((self.first, self.last)).items():
            targets = [line.target for line in lines if line]
            told = [{"passed": line.passed, "value": number_of(line)} if line else None for line in lines]
            row = {"name": name, "subject": subject, "quantity": quantity, "target": targets[-1]}
            rows.append({**row, "first": told[0], "last": told[1]})
        return rows


def read_judged(outputs: Outputs) -> Judged:
    """Read the verdicts of a process, or of its children while it runs."""
    last = outputs.find("verdict", quietly=True)
    first = outputs.find("verdict", FIRST, quietly=True) if outputs.has_first else None
    return Judged(*(None if node is None else Verdict.model_validate(node.get_dict()) for node in (last, first)))

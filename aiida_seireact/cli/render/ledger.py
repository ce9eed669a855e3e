"""What a study took of computers, stage by stage: labels, jobs, core and GPU hours, wall time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiida import orm

from aiida_seireact.query import costs, labels

if TYPE_CHECKING:
    import pandas as pd

TOTAL = "total"
KINDS = {"label": "label", "learn": "learn", "train": "learn", "MD": "MD", "analyse": "analyse"}
"""Columns of the ledger by what a job was for; training is learning too."""
BASES = {
    "scheduler": "by the scheduler's accounts",
    "program": "by the programs' own clocks",
    "node": "from the making of a job to its end, waiting included",
    "node, result torn": "so too, since the result file of the program can't be read",
}
"""Where wall hours are from, as the page says it."""


@dataclass
class Cost:
    """A row of the ledger: one stage of one run, or the sum of a run.

    :param hours: core hours by `KINDS`.
    :param seconds: wall seconds during which something of it was under way; None where nobody knows.
    """

    run: str
    uuid: str
    stage: str
    n_labels: int = 0
    n_jobs: int = 0
    n_failed: int = 0
    n_from_cache: int = 0
    hours: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS.values(), 0.0))
    gpu_hours: float = 0.0
    seconds: float | None = None
    is_sum: bool = False

    @property
    def core_hours(self) -> float:
        """Of all kinds of jobs."""
        return sum(self.hours.values())

    def add(self, jobs: pd.DataFrame) -> None:
        """Add jobs of `query.costs`."""
        self.n_jobs += len(jobs)
        self.n_failed += int((jobs["state"] == "failed").sum() + (jobs["state"] == "killed").sum())
        self.n_from_cache += int(jobs["from_cache"].sum())
        self.gpu_hours += float(jobs["gpu_hours"].sum())
        for kind, hours in jobs.groupby("kind")["core_hours"].sum().items():
            self.hours[KINDS[str(kind)]] += float(hours)


def ledger_of(
    tops: Sequence[orm.ProcessNode], seconds: Mapping[str, Mapping[str, float]]
) -> tuple[list[Cost], list[str]]:
    """Return the ledger of some runs, each with its sum last, and where its hours are from.

    :param seconds: by UUID of a run the wall seconds of each stage, and their ``total``.
    """
    jobs, labelled = costs(tops), labels(tops)
    labelled = labelled[~labelled["reused"]]
    rows: list[Cost] = []
    for top in tops:
        mine, frames = jobs[jobs["run_uuid"] == top.uuid], labelled[labelled["run_uuid"] == top.uuid]
        known = seconds.get(top.uuid, {})
        stages = dict.fromkeys([*(name for name in known if name != TOTAL), *mine["stage"], *frames["stage"]])
        name = top.label or f"<{top.pk}>"
        total = Cost(name, top.uuid, "all", seconds=known.get(TOTAL), is_sum=True)
        for stage in stages:
            row = Cost(name, top.uuid, str(stage), seconds=known.get(stage))
            for one in (row, total):
                one.add(mine[mine["stage"] == stage])
                one.n_labels += int((frames["stage"] == stage).sum())
            rows.append(row)
        rows.append(total)
    bases = jobs["basis"].value_counts().to_dict()
    told = [f"{words} ({bases[name]} jobs)" for name, words in BASES.items() if bases.get(name)]
    return (rows, told) if len(jobs) else ([], [])

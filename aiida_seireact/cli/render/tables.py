"""The tables of the page as data: with them ``summary.json`` holds every number that a reader sees."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiida_seireact.cli.render.augmentation import error_changes
from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.ledger import Cost
from aiida_seireact.query.tree import Process, in_call_order

OF_RUN = ("n_atoms", "timestep_fs", "steps", "steps_asked", "stopped_by", "done")


def tables_of(data: ReportData) -> dict[str, Any]:
    """Return what the page shows as tables and the summary node does not hold: ``ledger``, ``troubles``, ``tables``.

    Nothing in them depends on when the page is made: what is not sealed has no time.
    """
    return {
        "ledger": [_cost(row) for row in data.ledger],
        "ledger_bases": data.bases,
        "troubles": [asdict(trouble) for trouble in data.troubles],
        "tables": {name: table for name, table in _tables(data).items() if table},
    }


def _tables(data: ReportData) -> dict[str, Any]:
    models = {"first": data.first_model, "last": data.model}
    runs = {"first": data.first_run, "last": data.run}
    tables: dict[str, Any] = {
        "errors": {name: model.error_rows() for name, model in models.items() if model and model.metrics},
        "runs": {name: _known(run.facts) for name, run in runs.items() if run and run.facts},
        "scorecard": data.judged.rows() if data.judged else [],
        "label_failures": data.label_failures,
        "conditions_so_far": [asdict(condition) for condition in data.conditions],
        "unknown_clusters": data.run.discovery,
        "closed_loop": data.closed,
        "processes": [_process(process) for process in in_call_order(data.processes)],
        "loop": {"n_first_labels": data.n_first_labels, "n_first_frames": data.n_first_frames},
    }
    if (explored := data.exploration) is not None:
        tables["exploration"] = {
            "conditions": {name: condition.numbers for name, condition in explored.conditions.items()},
            "n_calls": explored.n_calls,
            "rank_correlation": explored.rank_correlation,
            "verdict": explored.verdict,
        }
    if (augmented := data.augmentation) is not None:
        tables["augmentation"] = {
            "numbers": augmented.numbers,
            "errors": error_changes(augmented),
            "rounds": augmented.rounds,
            "n_chosen": {name: run.n_chosen for name, run in augmented.candidates.items()},
        }
    return tables


def _cost(row: Cost) -> dict[str, Any]:
    told = asdict(row)
    hours = told.pop("hours")
    return {**told, "core_hours": {**hours, "all": row.core_hours}}


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in OF_RUN if name in facts}


def _process(process: Process) -> dict[str, Any]:
    return {
        "uuid": process.member.uuid,
        "process": process.member.name,
        "depth": process.depth,
        "called_as": process.member.call_label,
        "state": process.verdict,
        "seconds": process.seconds if process.is_sealed else None,
        "from_cache": process.member.from_cache,
    }

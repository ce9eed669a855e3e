"""Learning on the fly: how each campaign went, when it called for labels, how wrong its GP was about the new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.query.arrays import arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph, Made
from aiida_seireact.query.sources import What
from aiida_seireact.query.tree import Process
from aiida_seireact.science.campaign_legs import Row, asked_since_call

CAMPAIGN = "CampaignWorkChain"
PREFIX = "campaign_"
SUMMARISE, NOTE = "summarise_campaign", "note_leg"
CALLED = "unsure"
"""Status of a leg that was ended by a call for labels."""

OF_CONDITION = {"condition": "str", "temperature_k": "float", "ensemble": "str"}
CAMPAIGN_COLUMNS = {
    **OF_CONDITION,
    "status": "str",
    "ended_by": "str",
    "stable": "bool",
    "n_legs": "int",
    "n_calls": "int",
    "n_asked": "int",
    "n_labels": "int",
    "n_sparse": "float",
    "steps": "int",
    "steps_asked": "float",
    "timestep_fs": "float",
    "time_ps": "float",
    "verdict": "str",
    "canary_force_rmse_ev_per_ang": "float",
    "canary_force_rms_ev_per_ang": "float",
    "is_over": "bool",
}
CALL_COLUMNS = {
    **OF_CONDITION, "call": "int", "leg": "int", "step": "int", "time_ps": "float", "n_asked": "float",
    "n_labelled": "float", "n_sparse": "float",
}  # fmt: skip
CANARY = (
    "n_atoms", "energy_error_mev_per_atom", "force_rmse_ev_per_ang", "force_rms_ev_per_ang", "stress_rmse_gpa",
    "max_std",
)  # fmt: skip
CANARY_COLUMNS = {
    **OF_CONDITION, "leg": "int", "step": "int", "time_ps": "float", "asked": "bool",
    **dict.fromkeys(CANARY, "float"),
}  # fmt: skip
UNCERTAINTY_COLUMNS = {
    **OF_CONDITION, "leg": "int", "step": "int", "time_ps": "float", "max_std": "float", "mean_std": "float",
}  # fmt: skip
ATOM_COLUMNS = {
    **OF_CONDITION, "leg": "int", "step": "int", "time_ps": "float", "std": "float", "force_error_ev_per_ang": "float",
    "force_ev_per_ang": "float",
}  # fmt: skip


@dataclass(frozen=True)
class Campaign:
    """One condition of learning on the fly.

    :param made: the node that tells how it went: its summary, or of one that still runs the course so far.
    :param settings: of its legs.
    """

    made: Made
    chain: Process
    settings: Mapping[str, Any]
    numbers: Mapping[str, Any]

    @property
    def condition(self) -> str:
        """Its name."""
        return self.chain.member.call_label.removeprefix(PREFIX) or self.chain.member.name

    @property
    def legs(self) -> list[Row]:
        """What `note_leg` has kept of each leg."""
        return list(self.numbers.get("legs") or [])

    @property
    def calls(self) -> list[tuple[int, Row]]:
        """Number, counted from 1, and row of each leg that ended by a call and was not given up."""
        return [
            (number, leg) for number, leg in enumerate(self.legs, 1) if leg["status"] == CALLED and not leg["given_up"]
        ]

    def columns(self) -> dict[str, Any]:
        """Return the source and what `OF_CONDITION` names."""
        return {
            **self.made.columns(),
            "condition": self.condition,
            "temperature_k": self.settings.get("temperature_k"),
            "ensemble": self.settings.get("ensemble"),
        }

    def times_ps(self, steps: Any) -> Any:
        """Return MD steps as times."""
        return np.asarray(steps, dtype=float) * float(self.settings.get("timestep_fs") or np.nan) / 1000


def campaigns(what: What) -> pd.DataFrame:
    """Return a row for each condition of learning on the fly that has finished a leg, also of one that still runs.

    ``n_calls`` legs ended by a call for labels; ``n_labels`` were made. ``verdict`` is what was said of its learning.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in campaigns_in(Graph(what)):
        told, legs = one.numbers, one.legs
        last = legs[-1] if legs else {}
        steps = int(last.get("step") or 0)
        blocks.append(
            {
                **one.columns(),
                "status": told.get("status"),
                "ended_by": told.get("ended_by"),
                "stable": bool(told.get("stable")),
                "n_legs": len(legs),
                "n_calls": len(one.calls),
                "n_asked": sum(leg.get("n_asked") or 0 for leg in legs),
                "n_labels": sum(leg.get("n_labelled") or 0 for leg in legs),
                "n_sparse": last.get("n_sparse"),
                "steps": steps,
                "steps_asked": one.settings.get("steps"),
                "timestep_fs": one.settings.get("timestep_fs"),
                "time_ps": float(one.times_ps(steps)),
                "verdict": (told.get("convergence") or {}).get("verdict"),
                **{name: told.get(name) for name in ("canary_force_rmse_ev_per_ang", "canary_force_rms_ev_per_ang")},
                "is_over": one.made.process.member.name == SUMMARISE,
            }
        )
    return table(CAMPAIGN_COLUMNS, blocks)


def calls(what: What) -> pd.DataFrame:
    """Return a row for each call for labels of each condition, in order of time.

    ``call`` counts them from 1. Calls of legs that were given up, their frame having no label, are left out.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in campaigns_in(Graph(what)):
        for number, (leg_number, leg) in enumerate(one.calls, 1):
            blocks.append(
                {
                    **one.columns(),
                    "call": number,
                    "leg": leg_number,
                    "step": leg["asked_step"],
                    "time_ps": float(one.times_ps(leg["asked_step"])),
                    "n_asked": asked_since_call(one.legs[:leg_number]),
                    **{name: leg.get(name) for name in ("n_labelled", "n_sparse")},
                }
            )
    return table(CALL_COLUMNS, blocks)


def canaries(what: What) -> pd.DataFrame:
    """Return a row for each new label of each condition: how wrong the GP was about it before it was learned.

    ``asked`` tells whether the threshold asked for it; the others were labelled along the way.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in campaigns_in(Graph(what)):
        asked = {leg["asked_step"] for _, leg in one.calls}
        for row in one.numbers.get("canary") or []:
            blocks.append(
                {
                    **one.columns(),
                    "leg": row.get("leg", 0),
                    "step": row["md_step"],
                    "time_ps": float(one.times_ps(row["md_step"])),
                    "asked": row["md_step"] in asked,
                    **{name: row.get(name) for name in CANARY},
                }
            )
    return table(CANARY_COLUMNS, blocks)


def uncertainties(what: What) -> pd.DataFrame:
    """Return a row for each MD step of each leg of learning on the fly: the uncertainty of the GP, in its own units.

    ``leg`` is that of `calls` and `canaries`; a leg that ended and was not noted by its campaign has no rows.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    return _of_legs(graph, "trace", UNCERTAINTY_COLUMNS, {"max_std": "max_std", "mean_std": "mean_std"}, "step")


def canary_atoms(what: What) -> pd.DataFrame:
    """Return a row for each atom of each new label: its uncertainty, and how wrong its force was before it was learned.

    ``leg`` is that of `calls` and `canaries`; a leg that ended and was not noted by its campaign has no rows.

    :raises QueryError: not a process.
    """
    columns = {"std": "std", "force_error_ev_per_ang": "force_error", "force_ev_per_ang": "force_norm"}
    return _of_legs(Graph(what), "canary", ATOM_COLUMNS, columns, "md_step")


# ------------------------------------------------------------------------------------ where it is
LEG_JOB = "aiida.calculations:seireact.flare"


def campaigns_in(graph: Graph) -> list[Campaign]:
    """Return the campaigns of which something is known, in the order they were begun."""
    found = []
    told = ("legs", "canary", "convergence", "status", "ended_by", "stable", "canary_force_rmse_ev_per_ang",
            "canary_force_rms_ev_per_ang")  # fmt: skip
    made = graph.made(orm.Dict, by=(SUMMARISE, NOTE), told=told)
    chains = {
        (run_uuid, one.pk): one
        for _, run_uuid, processes in graph.trees
        for one in processes
        if one.member.name == CAMPAIGN
    }
    settings = {pk: rows[0].pk for pk, rows in graph.given(chains.values(), orm.Dict, "parameters").items()}
    held = _dicts(list(settings.values()))
    last: dict[tuple[str, int], Made] = {}
    for one in made:
        key = (one.run_uuid, one.process.member.caller or 0)
        # The last note is the whole course; a summary, which comes after all notes, knows more.
        if key in chains:
            last[key] = one
    for key, chain in chains.items():
        if key in last:
            mine = held.get(settings.get(key[1], 0), {})
            found.append(Campaign(last[key], chain, mine, last[key].told))
    return found


def _dicts(pks: list[int]) -> dict[int, dict[str, Any]]:
    if not pks:
        return {}
    return dict(orm.QueryBuilder().append(orm.Dict, filters={"id": {"in": pks}}, project=["id", "attributes"]).all())


def _of_legs(graph: Graph, link: str, columns: Mapping[str, str], wanted: Mapping[str, str], step: str) -> pd.DataFrame:
    """Return a table of an array output of each leg."""
    made = graph.made(orm.ArrayData, by=(LEG_JOB,), links=(link,))
    campaign_of, number_of = _campaigns_above(graph, made), _noted(graph)
    arrays = arrays_of((one.pk for one in made), (step, *wanted.values()))
    blocks = []
    for one in made:
        chain, number = campaign_of.get((one.run_uuid, one.process.pk)), number_of.get(one.process.pk)
        held = arrays[one.pk]
        if chain is None or number is None or step not in held:
            continue
        steps = held[step].astype(np.int64)
        values = {name: held[array] for name, array in wanted.items() if array in held}
        source = {**chain.columns(), **one.columns()}
        blocks.append({**source, "leg": number, "step": steps, "time_ps": chain.times_ps(steps), **values})
    return table(columns, blocks)


def _noted(graph: Graph) -> dict[int, int]:
    """Return by PK of a leg job the number of its leg, from 1: that which `note_leg` gave it by noting it.

    The note was given the output ``leg`` of the job. A leg that has none is not one of the course.
    """
    notes = graph.made(orm.Dict, by=(NOTE,))
    given = graph.given([one.process for one in notes], orm.Dict, "leg")
    job_of = {one.pk: one.process.pk for one in graph.made(orm.Dict, by=(LEG_JOB,), links=("leg",))}
    noted: dict[tuple[str, int | None], int] = {}
    numbers: dict[int, int] = {}
    for note in notes:
        campaign = (note.run_uuid, note.process.member.caller)
        noted[campaign] = noted.get(campaign, 0) + 1
        for leg in given.get(note.process.pk, []):
            if leg.pk in job_of:
                numbers[job_of[leg.pk]] = noted[campaign]
    return numbers


def _campaigns_above(graph: Graph, made: list[Made]) -> dict[tuple[str, int], Campaign]:
    """Return by run and PK of a leg job the campaign it belongs to."""
    known = {(one.made.run_uuid, one.chain.pk): one for one in campaigns_in(graph)}
    found: dict[tuple[str, int], Campaign] = {}
    wanted = {(one.run_uuid, one.process.pk) for one in made}
    for _, run_uuid, processes in graph.trees:
        by_pk = {one.pk: one for one in processes}
        for one in processes:
            if (run_uuid, one.pk) not in wanted:
                continue
            above: Process | None = one
            while above is not None and (run_uuid, above.pk) not in known:
                above = by_pk.get(above.member.caller or 0)
            if above is not None:
                found[run_uuid, one.pk] = known[run_uuid, above.pk]
    return found

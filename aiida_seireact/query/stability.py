"""Energies of phases: what two of them become, how far each lies above the hull, band gaps."""

from __future__ import annotations

from typing import Any

import pandas as pd
from aiida import orm

from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What

PREDICT, PLACE = "predict_products", "place_on_hull"
GAPS = ("collect_pw_gaps", "collect_vasp_gaps")

HULL_COLUMNS = {
    "phase": "str", "formula": "str", "kind": "str", "energy_ev_per_atom": "float", "formation_ev_per_atom": "float",
    "above_hull_mev_per_atom": "float", "degeneracy": "float", "level": "str", "source": "str",
}  # fmt: skip
TEMPERATURE_COLUMNS = {
    "temperature_k": "float", "estimate": "str", "above_hull_mev_per_atom": "float", "ts_mev_per_atom": "float",
    "level": "str",
}  # fmt: skip
PRODUCT_COLUMNS = {
    "first": "str", "second": "str", "mixing_fraction": "float", "energy_ev_per_atom": "float", "energy_ev": "float",
    "reaction": "str", "products": "str", "is_lithiation_end": "bool", "is_strongest": "bool", "level": "str",
}  # fmt: skip
GAP_COLUMNS = {
    "name": "str", "gap_ev": "float", "direct_ev": "float", "vbm_ev": "float", "cbm_ev": "float", "metallic": "object",
    "remark": "str", "program": "str", "method": "str", "structure_id": "str",
}  # fmt: skip


def hull(what: What) -> pd.DataFrame:
    """Return a row for each phase whose energy was set beside the hull of others.

    ``kind`` is ``phase`` (of the hull, or of a prediction of products), or ``ordering`` of a composition that was
    placed on the hull, with its ``degeneracy``.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    blocks: list[dict[str, Any]] = []
    for one in graph.made(orm.Dict, by=(PREDICT,), told=("phases", "level")):
        blocks += [_placed(one.columns(), row, "phase", one.told["level"]) for row in one.told["phases"] or []]
    for one in graph.made(orm.Dict, by=(PLACE,), told=("orderings", "hull", "level")):
        for kind, rows in (("phase", one.told["hull"]), ("ordering", one.told["orderings"])):
            blocks += [_placed(one.columns(), row, kind, one.told["level"]) for row in rows or []]
    return table(HULL_COLUMNS, blocks)


def entropy(what: What) -> pd.DataFrame:
    """Return a row for each temperature and estimate: how far a disordered composition lies above the hull.

    ``estimate`` is ``ideal`` (shared sites filled at random) or ``ensemble`` (over the orderings of the cell).

    :raises QueryError: not a process.
    """
    blocks = []
    for one in Graph(what).made(orm.Dict, by=(PLACE,), told=("temperatures", "level")):
        for row in one.told["temperatures"] or []:
            for estimate in ("ideal", "ensemble"):
                values = {name: row[estimate][name] for name in ("above_hull_mev_per_atom", "ts_mev_per_atom")}
                of = {"temperature_k": row["temperature_k"], "estimate": estimate, "level": one.told["level"]}
                blocks.append({**one.columns(), **of, **values})
    return table(TEMPERATURE_COLUMNS, blocks)


def products(what: What) -> pd.DataFrame:
    """Return a row for each kink: what two phases become at a mixing fraction, and the energy of the reaction.

    ``mixing_fraction`` is the fraction of the atoms that come from the ``first`` phase.

    :raises QueryError: not a process.
    """
    told = ("first", "second", "kinks", "strongest", "lithiation_end", "level")
    blocks = []
    for one in Graph(what).made(orm.Dict, by=(PREDICT,), told=told):
        for number, kink in enumerate(one.told["kinks"] or []):
            names = ("mixing_fraction", "energy_ev_per_atom", "energy_ev", "reaction")
            blocks.append(
                {
                    **one.columns(),
                    **{name: one.told[name] for name in ("first", "second", "level")},
                    **{name: kink[name] for name in names},
                    "products": " + ".join(f"{amount:g} {phase}" for phase, amount in kink["products"].items()),
                    "is_lithiation_end": number == one.told["lithiation_end"],
                    "is_strongest": number == one.told["strongest"],
                }
            )
    return table(PRODUCT_COLUMNS, blocks)


def gaps(what: What) -> pd.DataFrame:
    """Return a row for each cell whose band gap was computed; ``remark`` tells why one has none.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in Graph(what).made(orm.Dict, by=GAPS, told=("gaps", "program", "method")):
        of = {name: one.told[name] for name in ("program", "method")}
        blocks += [{**one.columns(), **of, **row} for row in one.told["gaps"] or []]
    return table(GAP_COLUMNS, blocks)


def _placed(source: dict[str, Any], row: dict[str, Any], kind: str, level: str) -> dict[str, Any]:
    above = row.get("above_hull_mev_per_atom")
    if above is None and row.get("above_hull_ev_per_atom") is not None:
        above = 1000 * row["above_hull_ev_per_atom"]
    names = ("formula", "energy_ev_per_atom", "formation_ev_per_atom", "degeneracy", "source")
    values = {name: row.get(name) for name in names}
    return {**source, **values, "phase": row["name"], "kind": kind, "level": level, "above_hull_mev_per_atom": above}

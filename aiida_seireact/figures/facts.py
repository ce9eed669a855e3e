"""What tells runs apart: size, temperature, coating, model, seed; by the trajectory of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm
from numpy.typing import NDArray

from aiida_seireact.figures.chart import Colour
from aiida_seireact.figures.figure import RUN_UUID, FigureError

GROUP, MEMBER = "colour", "member"
"""Columns of a prepared table: what gives a point its colour, and the run it belongs to."""
RUN_OF = "trajectory_uuid"
BARE, NOT_KNOWN, ALL_RUNS = "bare", "not known", "all runs"
PART = {"first": "first model", "closed": "loop closed"}
PARTS = ("first", "", "closed")
"""Parts of a study in their order."""
COLUMN = {"size": "n_atoms", "temperature": "temperature_k", "coating": "coating", "model": "model_hash"}
CONDITION = ("part", "n_atoms", "temperature_k", "pressure_gpa", "coating")
"""What runs of several seeds have in common."""


def facts_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Return for each MD run what tells it apart, by the UUID of its trajectory.

    :param runs: of `query.runs`.
    :returns: ``n_atoms``, ``temperature_k``, ``pressure_gpa``, ``coating``, ``model_hash``, ``velocity_seed``,
        ``content_hash``.
    """
    facts = runs.drop_duplicates("node_uuid").set_index("node_uuid")
    coatings = coatings_of(list(facts.index))
    facts = facts.assign(coating=[coatings.get(uuid, NOT_KNOWN) for uuid in facts.index])
    return facts[["n_atoms", "temperature_k", "pressure_gpa", "coating", "model_hash", "velocity_seed", "content_hash"]]


def coatings_of(trajectories: Sequence[str]) -> dict[str, str]:
    """Return the coating of the cell each trajectory began with, by UUID; those of no recipe of ours are not there.

    A coating is a phase that lies between two others more than once, as the recipe of the cell says.
    """
    if not trajectories:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.Data, filters={"uuid": {"in": list(trajectories)}}, project="uuid", tag="run")
    query.append(
        orm.ProcessNode, with_descendants="run",
        filters={"or": [{"attributes.process_label": "build_cell"},
                        {"process_type": "aiida.calculations:seireact.build"}]},
        tag="build",
    )  # fmt: skip
    query.append(orm.Dict, with_outgoing="build", edge_filters={"label": "recipe"}, project="attributes.slabs")
    return {uuid: coating_in(slabs) for uuid, slabs in query.distinct().all() if slabs}


def coating_in(slabs: Sequence[Mapping[str, Any]]) -> str:
    """Return what coats the boundaries of a stack, ``bare`` if nothing does."""
    counts = Counter(str(slab["phase"]) for slab in slabs)
    return " + ".join(sorted(phase for phase, count in counts.items() if count > 1)) or BARE


def with_groups(
    table: pd.DataFrame, facts: pd.DataFrame | None, colour: Colour, *, mean_over: str | None, member: str = ""
) -> pd.DataFrame:
    """Return a table with `GROUP`, what gives the colour, and `MEMBER`, the run; groups in the order they are drawn.

    :param facts: of :func:`facts_of`; None where they are not needed, see :func:`needs_facts`.
    :param member: column that tells apart what is drawn by itself; empty: the trajectory, else the run asked for.
    :raises FigureError: these numbers are of no run that the colour could tell of.
    """
    runs = table[RUN_OF].where(table[RUN_OF] != "", table[RUN_UUID]) if RUN_OF in table else table[RUN_UUID]
    of = table[member].astype(str) if member else runs.astype(str) + "/" + table["part"].astype(str)
    found = table.assign(**{MEMBER: of})
    if facts is not None and RUN_OF in table:
        told = facts.reindex(table[RUN_OF]).set_axis(table.index)
        found = found.assign(**{name: told[name].fillna(table[name]) if name in table else told[name] for name in told})
    if mean_over is not None:
        if "content_hash" not in found:
            raise FigureError("These numbers are of no MD run, so there is no mean over seeds.")
        names, order = _conditions(found, colour)
    elif colour == "run":
        names = told_apart(found, run_names(found))
        order = list(dict.fromkeys(names.iloc[np.argsort(_places(found), kind="stable")]))
    else:
        if COLUMN[colour] not in found:
            raise FigureError(f"Nothing tells the {colour} of these numbers: colour them by run.")
        names, order = _names_by(found, colour)
    places = {name: place for place, name in enumerate(order)}
    found = found.assign(**{GROUP: names})
    return found.iloc[np.argsort(names.map(places).to_numpy(), kind="stable")].reset_index(drop=True)


def needs_facts(colour: Colour, mean_over: str | None) -> bool:
    """Whether a figure must be told what its runs were."""
    return colour != "run" or mean_over is not None


def run_names(table: pd.DataFrame) -> pd.Series:
    """Return what each row's run is called: the label of its process, else the beginning of its UUID.

    A PK is another one in the next profile, and a figure must come out the same there. Parts of one study are told by
    what they are parts of.
    """
    labels = table["run"].astype(str).where(~table["run"].astype(str).str.startswith("<"), table[RUN_UUID].str[:8])
    parts = table["part"].map(lambda part: _text("part", part))
    if parts.nunique() == 1:
        return labels
    return parts if table[RUN_UUID].nunique() == 1 else labels.where(table["part"] == "", labels + ", " + parts)


def _places(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return where rows come: runs in the order they were asked for, of each the first model before the last."""
    runs = table.groupby(RUN_UUID, sort=False).ngroup().to_numpy()
    parts = table["part"].map(lambda part: PARTS.index(part) if part in PARTS else len(PARTS)).to_numpy()
    return np.asarray(runs * (len(PARTS) + 1) + parts, dtype=np.int64)


def told_apart(table: pd.DataFrame, names: pd.Series) -> pd.Series:
    """Return names of runs, with their places under the process asked for where several runs would have one name."""
    if "name" not in table or table.groupby(names, sort=False)[MEMBER].nunique().max() < 2:
        return names
    alike = table.groupby(names, sort=False)[MEMBER].transform("nunique") > 1
    longer = names + ", " + table["name"].astype(str) if names.nunique() > 1 else table["name"].astype(str)
    return names.where(~alike, longer)


def _names_by(table: pd.DataFrame, colour: Colour) -> tuple[pd.Series, list[str]]:
    values = table[COLUMN[colour]]
    names = values.map(lambda value: _text(colour, value))
    known = list(dict.fromkeys(values.dropna()))
    if colour != "model":
        known.sort(key=lambda value: (value == NOT_KNOWN, value != BARE, value))
    return names, list(dict.fromkeys([*(_text(colour, value) for value in known), *names]))


def _conditions(table: pd.DataFrame, colour: Colour) -> tuple[pd.Series, list[str]]:
    """Return the name of each row's condition: what differs between conditions, the colour first."""
    kinds = {column: kind for kind, column in COLUMN.items()}
    columns = [*CONDITION, *(["model_hash"] if colour == "model" else [])]
    present = [name for name in columns if name in table]
    differ = [name for name in present if table[name].astype(str).nunique() > 1]
    differ.sort(key=lambda name: kinds.get(name) != colour)
    if not differ:
        return pd.Series(ALL_RUNS, index=table.index), [ALL_RUNS]

    def named(row: Mapping[str, Any]) -> str:
        return ", ".join(filter(None, (_text(kinds.get(name, name), row[name]) for name in differ)))

    rows = table[differ].drop_duplicates().sort_values(differ, kind="stable")
    order = list(dict.fromkeys(named(row) for row in rows.to_dict("records")))
    return pd.Series([named(row) for row in table[differ].to_dict("records")], index=table.index), order


def _text(kind: str, value: Any) -> str:
    if value is None or value != value or value == "":
        return "last model" if kind == "part" else NOT_KNOWN
    if kind == "size":
        return f"{int(value):,} atoms".replace(",", "\u202f")
    if kind == "temperature":
        return f"{value:g} K"
    if kind == "pressure_gpa":
        return f"{value:g} GPa"
    if kind == "model":
        return f"model {str(value)[:8]}"
    if kind == "part":
        return PART.get(str(value), str(value))
    return str(value)

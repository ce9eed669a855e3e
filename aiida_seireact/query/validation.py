"""What a scorecard has found of a model: each number with its target, curves of energy against volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.query.arrays import arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What

JUDGE, VALIDATE = "judge", "aiida.calculations:seireact.validate"
STATIC = "static"
NUMBERS = ("value", "error", "reference", "reference_error")
TOLD = ("test", "subject", "quantity", "unit", "target", "message")

SCORE_COLUMNS = {
    "model_hash": "str", "scorecard": "str", "decision": "str", "line": "str", **dict.fromkeys(TOLD, "str"),
    **dict.fromkeys(NUMBERS, "float"), "passed": "bool",
}  # fmt: skip
EOS_COLUMNS = {
    "model_hash": "str", "line": "str", "phase": "str", "volume_ang3_per_atom": "float",
    "predicted_ev_per_atom": "float", "reference_ev_per_atom": "float", "frame_id": "str",
}  # fmt: skip


def scores(what: What) -> pd.DataFrame:
    """Return a row for each number of each verdict: the model's, the labeller's where there is one, and the target.

    :raises QueryError: not a process.
    """
    told = ("lines", "model_hash", "scorecard", "decision")
    blocks = []
    for one in Graph(what).made(orm.Dict, by=(JUDGE,), told=told):
        of = {name: one.told[name] for name in ("model_hash", "scorecard", "decision")}
        for line in one.told["lines"] or []:
            values = {name: line.get(name) for name in (*TOLD, *NUMBERS)}
            blocks.append({**one.columns(), **of, "line": line["name"], "passed": line["passed"], **values})
    return table(SCORE_COLUMNS, blocks)


def elastic(what: What) -> pd.DataFrame:
    """Return the rows of `scores` about elastic constants.

    :raises QueryError: not a process.
    """
    found = scores(what)
    return found[found["test"] == "elastic"].reset_index(drop=True)


def eos(what: What) -> pd.DataFrame:
    """Return a row for each strained cell of each phase: its volume, and its energy by the model and by the labeller.

    ``node_uuid`` is that of the predictions of `seireact.validate`; one cell that two lines look at has two rows.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    found = graph.made(orm.ArrayData, by=(VALIDATE,), links=("predictions",))
    names = ("part", "energy_predicted", "energy_reference", "n_atoms", "frame_ids")
    arrays = arrays_of((one.pk for one in found), names)
    makers = [one.process for one in found]
    parameters = graph.given(makers, orm.Dict, "parameters", ("scorecard", "asked"))
    models = graph.given(makers, orm.Data, "potential", ("model_hash",))
    cells = graph.given(makers, FramesData, "labelled")
    labelled = _frames({given.pk for rows in cells.values() for given in rows})
    blocks = []
    for one in found:
        given, held = parameters.get(one.process.pk), arrays[one.pk]
        if not given or one.process.pk not in cells or "part" not in held:
            continue
        frames = labelled[cells[one.process.pk][0].pk]
        # The labelled cells were predicted in their order.
        static = {name: values[held["part"] == STATIC] for name, values in held.items()}
        for line, subject, places in _curves(given[0].told, frames):
            n_atoms = static["n_atoms"][places].astype(float)
            energies = {
                f"{end}_ev_per_atom": static[f"energy_{end}"][places] / n_atoms for end in ("predicted", "reference")
            }
            volumes = np.abs(np.linalg.det(frames.cells[places])) / n_atoms
            model_hash = models[one.process.pk][0].told["model_hash"] if one.process.pk in models else None
            source = {**one.columns(), "model_hash": model_hash, "line": line, "phase": subject}
            ids = {"frame_id": static["frame_ids"][places]}
            blocks.append({**source, "volume_ang3_per_atom": volumes, **energies, **ids})
    return table(EOS_COLUMNS, blocks)


def _curves(told: Mapping[str, Any], frames: Frames) -> list[tuple[str, str, Any]]:
    """Return line, phase and places of its cells, by volume, of the lines about energy against volume."""
    place = {name: index for index, name in enumerate(frames.structure_ids)}
    lines = (told["scorecard"] or {}).get("lines") or {}
    curves = []
    for line, asked in (told["asked"] or {}).items():
        if (lines.get(line) or {}).get("test") != "eos":
            continue
        by_subject: dict[str, list[int]] = {}
        for cell in asked:
            if cell["structure_id"] in place:
                by_subject.setdefault(cell["subject"], []).append(place[cell["structure_id"]])
        for subject, places in by_subject.items():
            volumes = np.abs(np.linalg.det(frames.cells[places]))
            curves.append((line, subject, np.array(places)[np.argsort(volumes, kind="stable")]))
    return curves


def _frames(pks: set[int]) -> dict[int, Frames]:
    """Return by PK the columns of shards, whose settings nobody asks for here."""
    columns: dict[int, dict[str, Any]] = {pk: {**held} for pk, held in arrays_of(pks).items()}
    return {pk: Frames(**held) for pk, held in columns.items()}

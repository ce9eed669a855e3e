"""Trained models: their errors, the curves of their training, prediction against label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.query.arrays import Array, arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph, Made
from aiida_seireact.query.sources import What

TRAIN = "aiida.calculations:seireact.allegro"
EV_PER_ANG3_IN_GPA = 160.21766208

ERRORS = (
    "energy_rmse_mev_per_atom", "energy_mae_mev_per_atom", "force_rmse_ev_per_ang", "force_mae_ev_per_ang",
    "force_rms_ev_per_ang", "stress_rmse_gpa", "stress_mae_gpa",
)  # fmt: skip
"""Numbers of a row of `metrics`; one that a version did not tell is NaN."""
MODEL_COLUMNS = {
    "model_hash": "str",
    "kind": "str",
    "species": "str",
    "cutoff_ang": "float",
    "config_type": "str",
    "n_test_frames": "float",
    **dict.fromkeys(ERRORS, "float"),
    "n_train_frames": "float",
    "n_epochs": "float",
    "best_epoch": "float",
    "dataset_hash": "str",
    "n_frames": "float",
    "from_cache": "bool",
}
PARITY_COLUMNS = {
    "model_hash": "str",
    "predicted_by": "str",
    "quantity": "str",
    "unit": "str",
    "config_type": "str",
    "frame_id": "str",
    "component": "str",
    "reference": "float",
    "predicted": "float",
}
QUANTITIES = {"energy": "eV/atom", "forces": "eV/Å", "stress": "GPa"}
COMPONENTS = {"energy": ("",), "forces": ("x", "y", "z"), "stress": ("xx", "yy", "zz", "yz", "xz", "xy")}
PREDICTIONS = {"predictions": "model", "parent_predictions": "parent"}
"""Outputs of a training: of the new model, and of the one it started from, on the same frames."""
CURVES = {
    "val_forces_rmse_ev_ang": ("validation_force_rmse_ev_per_ang", 1.0),
    "val_energy_rmse_ev_atom": ("validation_energy_rmse_mev_per_atom", 1000.0),
    "val_stress_rmse_ev_ang3": ("validation_stress_rmse_gpa", EV_PER_ANG3_IN_GPA),
    "train_loss": ("training_loss", 1.0),
    "val_total": ("validation_loss", 1.0),
    "lr": ("learning_rate", 1.0),
}
"""Columns of the curve of a training: our name, and what turns them into that unit."""
CURVE_COLUMNS = {"model_hash": "str", "epoch": "float", **{name: "float" for name, _ in CURVES.values()}}


def models(what: What) -> pd.DataFrame:
    """Return a row for each trained model and config type of its test frames; ``all`` is over all of them.

    ``node_uuid`` is that of the model's package. A model that was tested on nothing has one row, without errors.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    card = ("model_hash", "kind", "species", "cutoff_ang", "dataset_hash")
    found = graph.made(PotentialData, by=(TRAIN,), links=("potential",), told=card)
    numbers = ("all", "by_type", "n_frames", "n_epochs", "best_epoch")
    metrics = {one.process.pk: one.told for one in graph.made(orm.Dict, by=(TRAIN,), links=("metrics",), told=numbers)}
    datasets = graph.given([one.process for one in found], DatasetData, "dataset", ("n_frames",))
    blocks = []
    for one in found:
        told = metrics.get(one.process.pk, dict.fromkeys(numbers))
        rows: dict[str, Mapping[str, Any]] = {"all": told["all"] or {}, **(told["by_type"] or {})}
        dataset = next(iter(datasets.get(one.process.pk, [])), None)
        for config_type, errors in rows.items():
            blocks.append(
                {
                    **one.columns(),
                    **one.told,
                    "species": "-".join(one.told["species"] or ()),
                    "config_type": config_type,
                    "n_test_frames": errors.get("n_frames"),
                    **{name: errors.get(name) for name in ERRORS},
                    "n_train_frames": (told["n_frames"] or {}).get("train"),
                    "n_epochs": told["n_epochs"],
                    "best_epoch": told["best_epoch"],
                    "n_frames": None if dataset is None else dataset.told["n_frames"],
                    "from_cache": one.process.member.from_cache,
                }
            )
    return table(MODEL_COLUMNS, blocks)


def curves(what: What) -> pd.DataFrame:
    """Return a row for each epoch of each training: errors on the validation frames and the losses.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    found = graph.made(orm.ArrayData, by=(TRAIN,), links=("curve",))
    arrays, hashes = arrays_of((one.pk for one in found), ("epoch", *CURVES)), _hashes(graph)
    blocks = []
    for one in found:
        held = arrays[one.pk]
        columns = {name: held[key] * factor for key, (name, factor) in CURVES.items() if key in held}
        blocks.append({**one.columns(), "model_hash": hashes.get(one.process.pk), "epoch": held["epoch"], **columns})
    return table(CURVE_COLUMNS, blocks)


def parity(what: What, quantity: str | None = None) -> pd.DataFrame:
    """Return a row for each number of each test frame of each model: the label, and what the model predicts.

    ``component`` is a direction (``x``) or a pair of them (``xx``, in the order of ASE); energies are per atom.
    ``predicted_by`` is ``model``, or ``parent`` for the model that a training started from, on the same frames.

    :param quantity: ``energy``, ``forces`` or ``stress``; all three if None.
    :raises QueryError: not a process.
    :raises ValueError: an unknown quantity.
    """
    if quantity is not None and quantity not in QUANTITIES:
        raise ValueError(f"There is no quantity {quantity!r}: use one of {', '.join(QUANTITIES)}.")
    wanted = [quantity] if quantity else list(QUANTITIES)
    graph = Graph(what)
    found = graph.made(orm.ArrayData, by=(TRAIN,), links=tuple(PREDICTIONS))
    names = [f"{name}_{end}" for name in wanted for end in ("reference", "predicted")]
    arrays = arrays_of((one.pk for one in found), ("config_type", "frame_ids", "n_atoms", *names))
    hashes, parents = _hashes(graph), _parents(graph, found)
    blocks = []
    for one in found:
        by = PREDICTIONS[one.link]
        model_hash = (hashes if by == "model" else parents).get(one.process.pk)
        for name in wanted:
            rows = parity_rows(arrays[one.pk], name)
            if rows:
                source = {**one.columns(), "model_hash": model_hash, "predicted_by": by}
                blocks.append({**source, "quantity": name, "unit": QUANTITIES[name], **rows})
    return table(PARITY_COLUMNS, blocks)


def parity_rows(arrays: Mapping[str, Array], quantity: str) -> dict[str, Array]:
    """Return the columns ``config_type``, ``frame_id``, ``component``, ``reference``, ``predicted`` of one quantity.

    :param arrays: of the output ``predictions`` of `seireact.allegro`; stress there is in eV/Å³.
    :returns: nothing where the frames have no such label.
    """
    if f"{quantity}_reference" not in arrays:
        return {}
    factor = EV_PER_ANG3_IN_GPA if quantity == "stress" else 1.0
    components = COMPONENTS[quantity]
    values = {
        end: np.asarray(arrays[f"{quantity}_{end}"], dtype=float).reshape(-1, len(components)) * factor
        for end in ("reference", "predicted")
    }
    frames = np.arange(len(arrays["config_type"]))
    if quantity == "forces":
        frames = np.repeat(frames, arrays["n_atoms"])
    frames = np.repeat(frames, len(components))
    return {
        "config_type": arrays["config_type"][frames],
        "frame_id": arrays["frame_ids"][frames],
        "component": np.tile(np.array(components, dtype=str), len(values["reference"])),
        "reference": values["reference"].ravel(),
        "predicted": values["predicted"].ravel(),
    }


def _hashes(graph: Graph) -> dict[int, str]:
    """Return by PK of a training the hash of its model."""
    found = graph.made(PotentialData, by=(TRAIN,), links=("potential",), told=("model_hash",))
    return {one.process.pk: str(one.told["model_hash"]) for one in found}


def _parents(graph: Graph, found: list[Made]) -> dict[int, str]:
    """Return by PK of a training the hash of the model it started from."""
    given = graph.given([one.process for one in found], PotentialData, "parent", ("model_hash",))
    return {pk: str(rows[0].told["model_hash"]) for pk, rows in given.items()}

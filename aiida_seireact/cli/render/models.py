"""What the report shows of a trained model: errors, the curve of its training, prediction against label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_seireact.cli.render.outputs import Outputs

EV_PER_ANG3_IN_GPA = 160.21766208

Array = NDArray[Any]

CURVES = {
    "val_forces_rmse_ev_ang": ("force error, validation (eV/Å)", 1.0),
    "val_energy_rmse_ev_atom": ("energy error, validation (meV/atom)", 1000.0),
    "val_stress_rmse_ev_ang3": ("stress error, validation (GPa)", EV_PER_ANG3_IN_GPA),
    "train_loss": ("training loss", 1.0),
}
"""Columns of the training curve that are shown: how they are called, and what turns them into that unit."""


@dataclass(frozen=True)
class Parity:
    """Reference and predicted values of one quantity, ``(n,)`` each, with the config type of each point."""

    reference: Array
    predicted: Array
    kinds: Array
    unit: str

    def of(self, kinds: set[str]) -> Parity:
        """Return the points of some config types only."""
        mine = np.isin(self.kinds, sorted(kinds))
        return Parity(self.reference[mine], self.predicted[mine], self.kinds[mine], self.unit)


@dataclass
class Model:
    """One trained model; what is empty or None is not there."""

    metrics: dict[str, Any] = field(default_factory=dict)
    model_hash: str = ""
    epoch: Array | None = None
    curve: dict[str, Array] = field(default_factory=dict)
    parity: dict[str, Parity] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, Any]:
        """Errors over all held-out frames."""
        return dict(self.metrics.get("all") or {})

    def error_rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table of errors: all held-out frames first, then each config type."""
        rows = [{"type": "all", **self.errors}] if self.errors else []
        by_type = self.metrics.get("by_type") or {}
        rows += [{"type": name, **by_type[name]} for name in sorted(by_type)]
        return [{**row, "ratio": ratio(row)} for row in rows]


def ratio(errors: dict[str, Any]) -> float | None:
    """Return the force error as a fraction of the rms force, None where one of them is not known."""
    error, rms = errors.get("force_rmse_ev_per_ang"), errors.get("force_rms_ev_per_ang")
    return error / rms if error is not None and rms else None


def read_model(outputs: Outputs, part: str = "") -> Model:
    """Read the last model, or with ``part`` that of a namespace."""
    model = Model()
    metrics, potential = outputs.find("metrics", part), outputs.find("potential", part)
    if metrics is not None:
        model.metrics = metrics.get_dict()
    if potential is not None:
        model.model_hash = potential.model_hash
    curve = outputs.find("curve", part)
    if curve is not None:
        model.epoch = curve.get_array("epoch")
        names = set(curve.get_arraynames())
        model.curve = {text: curve.get_array(name) * by for name, (text, by) in CURVES.items() if name in names}
    predictions = outputs.find("predictions", part)
    if predictions is not None:
        model.parity = parity_of(predictions)
    return model


def parity_of(predictions: orm.ArrayData) -> dict[str, Parity]:
    """Return energy per atom, forces and stress of the test frames of a model."""
    kinds = predictions.get_array("config_type")
    per_atom = np.repeat(kinds, predictions.get_array("n_atoms"))

    def pair(name: str, kind: Array, unit: str, factor: float = 1.0) -> Parity:
        reference = np.asarray(predictions.get_array(f"{name}_reference"), dtype=float) * factor
        predicted = np.asarray(predictions.get_array(f"{name}_predicted"), dtype=float) * factor
        width = reference.shape[1] if reference.ndim == 2 else 1
        return Parity(reference.ravel(), predicted.ravel(), np.repeat(kind, width), unit)

    return {
        "energy": pair("energy", kinds, "eV/atom"),
        "forces": pair("forces", per_atom, "eV/Å"),
        "stress": pair("stress", kinds, "GPa", EV_PER_ANG3_IN_GPA),
    }

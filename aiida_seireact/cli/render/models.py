"""What the report shows of a trained model: errors, the curve of its training, prediction against label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from aiida_seireact.cli.render.outputs import Outputs

Array = NDArray[Any]


@dataclass
class Model:
    """One trained model; what is empty or None is not there."""

    metrics: dict[str, Any] = field(default_factory=dict)
    model_hash: str = ""

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
    for name in ("curve", "predictions"):
        # Figures read them; here only why they are missing.
        outputs.find(name, part)
    return model

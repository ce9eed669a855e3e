"""``summary.json``: the numbers of a run for machines, content from its summary node, process facts from the graph."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from aiida_seireact.cli.render.gather import ReportData
from aiida_seireact.cli.render.sources import value_at
from aiida_seireact.cli.render.tables import tables_of

CONTENT_KEYS = (
    "labeller",
    "n_label_calls",
    "n_frames",
    "frames_by_type",
    "frames_by_split",
    "energy_rmse_mev_per_atom",
    "force_rmse_ev_per_ang",
    "force_rms_ev_per_ang",
    "stress_rmse_gpa",
    "errors_by_type",
    "md_steps",
    "md_atoms",
    "md_timestep_fs",
    "ps4_intact_start",
    "ps4_intact_end",
    "phase_fractions",
    "dataset_hash",
    "model_hash",
    "production_stopped_by",
    "verdict",
    "n_flare_legs",
    "flare_label_steps",
    "canary_force_rmse",
    "n_augmented_frames",
    "augmented_force_rmse_before",
    "augmented_force_rmse_after",
)


def summary_of(data: ReportData) -> dict[str, Any]:
    """Return the content of ``summary.json``. What is not known is null, and ``missing`` says why."""
    sealed = [process for process in data.processes if process.is_sealed]
    summary: dict[str, Any] = {
        "schema": "seireact-summary/1",
        "react_pk": data.pk,
        "react_uuid": data.uuid,
        "process_state": data.state,
        "exit_status": data.exit_status,
        "exit_message": data.exit_message,
        **{key: data.content.get(key) for key in CONTENT_KEYS},
        "n_label_failures": len(data.label_failures),
        "reference_plan": data.reference_plan,
        "n_processes": len(sealed),
        "n_failed_processes": sum(process.is_failed for process in sealed),
        "n_cached_processes": sum(process.member.from_cache for process in sealed),
        "wall_seconds_by_stage": data.seconds_by_stage,
        "versions": data.versions,
        "missing": data.missing,
        **tables_of(data),
    }
    summary |= {key: value for key, value in data.content.items() if key not in summary}
    known = {key: value for key, value in data.sources.items() if value_at(summary, key, None) is not None}
    summary["sources"] = {key: asdict(source) for key, source in known.items()}
    clean: dict[str, Any] = _finite(summary)
    return clean


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not know, by null."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

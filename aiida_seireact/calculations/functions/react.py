"""Decisions and sums of the whole loop, each a node."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData


@calcfunction
def plan_references(metrics: orm.Dict, parameters: orm.Dict) -> orm.Dict:
    """Decide for each phase whether the model is good enough to make its reference run, else the labeller does.

    :param metrics: held-out errors by config type.
    :param parameters: ``phases`` and ``force_error_limit``: largest force error of a phase, as a fraction of its rms
        force, up to which the model is trusted; ``source``: `model` or `labeller` for phases where you decide.
    """
    limit = parameters["force_error_limit"]
    plan: dict[str, Any] = {}
    for phase in parameters["phases"]:
        errors = metrics["by_type"].get(phase)
        ratio = None if errors is None else errors["force_rmse_ev_per_ang"] / errors["force_rms_ev_per_ang"]
        good_enough = ratio is not None and ratio <= limit
        plan[phase] = {
            "source": parameters.get("source", {}).get(phase) or ("model" if good_enough else "labeller"),
            "force_error_of_rms": ratio,
            "limit": limit,
        }
    return orm.Dict({"phases": plan})


@calcfunction
def summarise(
    parameters: orm.Dict,
    dataset: DatasetData,
    metrics: orm.Dict,
    potential: PotentialData,
    trajectory: TrajectoryData,
    classification: orm.Dict,
    analysis: orm.Dict,
    **labels: FramesData,
) -> orm.Dict:
    """Gather every number of the report that is content.

    :param parameters: settings of the labels; names the labeller.
    :param labels: the labelled shards the dataset was chosen from.
    """
    errors = metrics["all"]
    facts = trajectory.base.attributes
    return orm.Dict(
        {
            "labeller": parameters["calculator"]["name"],
            "n_label_calls": sum(len(shard) for shard in labels.values()),
            "n_frames": len(dataset),
            "frames_by_type": dataset.base.attributes.get("config_types"),
            "frames_by_split": {name: dataset.base.attributes.get(f"n_{name}") for name in ("train", "val", "test")},
            "dataset_hash": dataset.content_hash,
            "model_hash": potential.model_hash,
            "energy_rmse_mev_per_atom": errors["energy_rmse_mev_per_atom"],
            "force_rmse_ev_per_ang": errors["force_rmse_ev_per_ang"],
            "force_rms_ev_per_ang": errors["force_rms_ev_per_ang"],
            "stress_rmse_gpa": errors["stress_rmse_gpa"],
            "errors_by_type": metrics["by_type"],
            "md_steps": facts.get("steps"),
            "md_atoms": facts.get("n_atoms"),
            "md_timestep_fs": facts.get("timestep_fs"),
            "production_stopped_by": facts.get("stopped_by"),
            "ps4_intact_start": analysis["ps4_intact_start"],
            "ps4_intact_end": analysis["ps4_intact_end"],
            "phase_fractions": {
                "of": classification["of"],
                "first": classification["phase_fractions"]["first_tenth"],
                "last": classification["phase_fractions"]["last_tenth"],
                "all": classification["phase_fractions"]["whole_run"],
            },
        }
    )

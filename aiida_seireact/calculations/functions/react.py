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
def plan_references(metrics: orm.Dict, parameters: orm.Dict, verdict: orm.Dict | None = None) -> orm.Dict:
    """Decide for each phase whether the model is good enough to make its reference run, else the labeller does.

    A small force error is no promise that the crystal holds: of a model under which the electrolyte swelled by 79 %
    it was 0.23 of the rms force. So where the verdict tells of MD of the phase, that must have passed too.

    :param metrics: held-out errors by config type.
    :param parameters: ``phases`` and ``force_error_limit``: largest force error of a phase, as a fraction of its rms
        force, up to which the model is trusted; ``source``: `model` or `labeller` for phases where you decide.
    :param verdict: on the model.
    """
    limit = parameters["force_error_limit"]
    plan: dict[str, Any] = {}
    for phase in parameters["phases"]:
        errors = metrics["by_type"].get(phase)
        ratio = None if errors is None else errors["force_rmse_ev_per_ang"] / errors["force_rms_ev_per_ang"]
        lost = None if verdict is None else _md_that_failed(verdict, phase)
        good_enough = ratio is not None and ratio <= limit and lost is None
        plan[phase] = {
            "source": parameters.get("source", {}).get(phase) or ("model" if good_enough else "labeller"),
            "force_error_of_rms": ratio,
            "limit": limit,
            "md_failed": lost,
        }
    return orm.Dict({"phases": plan})


def _md_that_failed(verdict: orm.Dict, phase: str) -> str | None:
    """Return what a verdict tells of MD in which a phase did not hold, None if it did, or nobody tried."""
    failed = [line for line in verdict["lines"] if line["test"] == "stability" and not line["passed"]]
    for line in failed:
        # A line without a number was too short to tell, which is no word on the crystal.
        if line["value"] is not None and line["subject"].partition(" at ")[0] == phase:
            return str(line["message"])
    return None


@calcfunction
def summarise(
    parameters: orm.Dict,
    dataset: DatasetData,
    metrics: orm.Dict,
    potential: PotentialData,
    trajectory: TrajectoryData,
    classification: orm.Dict,
    analysis: orm.Dict,
    campaigns: orm.Dict | None = None,
    augmentation: orm.Dict | None = None,
    first_metrics: orm.Dict | None = None,
    first_potential: PotentialData | None = None,
    first_trajectory: TrajectoryData | None = None,
    first_classification: orm.Dict | None = None,
    first_analysis: orm.Dict | None = None,
    verdict: orm.Dict | None = None,
    first_verdict: orm.Dict | None = None,
    closed: orm.Dict | None = None,
    **labels: FramesData,
) -> orm.Dict:
    """Gather every number of the report that is content.

    :param parameters: settings of the labels; names the labeller.
    :param campaigns: what exploration did under each condition.
    :param augmentation: what the last model learned from the runs of the first.
    :param first_metrics: with the other ``first_…``: the model before augmentation and its run.
    :param verdict: of the scorecard on the last model, and ``first_verdict`` on the first.
    :param closed: how much of the run is unknown before and after that was learned.
    :param labels: the labelled shards the dataset was chosen from.
    :raises ValueError: augmentation without the model before it.
    """
    n_augmented = 0 if augmentation is None else augmentation["n_labelled"]
    n_closing = 0 if closed is None else closed["n_labelled"]
    summary = {
        "labeller": parameters["calculator"]["name"],
        "n_label_calls": sum(len(shard) for shard in labels.values()) + n_augmented + n_closing,
        "n_frames": len(dataset),
        "frames_by_type": dataset.base.attributes.get("config_types"),
        "frames_by_split": {name: dataset.base.attributes.get(f"n_{name}") for name in ("train", "val", "test")},
        "dataset_hash": dataset.content_hash,
        **numbers_of_model(metrics, potential),
        **numbers_of_run(trajectory, classification, analysis),
    }
    if verdict is not None:
        summary["verdict"] = numbers_of_verdict(verdict)
    if closed is not None:
        summary["closed"] = closed.get_dict()
    if campaigns is not None:
        summary.update(numbers_of_campaigns(campaigns.get_dict()))
    if augmentation is not None:
        if first_potential is None or first_trajectory is None:
            raise ValueError("Augmentation has a model before it: give the inputs first_… of that model and its run.")
        held_out = augmentation["held_out"]
        summary.update(
            n_augmented_frames=n_augmented,
            augmented_force_rmse_before=held_out["before"]["all"]["force_rmse_ev_per_ang"],
            augmented_force_rmse_after=held_out["after"]["all"]["force_rmse_ev_per_ang"],
            first={
                **numbers_of_model(first_metrics, first_potential),
                **numbers_of_run(first_trajectory, first_classification, first_analysis),
                **({} if first_verdict is None else {"verdict": numbers_of_verdict(first_verdict)}),
            },
        )
    return orm.Dict(summary)


def numbers_of_model(metrics: orm.Dict, potential: PotentialData) -> dict[str, Any]:
    """Return errors on the test frames, and which model made them."""
    errors = metrics["all"]
    return {
        "model_hash": potential.model_hash,
        "energy_rmse_mev_per_atom": errors["energy_rmse_mev_per_atom"],
        "force_rmse_ev_per_ang": errors["force_rmse_ev_per_ang"],
        "force_rms_ev_per_ang": errors["force_rms_ev_per_ang"],
        "stress_rmse_gpa": errors["stress_rmse_gpa"],
        "errors_by_type": metrics["by_type"],
    }


def numbers_of_verdict(verdict: orm.Dict) -> dict[str, Any]:
    """Return the decision of a scorecard and what failed."""
    failed = [line["message"] for line in verdict["lines"] if not line["passed"]]
    return {
        "scorecard": verdict["scorecard"],
        "decision": verdict["decision"],
        "n_numbers": len(verdict["lines"]),
        "failed": failed,
    }


def numbers_of_run(trajectory: TrajectoryData, classification: orm.Dict, analysis: orm.Dict) -> dict[str, Any]:
    """Return length and end of a run of the interface, and what became of its phases."""
    facts = trajectory.base.attributes
    return {
        "md_steps": facts.get("steps"),
        "md_atoms": facts.get("n_atoms"),
        "md_timestep_fs": facts.get("timestep_fs"),
        "production_stopped_by": facts.get("stopped_by"),
        # Null where a study leaves `thickness` out of its analyses.
        "ps4_intact_start": analysis.get_dict().get("ps4_intact_start"),
        "ps4_intact_end": analysis.get_dict().get("ps4_intact_end"),
        "phase_fractions": {
            "of": classification["of"],
            "first": classification["phase_fractions"]["first_tenth"],
            "last": classification["phase_fractions"]["last_tenth"],
            "all": classification["phase_fractions"]["whole_run"],
        },
    }


def numbers_of_campaigns(campaigns: dict[str, Any]) -> dict[str, Any]:
    """Return legs, calls and canary of all conditions together, and of each."""
    conditions = campaigns["conditions"]
    return {
        "n_flare_legs": campaigns["n_legs"],
        "flare_label_steps": {name: campaign["label_steps"] for name, campaign in conditions.items()},
        "canary_force_rmse": campaigns["canary_force_rmse_ev_per_ang"],
        "conditions": {
            name: {
                key: campaign[key]
                for key in ("n_legs", "n_labels", "steps", "n_sparse", "canary_force_rmse_ev_per_ang", "ended_by")
            }
            for name, campaign in conditions.items()
        },
    }

"""Decisions and sums of on-the-fly learning: what is known at first, what was found, and how each campaign went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.explore import CampaignSettings, ConditionSettings, SeedSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.selection import unique_by_id, within_force_limit

OF_A_LEG = (
    "status",
    "message",
    "first_step",
    "step",
    "leg_steps",
    "asked_step",
    "n_asked",
    "went_on_unsure",
    "n_frames_learned",
    "n_frames_added",
    "n_sparse",
    "n_sparse_added",
    "optimised",
    "sigma",
    "noises",
)
STANDARD_ERROR = "_scheduler-stderr.txt"


@calcfunction
def prepare_campaign(labelled: FramesData, condition: orm.Dict) -> dict[str, orm.Data]:
    """Return what the campaign of a condition starts with: ``seeds``, ``parameters`` of its legs, ``campaign``.

    :param labelled: the first labelled frames; seeds are those of the types asked for, spread evenly over their order
        by volume per atom, since the kernel of the GP hardly sees density unless it is shown.
    :param condition: `formats.jobs.explore.ConditionSettings`.
    :raises ValueError: no frame of these types within the force limit.
    """
    given = condition.get_dict()
    return {
        "seeds": FramesData(choose_seeds(labelled.frames, SeedSettings.model_validate(given["seeds"]))),
        "parameters": orm.Dict(given["leg"]),
        "campaign": orm.Dict(given.get("campaign", {})),
    }


def choose_seeds(frames: Frames, settings: SeedSettings) -> Frames:
    """Return the frames a campaign learns first, in the order of their ids.

    :raises ValueError: unlabelled frames; none of these types within the force limit.
    """
    if frames.forces is None:
        raise ValueError("A GP starts from labelled frames; these carry no labels.")
    types = sorted(set(frames.config_type.tolist()))
    if absent := [name for name in settings.types if name not in types]:
        raise ValueError(f"No labelled frame is of type {', '.join(absent)}; there are {', '.join(types)}.")
    wanted = np.isin(frames.config_type, settings.types)
    if settings.force_limit_ev_per_ang is not None:
        wanted &= within_force_limit(frames.forces, frames.offsets, settings.force_limit_ev_per_ang)
    candidates = [index for index in unique_by_id(frames.frame_ids).tolist() if wanted[index]]
    if not candidates:
        raise ValueError(
            f"Every frame of type {' or '.join(settings.types)} has a force beyond "
            f"{settings.force_limit_ev_per_ang:g} eV/Å: raise the limit of the seeds, or sample gentler frames."
        )
    volumes = np.abs(np.linalg.det(frames.cells)) / frames.n_atoms
    candidates.sort(key=lambda index: (volumes[index], frames.frame_ids[index]))
    ranks = np.unique(np.linspace(0, len(candidates) - 1, settings.count).round().astype(int))
    chosen = [candidates[rank] for rank in ranks]
    return frames.select(sorted(chosen, key=lambda index: frames.frame_ids[index]))


@calcfunction
def pool_frames(**shards: FramesData) -> FramesData:
    """Join labelled shards in canonical order: by frame id, each frame once, whoever was ready first.

    :raises FramesError: labelled with unlike settings.
    """
    frames = Frames.concatenate([shards[name].frames for name in sorted(shards)])
    first = unique_by_id(frames.frame_ids).tolist()
    return FramesData(frames.select(sorted(first, key=lambda index: frames.frame_ids[index])))


@calcfunction
def summarise_campaign(campaign: orm.Dict, parameters: orm.Dict, **parts: orm.Data) -> orm.Dict:
    """Return how a campaign went, leg by leg, whether or not it came to a good end.

    :param campaign: ``max_legs``.
    :param parameters: settings of the legs.
    :param parts: ``leg_001``, ``canary_001``, ``failures_001``, … of each leg: its numbers, its canary, and the frames
        it asked for that have no label. Of a campaign that failed also ``failed``, the retrieved files of the job that
        failed, or ``refused``, the labels that could not be used.
    """
    legs: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for number, facts in enumerate(ordered(parts, "leg"), 1):
        lost = parts.get(f"failures_{number:03d}")
        legs.append({key: facts[key] for key in OF_A_LEG})
        legs[-1]["n_labelled"] = facts["n_asked"] - len(lost["failures"]) if lost is not None else 0
        rows += [{"leg": number, **row} for row in facts["canary"]]
    last = legs[-1] if legs else {}
    settings = LegSettings.model_validate(parameters.get_dict())
    max_legs = CampaignSettings.model_validate(campaign.get_dict()).max_legs
    n_reports = len(ordered(parts, "failures"))
    status, ended_by = ending(legs, n_reports, max_legs, settings.steps)
    if (reason := why_it_failed(parts)) is not None:
        status, ended_by = "failed", f"it failed: {reason}"
    errors, norms = (
        np.concatenate([[], *(canary.get_array(name) for canary in ordered(parts, "canary"))])
        for name in ("force_error", "force_norm")
    )
    return orm.Dict(
        {
            "status": status,
            "ended_by": ended_by,
            "ensemble": settings.ensemble,
            "temperature_k": settings.temperature_k,
            "n_legs": len(legs),
            "steps": last.get("step", 0),
            "label_steps": [leg["asked_step"] for leg in legs if leg["status"] == "unsure"],
            "n_asked": sum(leg["n_asked"] for leg in legs),
            "n_labels": sum(leg["n_labelled"] for leg in legs),
            "n_sparse": last.get("n_sparse", 0),
            "canary_atoms": len(errors),
            "canary_force_rmse_ev_per_ang": of_components(errors),
            "canary_force_rms_ev_per_ang": of_components(norms),
            "canary": rows,
            "legs": legs,
        }
    )


def ending(legs: Sequence[Mapping[str, Any]], n_reports: int, max_legs: int, steps: int) -> tuple[str, str]:
    """Return status and sentence of how a campaign ended.

    :param n_reports: legs whose frames were labelled; fewer than asked for is a failure, and so is a leg too few.
    """
    last = legs[-1] if legs else {"status": "unsure", "n_asked": 0, "step": 0}
    if n_reports < sum(leg["n_asked"] > 0 for leg in legs):
        return "failed", f"it failed: labelling the frames of leg {len(legs)} was killed or left no word"
    if last["status"] == "done":
        return "done", f"all {steps} steps are done"
    if last["status"] == "stopped":
        return "stopped", f"the guard stopped it at step {last['step']}: {last['message']}"
    if len(legs) < max_legs:
        return "failed", f"it failed: leg {len(legs) + 1} was killed or left no word"
    return (
        "unsure",
        f"all {max_legs} legs are used, and at step {last['step']} of {steps} it still asked for a label",
    )


def why_it_failed(parts: Mapping[str, orm.Data]) -> str | None:
    """Return why a campaign failed, as far as its nodes tell; None if none of them tells of a failure."""
    if "failed" in parts:
        return words_of(parts["failed"])
    if "refused" in parts:
        lost = [failure for report in ordered(parts, "failures") for failure in report["failures"]]
        if parts["refused"].base.attributes.get("settings_hash") != ordered(parts, "leg")[-1]["settings_hash"]:
            return "the new labels are of another level of theory than the first ones"
        return f"the frame it was unsure of has no label: {lost[-1]['reason'] if lost else 'it was not given back'}"
    return None


def words_of(folder: orm.FolderData) -> str:
    """Return the sentence with which a program of ours failed, else the last line it said."""
    names = folder.base.repository.list_object_names()
    if files.RESULT in names:
        try:
            error = json.loads(folder.base.repository.get_object_content(files.RESULT))["error"]
        except (json.JSONDecodeError, KeyError):
            error = None
        if error:
            return str(error["message"])
    lines = []
    if STANDARD_ERROR in names:
        lines = folder.base.repository.get_object_content(STANDARD_ERROR).strip().splitlines()
    return f"a job left no whole result; its last words: {lines[-1] if lines else 'none'}"


def ordered(parts: Mapping[str, orm.Data], name: str) -> list[Any]:
    """Return the parts ``<name>_001``, ``<name>_002``, … in their order."""
    return [parts[key] for key in sorted(parts) if key.startswith(f"{name}_")]


def of_components(lengths: NDArray[np.float64]) -> float | None:
    """Return the rms over Cartesian components of vectors of these lengths, ``(n_atoms,)``; None of no vector."""
    return None if not len(lengths) else float(np.sqrt(np.mean(np.square(lengths)) / 3))


@calcfunction
def join_arrays(**parts: orm.ArrayData) -> orm.ArrayData:
    """Join the arrays of the legs of a campaign: ``trace_<name>`` and ``canary_<name>``, with the leg of each row.

    :param parts: ``trace_001``, ``canary_001``, … of each leg.
    """
    joined = orm.ArrayData()
    for kind, longest in (("trace", "step"), ("canary", "std")):
        nodes = ordered(parts, kind)
        names = sorted(nodes[0].get_arraynames())
        lengths = [len(node.get_array(longest)) for node in nodes]
        joined.set_array(f"{kind}_leg", np.repeat(np.arange(1, len(nodes) + 1), lengths))
        for name in names:
            joined.set_array(f"{kind}_{name}", np.concatenate([node.get_array(name) for node in nodes]))
    return joined


@calcfunction
def join_conditions(**campaigns: orm.ArrayData) -> orm.ArrayData:
    """Gather the arrays of all conditions under ``<condition>__<array>``."""
    joined = orm.ArrayData()
    for condition in sorted(campaigns):
        for name in sorted(campaigns[condition].get_arraynames()):
            joined.set_array(f"{condition}__{name}", campaigns[condition].get_array(name))
    return joined


@calcfunction
def gather_campaign_failures(**reports: orm.Dict) -> orm.Dict:
    """Join the failed labels of campaigns; ``job`` is then ``<condition>/<round>``."""
    return orm.Dict(
        {
            "failures": [
                {**failure, "job": f"{name}/{failure['job']}"}
                for name in sorted(reports)
                for failure in reports[name]["failures"]
            ]
        }
    )


@calcfunction
def gather_campaigns(**parts: orm.Dict) -> orm.Dict:
    """Return the numbers of all campaigns of an exploration, those that failed too, with their reason.

    :param parts: ``condition_<name>``, its settings, and ``campaign_<name>``, how it went; a campaign that was killed
        has none of the latter.
    """
    conditions: dict[str, Any] = {}
    for key in sorted(name for name in parts if name.startswith("condition_")):
        name, given = key.removeprefix("condition_"), ConditionSettings.model_validate(parts[key].get_dict())
        campaign = parts.get(f"campaign_{name}")
        conditions[name] = {
            **(unknown_end(given.leg) if campaign is None else campaign.get_dict()),
            "system": given.system,
        }
    atoms = np.array([campaign["canary_atoms"] for campaign in conditions.values()], dtype=float)
    errors = np.array([campaign["canary_force_rmse_ev_per_ang"] or 0.0 for campaign in conditions.values()])
    known = atoms.sum() > 0
    return orm.Dict(
        {
            "n_legs": sum(campaign["n_legs"] for campaign in conditions.values()),
            "n_labels": sum(campaign["n_labels"] for campaign in conditions.values()),
            "failed": [name for name, campaign in conditions.items() if campaign["status"] == "failed"],
            "canary_force_rmse_ev_per_ang": float(np.sqrt(atoms @ errors**2 / atoms.sum())) if known else None,
            "conditions": conditions,
        }
    )


def unknown_end(leg: LegSettings) -> dict[str, Any]:
    """Return the numbers of a campaign that left none."""
    return {
        "status": "failed",
        "ended_by": "it failed: it was killed, or an exception in AiiDA ended it",
        "ensemble": leg.ensemble,
        "temperature_k": leg.temperature_k,
        **dict.fromkeys(("n_legs", "steps", "n_asked", "n_labels", "n_sparse", "canary_atoms"), 0),
        **dict.fromkeys(("canary_force_rmse_ev_per_ang", "canary_force_rms_ev_per_ang")),
        "label_steps": [],
        "canary": [],
        "legs": [],
    }

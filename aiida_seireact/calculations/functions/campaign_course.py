"""The course of one campaign: what each leg changes, whether it goes on, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.explore import CampaignSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.campaign_legs import (
    PAUSED,
    Row,
    asked_since_call,
    call_steps,
    detours_of,
    lacks_label,
    over_atoms,
    since_call,
)
from aiida_seireact.science.convergence import CONVERGED, HOPELESS, calibrate, judge

OF_A_LEG = (
    "status",
    "message",
    "first_step",
    "step",
    "leg_steps",
    "detour",
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
    "threshold",
    "threshold_message",
)
STANDARD_ERROR = "_scheduler-stderr.txt"
GOES_ON = "running"
# Ends after which the condition above may begin: the guard did not stop it, and labels were not burnt.
STABLE = ("done", "unsure", CONVERGED)


@calcfunction
def note_leg(campaign: orm.Dict, parameters: orm.Dict, leg: orm.Dict, **parts: orm.Data) -> orm.Dict:
    """Return the course of a campaign after a leg: its legs, the verdict on its learning, and what comes next.

    ``goes_on`` tells whether another leg follows, ``label`` whether what was asked for since the last call is labelled,
    ``status`` and ``ended_by`` why not. A pause changes none of it, wherever it falls.

    :param campaign: `formats.jobs.explore.CampaignSettings`.
    :param parameters: settings of the legs.
    :param leg: numbers of the leg.
    :param parts: ``course``, what this returned of the leg before; ``failures``, the frames of that leg that have no
        label; ``canary_001``, …: the canaries of the last legs that measured something, up to this one.
    """
    settings, condition = (
        CampaignSettings.model_validate(campaign.get_dict()),
        LegSettings.model_validate(parameters.get_dict()),
    )
    course = course_of(parts)
    legs, canary = course["legs"], course["canary"]
    facts = leg.get_dict()
    if facts["detour"]:
        # It begins at the call before, or at the start, and measures itself on the same labels.
        lost = since_call(legs)
        for number in lost:
            legs[number - 1]["given_up"] = True
        canary = [row for row in canary if row["leg"] not in lost]
    legs.append({**{key: facts[key] for key in OF_A_LEG}, "n_labelled": 0, "given_up": False})
    canary += [{"leg": len(legs), **row} for row in facts["canary"]]
    if facts["status"] == PAUSED:
        known = course["convergence"]
        return orm.Dict(
            {"status": GOES_ON, "ended_by": "", "goes_on": True, "label": False, "convergence": known}
            | {"canary": canary, "legs": legs}
        )
    recent = [parts[key] for key in sorted(parts) if key.startswith("canary_")]
    std, error = (np.concatenate([[], *(node.get_array(name) for node in recent)]) for name in ("std", "force_error"))
    convergence = judge(
        call_steps=call_steps(legs),
        step=facts["step"],
        steps=condition.steps,
        canary_error=[row["force_rmse_ev_per_ang"] for row in canary],
        canary_size=[row["force_rms_ev_per_ang"] for row in canary],
        calibration=calibrate(std, error),
        limits=settings.convergence.limits,
    )
    n_labels = sum(row["n_labelled"] for row in legs)
    n_asked = asked_since_call(legs)
    affordable = settings.max_labels is None or n_labels + n_asked <= settings.max_labels
    status, ended_by = after_leg(legs, convergence, settings, condition.steps, affordable=affordable)
    return orm.Dict(
        {
            "status": status,
            "ended_by": ended_by,
            "goes_on": status == GOES_ON,
            "label": affordable and status != HOPELESS and n_asked > 0,
            "convergence": convergence,
            "canary": canary,
            "legs": legs,
        }
    )


def after_leg(
    legs: Sequence[Row], convergence: Mapping[str, Any], settings: CampaignSettings, steps: int, *, affordable: bool
) -> tuple[str, str]:
    """Return the status of a campaign after its last leg, `GOES_ON` if another follows, and how it ended."""
    last = legs[-1]
    at = f"at step {last['step']} of {steps}"
    if last["status"] == "done":
        return "done", f"all {steps} steps are done"
    if last["status"] == "stopped":
        return "stopped", f"the guard stopped it at step {last['step']}: {last['message']}"
    if convergence["verdict"] == HOPELESS and settings.stop_when_hopeless:
        return HOPELESS, f"{at} further labels were hopeless: {convergence['sentences'][0]}"
    if convergence["verdict"] == CONVERGED and settings.stop_when_converged:
        return CONVERGED, f"{at} learning had converged: {' '.join(convergence['sentences'])}"
    if not affordable:
        n_labels = sum(row["n_labelled"] for row in legs)
        return last["status"], (
            f"{at} its budget of {settings.max_labels} labels was used: {n_labels} are made, and "
            f"{asked_since_call(legs)} more were asked for"
        )
    n_legs = sum(not row["given_up"] and row["status"] != PAUSED for row in legs)
    if n_legs >= settings.max_legs:
        return last["status"], f"all {settings.max_legs} legs are used, and {at} it still asked for a label"
    return GOES_ON, ""


@calcfunction
def join_asked(**asked: FramesData) -> FramesData:
    """Return the frames that the pieces of a leg asked for, in their order: that of the call is the last one."""
    return FramesData(Frames.concatenate([asked[name].frames for name in sorted(asked)]))


@calcfunction
def account_labels(asked: FramesData, failures: orm.Dict, failed: orm.FolderData, **labelled: FramesData) -> orm.Dict:
    """Return the frames without a label where a batch of labels failed: its frames have no reason of their own.

    :param asked: what was to be labelled.
    :param failures: what the batches that did not fail told.
    :param failed: retrieved files of a job that failed.
    :param labelled: ``frames``, the labels there are.
    """
    told = {failure["index"] for failure in failures["failures"]}
    there = {name for shard in labelled.values() for name in shard.frames.structure_ids}
    rest = [
        {"index": index, "structure_id": name, "reason": words_of(failed)}
        for index, name in enumerate(asked.frames.structure_ids)
        if index not in told and name not in there
    ]
    return orm.Dict({"failures": sorted([*failures["failures"], *rest], key=lambda failure: failure["index"])})


@calcfunction
def step_back(campaign: orm.Dict, failures: orm.Dict, course: orm.Dict) -> orm.Int:
    """Return the number of the detour by which the last leg is run anew, for want of the label it asked for.

    :param campaign: `formats.jobs.explore.CampaignSettings`.
    :param failures: the frames of that leg that have no label.
    :param course: what `note_leg` returned of it.
    :raises ValueError: that label is there, or no detour is left.
    """
    legs = course["legs"]
    last, tried = legs[-1], detours_of(legs)
    most = CampaignSettings.model_validate(campaign.get_dict()).max_detours
    if not lacks_label(legs, failures["failures"]):
        raise ValueError(
            f"The frame at MD step {last['asked_step']} has its label: there is nothing to step back from."
        )
    if tried >= most:
        raise ValueError(f"after {counted_ways(tried + 1)} no detour is left: max_detours is {most}")
    return orm.Int(tried + 1)


def counted_ways(number: int) -> str:
    """Return how often a leg was tried, in words."""
    return "one try" if number == 1 else f"{number} tries"


@calcfunction
def summarise_campaign(campaign: orm.Dict, parameters: orm.Dict, **parts: orm.Data) -> orm.Dict:
    """Return how a campaign went, leg by leg, whether or not it came to a good end.

    :param campaign: `formats.jobs.explore.CampaignSettings`.
    :param parameters: settings of the legs.
    :param parts: ``course``, what `note_leg` returned of the last leg, and ``failures``, the frames of that leg that
        have no label. Of a campaign that failed also ``failed``, the retrieved files of the job that failed, or
        ``refused``, labels of another level of theory.
    """
    settings = LegSettings.model_validate(parameters.get_dict())
    course = course_of(parts)
    legs, canary = course["legs"], course["canary"]
    last = legs[-1] if legs else {}
    reason = why_it_failed(course, parts)
    status = "failed" if reason else course["status"]
    errors, sizes, n_atoms = (
        np.array([row[name] for row in canary], dtype=float)
        for name in ("force_rmse_ev_per_ang", "force_rms_ev_per_ang", "n_atoms")
    )
    return orm.Dict(
        {
            "status": status,
            "stable": status in STABLE,
            "ended_by": f"it failed: {reason}" if reason else course["ended_by"],
            "ensemble": settings.ensemble,
            "temperature_k": settings.temperature_k,
            "n_legs": len(legs),
            # Of the pieces of a leg that was given up, one ended by a call; the others only paused.
            "n_detours": sum(leg["given_up"] and leg["status"] != PAUSED for leg in legs),
            "steps": last.get("step", 0),
            "label_steps": call_steps(legs),
            "n_asked": sum(leg["n_asked"] for leg in legs),
            "n_labels": sum(leg["n_labelled"] for leg in legs),
            "n_sparse": last.get("n_sparse", 0),
            "threshold": last.get("threshold"),
            "threshold_message": last.get("threshold_message", ""),
            "convergence": course["convergence"],
            "canary_atoms": int(n_atoms.sum()),
            "canary_force_rmse_ev_per_ang": over_atoms(errors, n_atoms),
            "canary_force_rms_ev_per_ang": over_atoms(sizes, n_atoms),
            "canary": canary,
            "legs": legs,
        }
    )


def course_of(parts: Mapping[str, orm.Data]) -> dict[str, Any]:
    """Return the course so far; how many frames of its last leg were labelled is filled in where that is known."""
    if "course" not in parts:
        return {"legs": [], "canary": [], "convergence": None, "goes_on": True, "label": False}
    course: dict[str, Any] = parts["course"].get_dict()
    if "failures" in parts:
        last = course["legs"][-1]
        last["n_labelled"] = asked_since_call(course["legs"]) - len(parts["failures"]["failures"])
    return course


def why_it_failed(course: Mapping[str, Any], parts: Mapping[str, orm.Data]) -> str:
    """Return why a campaign failed, as far as its nodes tell; empty if it did not."""
    legs = course["legs"]
    if "failed" in parts:
        return words_of(parts["failed"])
    if "refused" in parts:
        return "the new labels are of another level of theory than the first ones"
    if legs and course["label"] and "failures" not in parts:
        return f"labelling the frames of leg {len(legs)} was killed or left no word"
    if not course["goes_on"]:
        return ""
    lost = parts["failures"]["failures"] if "failures" in parts else []
    if legs and lacks_label(legs, lost):
        tries = counted_ways(detours_of(legs) + 1)
        return f"the frame it was unsure of has no label, after {tries}: {lost[-1]['reason']}"
    return f"leg {len(legs) + 1} was killed or left no word"


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

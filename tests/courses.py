"""The course of a campaign from the nodes of its legs, by the calcfunctions that CampaignWorkChain calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm

from aiida_seireact.calculations.functions.campaign_course import note_leg, summarise_campaign

LEG = {"temperature_k": 300.0, "steps": 100}


def leg(
    status: str,
    first: int,
    step: int,
    *,
    n_asked: int = 2,
    canary: list[dict[str, Any]] | None = None,
    detour: int = 0,
) -> orm.Dict:
    """Return the numbers of a leg."""
    return orm.Dict(
        {
            "status": status,
            "message": "the volume grew",
            "first_step": first,
            "step": step,
            "leg_steps": step - first,
            "detour": detour,
            "asked_step": step if status == "unsure" else None,
            "n_asked": n_asked,
            "went_on_unsure": False,
            "n_frames_learned": 3,
            "n_frames_added": 1,
            "n_sparse": 20,
            "n_sparse_added": 5,
            "optimised": False,
            "sigma": 2.0,
            "noises": [0.1, 0.1, 0.1],
            "threshold": "works",
            "threshold_message": "",
            "canary": canary or [],
        }
    )


def row(md_step: int, *, error: float = 0.5, n_atoms: int = 3) -> dict[str, Any]:
    """Return the canary of a label whose forces have an rms of 1 eV/Å."""
    return {
        "md_step": md_step,
        "n_atoms": n_atoms,
        "force_rmse_ev_per_ang": error,
        "force_rms_ev_per_ang": 1.0,
        "max_std": 0.1,
    }


def canary(*errors: float) -> orm.ArrayData:
    """Return the canary by atom: errors as large as the uncertainties."""
    return orm.ArrayData({name: np.array(errors) for name in ("std", "force_error", "force_norm")})


def lost(*indices: int) -> orm.Dict:
    """Return a report of frames without a label."""
    return orm.Dict({"failures": [{"index": index, "reason": "no convergence"} for index in indices]})


def told_of(campaign: orm.Dict, parameters: orm.Dict, **parts: orm.Data) -> orm.Dict:
    """Return what is told of a campaign.

    :param parts: ``leg_001``, ``canary_001`` and, where it was labelled, ``failures_001``, … of each leg; and what
        `summarise_campaign` takes of a campaign that failed.
    """
    known: dict[str, orm.Data] = {}
    for key in sorted(part for part in parts if part.startswith("leg_")):
        number = key.removeprefix("leg_")
        canary = {f"canary_{number}": parts[f"canary_{number}"]}
        known = {"course": note_leg(campaign, parameters, parts[key], **canary, **known)}
        if f"failures_{number}" in parts:
            known["failures"] = parts[f"failures_{number}"]
    failure = {name: parts[name] for name in ("failed", "refused") if name in parts}
    return summarise_campaign(campaign, parameters, **known, **failure)

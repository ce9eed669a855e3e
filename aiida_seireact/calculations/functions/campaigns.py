"""Decisions and sums of on-the-fly learning: what is known at first, what was found, and how each campaign went."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.explore import ConditionSettings, SeedSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.campaign_legs import over_atoms
from aiida_seireact.science.convergence import pool
from aiida_seireact.science.selection import unique_by_id, within_force_limit

LOCKED = "locked"
# Rows of the trace of a campaign, and of each condition of an exploration: 1 ns has a million, 45 of them were 2.5 GB.
CAMPAIGN_ROWS = 50_000
CONDITION_ROWS = 2_000


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
def strain_cell(cell: FramesData, condition: orm.Dict) -> FramesData:
    """Return the cell from which a strained condition starts: each length changed by ``strain``, atoms along with it.

    :param cell: one frame.
    :param condition: `formats.jobs.explore.ConditionSettings`.
    """
    strain = ConditionSettings.model_validate(condition.get_dict()).strain
    atoms = cell.frames.without_labels().to_atoms(0)
    atoms.set_cell(atoms.cell.array * (1 + strain), scale_atoms=True)
    group = atoms.info.get("group")
    atoms.info["group"] = f"{group}/strain{strain:+g}" if group else f"strain{strain:+g}"
    return FramesData.from_ase([atoms])


@calcfunction
def join_arrays(**parts: orm.ArrayData) -> orm.ArrayData:
    """Join the arrays of the legs of a campaign: ``trace_<name>`` and ``canary_<name>``, with the leg of each row.

    Of a long trace at most `CAMPAIGN_ROWS` rows are kept, see `thinned`; the canaries are whole.

    :param parts: ``trace_001``, ``canary_001``, … of each leg, by its number.
    """
    joined = orm.ArrayData()
    for kind, longest in (("trace", "step"), ("canary", "std")):
        nodes = {int(key.partition("_")[2]): parts[key] for key in sorted(parts) if key.startswith(f"{kind}_")}
        lengths = [len(node.get_array(longest)) for node in nodes.values()]
        joined.set_array(f"{kind}_leg", np.repeat(list(nodes), lengths))
        for name in sorted(next(iter(nodes.values())).get_arraynames()):
            joined.set_array(f"{kind}_{name}", np.concatenate([node.get_array(name) for node in nodes.values()]))
    return thinned(joined, CAMPAIGN_ROWS)


def thinned(arrays: orm.ArrayData, at_most: int) -> orm.ArrayData:
    """Return the arrays with at most so many rows of the trace, first, last and extremes among them; unstored.

    Of each of equally long stretches the rows with the largest and the smallest ``trace_max_std`` are kept, so that a
    curve of it looks the same. All other arrays stay.
    """
    names = [name for name in arrays.get_arraynames() if name.startswith("trace_")]
    n_rows = len(arrays.get_array(names[0])) if names else 0
    if n_rows <= at_most:
        return arrays
    largest = arrays.get_array("trace_max_std")
    edges = np.linspace(0, n_rows, (at_most - 2) // 2 + 1).astype(int)
    kept = {0, n_rows - 1}
    for begin, end in pairwise(edges.tolist()):
        kept |= {begin + int(largest[begin:end].argmax()), begin + int(largest[begin:end].argmin())}
    rows = np.array(sorted(kept))
    thin = orm.ArrayData()
    for name in arrays.get_arraynames():
        values = arrays.get_array(name)
        thin.set_array(name, values[rows] if name in names else values)
    return thin


@calcfunction
def join_stretches(**stretches: orm.ArrayData) -> orm.ArrayData:
    """Join what `join_arrays` made of stretches of a long campaign, in the order of their names, as thin as one."""
    joined = orm.ArrayData()
    nodes = [stretches[name] for name in sorted(stretches)]
    for name in sorted(nodes[0].get_arraynames()):
        joined.set_array(name, np.concatenate([node.get_array(name) for node in nodes]))
    return thinned(joined, CAMPAIGN_ROWS)


@calcfunction
def join_conditions(**campaigns: orm.ArrayData) -> orm.ArrayData:
    """Gather the arrays of all conditions under ``<condition>__<array>``: canaries whole, traces thin.

    At most `CONDITION_ROWS` rows of each trace, see `thinned`: enough for a figure. The campaign has more of them, each
    leg all.
    """
    joined = orm.ArrayData()
    for condition in sorted(campaigns):
        thin = thinned(campaigns[condition], CONDITION_ROWS)
        for name in sorted(thin.get_arraynames()):
            joined.set_array(f"{condition}__{name}", thin.get_array(name))
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
def lock_rung(condition: orm.Dict, below: orm.Dict | None = None) -> orm.Dict:
    """Return the numbers of a condition that was not begun, since the one it waits for was not stable.

    :param below: how that one went; None: it left no word.
    """
    given = ConditionSettings.model_validate(condition.get_dict())
    how = below["ended_by"] if below is not None else "it was killed, or an exception in AiiDA ended it"
    told = f"not begun: {given.after} was not stable ({how})"
    return orm.Dict({**no_numbers(given.leg), "status": LOCKED, "ended_by": told})


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
            "strain": given.strain,
        }
    atoms = np.array([campaign["canary_atoms"] for campaign in conditions.values()], dtype=float)
    errors = np.array([campaign["canary_force_rmse_ev_per_ang"] or 0.0 for campaign in conditions.values()])
    measured = atoms > 0
    return orm.Dict(
        {
            "n_legs": sum(campaign["n_legs"] for campaign in conditions.values()),
            "n_labels": sum(campaign["n_labels"] for campaign in conditions.values()),
            "failed": [name for name, campaign in conditions.items() if campaign["status"] == "failed"],
            "locked": [name for name, campaign in conditions.items() if campaign["status"] == LOCKED],
            "canary_force_rmse_ev_per_ang": over_atoms(errors[measured], atoms[measured]),
            "convergence": pool({name: campaign["convergence"] for name, campaign in conditions.items()}),
            "conditions": conditions,
        }
    )


def unknown_end(leg: LegSettings) -> dict[str, Any]:
    """Return the numbers of a campaign that left none."""
    ended_by = "it failed: it was killed, or an exception in AiiDA ended it"
    return {**no_numbers(leg), "status": "failed", "ended_by": ended_by}


def no_numbers(leg: LegSettings) -> dict[str, Any]:
    """Return the numbers of a campaign without a leg."""
    return {
        "ensemble": leg.ensemble,
        "temperature_k": leg.temperature_k,
        **dict.fromkeys(("n_legs", "n_detours", "steps", "n_asked", "n_labels", "n_sparse", "canary_atoms"), 0),
        **dict.fromkeys(("canary_force_rmse_ev_per_ang", "canary_force_rms_ev_per_ang", "convergence", "threshold")),
        "threshold_message": "",
        "stable": False,
        "label_steps": [],
        "canary": [],
        "legs": [],
    }

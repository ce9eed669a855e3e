"""Segments of one MD run: are they one run, does anything jump where they meet, and what did they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Columns = Mapping[str, FloatArray]

FS_PER_NS = 1e6
SECONDS_PER_DAY = 86400.0

# What a restart keeps is kept to 1e-6 eV an atom and 1e-8 of the volume (float32 forces); ten times that is a fault.
ENERGY_JUMP_MAX_EV_PER_ATOM = 1e-5
VOLUME_JUMP_MAX = 1e-7


class SegmentError(ValueError):
    """Segments that are not one run; the message names the steps."""


def in_order_of_steps(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return segments by their steps, after seeing that each begins where the one before ended.

    :param runs: each with ``facts`` (``first_step``, ``last_step``, ``n_atoms``, ``timestep_fs``, …) and ``thermo``.
    :raises SegmentError: steps missing or done twice, or runs of different atoms or time steps.
    """
    ordered = sorted(runs, key=lambda run: (run["facts"]["first_step"], run["facts"]["last_step"]))
    for one, next_one in pairwise(ordered):
        ended, begun = one["facts"]["last_step"], next_one["facts"]["first_step"]
        if ended != begun:
            what = "are missing" if begun > ended else "were run twice"
            raise SegmentError(
                f"These segments are not one run: steps {min(ended, begun)} to {max(ended, begun)} {what}."
            )
        for name in ("n_atoms", "species", "timestep_fs", "dump_every"):
            if one["facts"][name] != next_one["facts"][name]:
                raise SegmentError(
                    f"These segments are not one run: {name} is {one['facts'][name]}, after step {ended} "
                    f"{next_one['facts'][name]}."
                )
        for name in ("dumps", "computed"):
            before, after = (sorted(run["facts"].get(name, {})) for run in (one, next_one))
            if before != after:
                raise SegmentError(
                    f"These segments are not one run: {name} are {', '.join(before) or 'none'}, after step {ended} "
                    f"{', '.join(after) or 'none'}."
                )
    return ordered


def joined_columns(tables: Sequence[Columns]) -> dict[str, FloatArray]:
    """Return thermo tables one after another, the row of a seam once, as the segment before told it.

    :param tables: columns ``(n_rows,)`` by name, with ``step``.
    :raises SegmentError: tables of different columns.
    """
    names = list(tables[0])
    parts = []
    last = -np.inf
    for table in tables:
        if set(table) != set(names):
            raise SegmentError(f"A segment's thermo table has the columns {', '.join(table)}, not {', '.join(names)}.")
        new = table["step"] > last
        parts.append({name: table[name][new] for name in names})
        last = max(last, float(table["step"].max()))
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def seams_of(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what jumps where one segment ends and the next begins: the same step, evaluated by both.

    Each seam has ``step``; ``energy_jump_ev_per_atom`` of the potential energy; ``volume_jump``, relative; and
    ``conserved_jump_ratio``: the jump of the conserved quantity over the rms of its change from output to output inside
    the segment before, None where that is zero or not known.

    :param runs: in order, as `in_order_of_steps` returns them.
    """
    found = []
    for one, next_one in pairwise(runs):
        before, after = one["thermo"], next_one["thermo"]
        step = next_one["facts"]["first_step"]
        if not len(before["step"]) or not len(after["step"]) or before["step"][-1] != after["step"][0]:
            raise SegmentError(f"The thermo tables of the segments that meet at step {step} don't both hold that step.")
        found.append(
            {
                "step": int(step),
                "energy_jump_ev_per_atom": float(after["pe"][0] - before["pe"][-1]) / one["facts"]["n_atoms"],
                "volume_jump": float(after["vol"][0] / before["vol"][-1] - 1.0),
                "conserved_jump_ratio": _conserved_jump(before, after),
            }
        )
    return found


def judged(seams: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ``complaint`` about seams, an empty string if there is none, and the ``limits`` that it goes by."""
    limits = {
        "energy_jump_max_ev_per_atom": ENERGY_JUMP_MAX_EV_PER_ATOM,
        "volume_jump_max": VOLUME_JUMP_MAX,
    }
    return {"complaint": complaint_of(seams), "limits": limits}


def complaint_of(seams: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with the first seam that is more than rounding, an empty string if none is."""
    for seam in seams:
        if abs(seam["energy_jump_ev_per_atom"]) > ENERGY_JUMP_MAX_EV_PER_ATOM:
            jump = f"the potential energy jumps by {seam['energy_jump_ev_per_atom']:.1e} eV/atom"
        elif abs(seam["volume_jump"]) > VOLUME_JUMP_MAX:
            jump = f"the volume jumps by {seam['volume_jump']:.1e} of itself"
        else:
            continue
        return f"at step {seam['step']} {jump}: the restart does not bring what the segment before had."
    return ""


def _conserved_jump(before: Columns, after: Columns) -> float | None:
    if "econserve" not in before or "econserve" not in after:
        return None
    changes = np.diff(before["econserve"])
    rms = float(np.sqrt(np.mean(changes**2))) if len(changes) else 0.0
    jump = abs(float(after["econserve"][0] - before["econserve"][-1]))
    return jump / rms if rms > 0 else None


def ledger_of(rows: Sequence[Mapping[str, Any]], *, steps_asked: int, timestep_fs: float) -> dict[str, Any]:
    """Return what segments have cost and what the rest of the run will cost at the pace of the last one.

    :param rows: ``steps`` and ``ps`` that the last try has run, its ``md_seconds`` in MD and ``seconds`` in all,
        ``ranks``, ``threads`` and ``gpus``.
    :param steps_asked: of the whole run.
    :returns: ``segments`` with ``ns``, ``ns_per_day``, ``core_hours`` and ``gpu_hours`` each; their sums; and ``rest``
        with ``steps``, ``ns``, ``hours``, ``core_hours`` and ``gpu_hours``, the last three None where no pace is known.
    """
    segments = [_priced(row) for row in rows]
    done = max((row["last_step"] for row in rows), default=0)
    left = max(steps_asked - done, 0)
    rest: dict[str, Any] = {"steps": left, "ns": left * timestep_fs / FS_PER_NS}
    rest |= dict.fromkeys(("hours", "core_hours", "gpu_hours"))
    paced = [row for row in rows if row["steps"] and row["md_seconds"]]
    if paced:
        hours = left * paced[-1]["seconds"] / paced[-1]["steps"] / 3600
        rest |= {"hours": hours, "core_hours": hours * _cores(paced[-1]), "gpu_hours": hours * paced[-1]["gpus"]}
    return {
        "segments": segments,
        "steps": done,
        "steps_asked": steps_asked,
        "ns": done * timestep_fs / FS_PER_NS,
        "core_hours": sum(row["core_hours"] for row in segments),
        "gpu_hours": sum(row["gpu_hours"] for row in segments),
        "rest": rest,
    }


def _priced(row: Mapping[str, Any]) -> dict[str, Any]:
    hours = row["seconds"] / 3600
    ns = row["ps"] / 1000
    pace = ns * SECONDS_PER_DAY / row["md_seconds"] if row["md_seconds"] else None
    return {**row, "ns": ns, "ns_per_day": pace, "core_hours": hours * _cores(row), "gpu_hours": hours * row["gpus"]}


def _cores(row: Mapping[str, Any]) -> int:
    return int(row["ranks"]) * int(row["threads"])

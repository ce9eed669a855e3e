"""What becomes of the cell in time: phases, profiles along z, intact PS4, thickness of the interphase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from aiida_seireact.query.analyses import SERIES, Array, analyses_in, classifications_in
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What

IN_TIME = {**SERIES, "step": "int", "time_ps": "float"}
PHASE_COLUMNS = {
    **IN_TIME, "of": "str", "phase": "str", "count": "int", "fraction": "float", "core_fraction": "float",
}  # fmt: skip
PS4_COLUMNS = {**IN_TIME, "n_intact": "int", "n_p": "int", "intact_fraction": "float"}
THICKNESS_COLUMNS = {**IN_TIME, "definition": "str", "side": "str", "thickness_ang": "float"}
PACE_COLUMNS = {
    **SERIES, "stretch": "str", "rate_per_ps": "float", "break_ps": "float", "break_low_ps": "float",
    "break_high_ps": "float", "kinetics": "str",
}  # fmt: skip
PROFILE_COLUMNS = {
    **IN_TIME, "of": "str", "kind": "str", "z_ang": "float", "slab_ang": "float", "count": "float",
    "fraction": "float",
}  # fmt: skip

INTACT_PS4 = "n_intact_ps4"
"""Array of the number of intact PS4 by frame."""
THICKNESSES = {
    ("ps4", "lower"): "thickness_lower_ang",
    ("ps4", "upper"): "thickness_upper_ang",
    ("profile", "both"): "thickness_profile_ang",
    ("profile", "lower"): "thickness_profile_lower_ang",
    ("profile", "upper"): "thickness_profile_upper_ang",
}
"""Array of each definition and side."""
PROFILES = {
    "phases": ("phase_profile", "phase_names"),
    "composition": ("composition_atoms", "composition_species"),
    "ptm": ("ptm_profile", "ptm_structures"),
    "order": ("crystalline_profile", None),
}
"""Array of counts, and that of the names in it; steps and places have the same beginning."""
ORDERS = np.array(["amorphous", "crystalline"])
CHARGE = "charge"


def phases(what: What) -> pd.DataFrame:
    """Return a row for each phase and classified frame of each run, in order of time.

    ``count`` environments of kind ``of`` (Li environments, say) have the label ``phase``; ``fraction`` is their share
    in the frame, ``core_fraction`` the share of them that lie in the core of their cluster (NaN of an empty phase). The
    first phase is ``unknown``. A phase that is in no frame of a run has no rows.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in classifications_in(Graph(what)):
        counts = one.arrays["counts"].sum(axis=2)
        total = counts.sum(axis=1)
        seen = np.flatnonzero(counts.any(axis=0))
        names = [str(name) for name in one.arrays["label_names"]]
        for index in seen.tolist():
            blocks.append(
                {
                    **one.columns(),
                    **_moments(one.arrays["steps"], one.times_ps(one.arrays["steps"])),
                    "of": one.numbers.get("of") or "environments",
                    "phase": names[index],
                    "count": counts[:, index],
                    "fraction": _share(counts[:, index], total),
                    "core_fraction": _share(one.arrays["cores"][:, index], counts[:, index]),
                }
            )
    return table(PHASE_COLUMNS, blocks)


def ps4(what: What) -> pd.DataFrame:
    """Return a row for each analysed frame of each run: intact PS4 tetrahedra, of how many P atoms.

    ``n_p`` and ``intact_fraction`` are NaN where the analysis has not told how many P atoms there are: the largest
    number of the run is no denominator, since a run may begin with a cell that has reacted.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in analyses_in(Graph(what), ("steps", INTACT_PS4), ("n_p",)):
        intact = one.arrays[INTACT_PS4]
        n_p = one.numbers.get("n_p")
        moments = _moments(one.arrays["steps"], one.times_ps(one.arrays["steps"]))
        share = _share(intact, np.full(len(intact), n_p or 0))
        blocks.append({**one.columns(), **moments, "n_intact": intact, "n_p": n_p, "intact_fraction": share})
    return table(PS4_COLUMNS, blocks)


def paces(what: What) -> pd.DataFrame:
    """Return two rows for each run whose reaction has two regimes: the stretch before the break, and that after it.

    ``rate_per_ps`` is that of the number of intact PS4, below zero while they react; ``kinetics`` the law that fits
    best. The break and its 95 % interval are told in both rows; a run without a break has none.

    :raises QueryError: not a process.
    """
    blocks: list[dict[str, Any]] = []
    for one in analyses_in(Graph(what), ("steps", INTACT_PS4), ("ps4_pace",)):
        pace = one.numbers.get("ps4_pace") or {}
        if not pace.get("break_found") or "break_ps" not in pace:
            continue
        low, high = pace["break_interval_95_ps"] or (None, None)
        ends = {"break_ps": pace["break_ps"], "break_low_ps": low, "break_high_ps": high}
        for stretch in ("before", "after"):
            rate = {"rate_per_ps": pace[f"rate_{stretch}_per_ps"], "kinetics": pace.get("best")}
            blocks.append({**one.columns(), "stretch": stretch, **rate, **ends})
    return table(PACE_COLUMNS, blocks)


def thickness(what: What) -> pd.DataFrame:
    """Return a row for each analysed frame, definition and side of each run: the thickness of the interphase.

    ``definition`` is ``ps4`` (from the last intact PS4 to the outermost S, P or Cl) or ``profile`` (where neither metal
    nor electrolyte fills half of a slab, ``side`` ``both`` or one alone); where it is not defined there is no row.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in analyses_in(Graph(what), ("steps", "thickness_profile_steps", *THICKNESSES.values())):
        for (definition, side), name in THICKNESSES.items():
            if name not in one.arrays:
                continue
            values = np.asarray(one.arrays[name], dtype=float)
            known = np.isfinite(values)
            if not known.any():
                continue
            steps = one.arrays["thickness_profile_steps" if definition == "profile" else "steps"][known]
            blocks.append(
                {
                    **one.columns(),
                    **_moments(steps, one.times_ps(steps)),
                    "definition": definition,
                    "side": side,
                    "thickness_ang": values[known],
                }
            )
    return table(THICKNESS_COLUMNS, blocks)


def profiles(what: What) -> pd.DataFrame:
    """Return a row for each stretch of time, slab along z and name: what is where.

    ``of`` is ``phases``, ``composition``, ``ptm`` (templates), ``order`` (crystalline or not), or ``charge``, whose one
    name is ``charge_e``. ``count`` is the mean number in a frame of the stretch that begins at ``step`` (of charge: e);
    ``fraction`` its share in the slab. ``z_ang`` is the middle of the slab, ``slab_ang`` thick.

    :raises QueryError: not a process.
    """
    starts = ("phase_profile", "composition", "ptm_profile", "crystalline_profile")
    names = [f"{start}_{end}" for start in starts for end in ("steps", "z_ang")]
    names += [name for pair in PROFILES.values() for name in pair if name] + ["charge_e"]
    blocks = []
    for one in analyses_in(Graph(what), names):
        for of, (counts, named) in PROFILES.items():
            if counts in one.arrays:
                words = ORDERS if named is None else one.arrays[named]
                start = "composition" if of == "composition" else counts
                blocks.append(
                    {**one.columns(), "of": of, **_profile(one.arrays, start, one.arrays[counts], words, one)}
                )
        if "charge_e" in one.arrays:
            charge = one.arrays["charge_e"][:, None, :]
            rows = _profile(one.arrays, "composition", charge, np.array(["charge_e"]), one)
            blocks.append({**one.columns(), "of": CHARGE, **rows, "fraction": None})
    return table(PROFILE_COLUMNS, blocks)


def _profile(arrays: Mapping[str, Array], start: str, counts: Array, words: Array, one: Any) -> dict[str, Any]:
    """Return the columns of counts ``(n_times, n_names, n_slabs)``."""
    steps, z_ang = arrays[f"{start}_steps"], arrays[f"{start}_z_ang"]
    n_times, n_names, n_slabs = counts.shape
    total = counts.sum(axis=1, keepdims=True)
    return {
        "step": np.repeat(steps, n_names * n_slabs),
        "time_ps": np.repeat(one.times_ps(steps), n_names * n_slabs),
        "kind": np.tile(np.repeat(np.asarray(words, dtype=str), n_slabs), n_times),
        "z_ang": np.tile(z_ang, n_times * n_names),
        # Slabs begin at 0, so the middle of the first is half of one.
        "slab_ang": 2.0 * float(z_ang[0]) if len(z_ang) else None,
        "count": counts.ravel().astype(float),
        "fraction": _share(counts, np.broadcast_to(total, counts.shape)).ravel(),
    }


def _moments(steps: Array, times: Array) -> dict[str, Array]:
    return {"step": np.asarray(steps, dtype=np.int64), "time_ps": times}


def _share(part: Any, whole: Any) -> Array:
    """Return part over whole, NaN where there is nothing."""
    out = np.full(np.shape(part), np.nan)
    return np.divide(part, whole, out=out, where=np.asarray(whole) > 0)

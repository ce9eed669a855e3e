"""How atoms move: displacements, self-diffusion, Onsager coefficients, of a whole run and by phase or slab."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aiida_seireact.query.analyses import SERIES, Found, analyses_in
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What

ALL = "all"
"""Group of all atoms, and direction of all three."""
OF_MOTION = {**SERIES, "analysis": "str", "group": "str", "z_ang": "float"}
MSD_COLUMNS = {
    **OF_MOTION, "species": "str", "direction": "str", "lag_ps": "float", "msd_ang2": "float", "low_ang2": "float",
    "high_ang2": "float",
}  # fmt: skip
DIFFUSION_COLUMNS = {
    **OF_MOTION, "species": "str", "direction": "str", "d_cm2_per_s": "float", "error_cm2_per_s": "float",
    "low_cm2_per_s": "float", "high_cm2_per_s": "float", "below_cm2_per_s": "float", "exponent": "float",
    "exponent_error": "float", "regime": "str",
}  # fmt: skip
ONSAGER_COLUMNS = {
    **OF_MOTION, "species": "str", "other": "str", "value": "float", "error": "float", "unit": "str",
}  # fmt: skip
CONDUCTIVITY_COLUMNS = {
    **SERIES, "quantity": "str", "unit": "str", "temperature_k": "float", "value": "float", "error": "float",
    "low": "float", "high": "float",
}  # fmt: skip
SURVIVAL_COLUMNS = {**OF_MOTION, "lag_ps": "float", "staying": "float", "there": "float"}
FAR_MOVER_COLUMNS = {
    **SERIES, "atom_id": "int", "step": "int", "time_ps": "float", "z_fraction": "float", "moved_ang": "float",
}  # fmt: skip

PER_VOLUME, TIMES_VOLUME = "1/(eV Å ps)", "Å²/(eV ps)"
ONSAGERS = {
    "windows_onsager": ("per_ev_ang_ps", PER_VOLUME),
    "windows_onsager_volume": ("ang2_per_ev_ps", TIMES_VOLUME),
}
"""Coefficients by group; those of a phase, which has no volume of its own, are times its volume."""
QUANTITIES = {"conductivity_s_per_cm": ("conductivity", "S/cm"), "haven_ratio": ("Haven ratio", "")}


def msd(what: What) -> pd.DataFrame:
    """Return a row for each lag of each mean squared displacement.

    ``analysis`` is ``msd`` (all time origins; directions ``x``, ``y``, ``z`` and ``all``), ``diffusion`` (``all``,
    ``xy``, ``z``, with the 95 % band from ``low`` to ``high``) or ``windows`` (``xy``, ``z``, of the atoms of a
    ``group`` when a window began: a phase, a slab in the middle of which is ``z_ang``, or both).

    :raises QueryError: not a process.
    """
    names = (
        "steps", "msd_species", "msd_lag_steps", "msd_ang2", "diffusion_species", "diffusion_directions",
        "diffusion_lag_ps", "diffusion_msd_ang2", "diffusion_msd_low_ang2", "diffusion_msd_high_ang2", *OF_WINDOWS,
        "windows_lag_ps", "windows_msd_ang2",
    )  # fmt: skip
    blocks = []
    for one in analyses_in(Graph(what), names):
        held = one.arrays
        if "msd_ang2" in held:
            lags = one.times_ps(held["msd_lag_steps"])
            for row, species in enumerate(held["msd_species"].tolist()):
                curves = {ALL: held["msd_ang2"][row].sum(axis=-1)}
                curves |= {axis: held["msd_ang2"][row, :, place] for place, axis in enumerate("xyz")}
                blocks += [_msd(one, "msd", species, axis, lags, curve) for axis, curve in curves.items()]
        if "diffusion_msd_ang2" in held:
            for row, species in enumerate(held["diffusion_species"].tolist()):
                for column, direction in enumerate(held["diffusion_directions"].tolist()):
                    middle, low, high = (held[f"diffusion_msd_{end}ang2"][row, column] for end in ("", "low_", "high_"))
                    block = _msd(one, "diffusion", species, direction, held["diffusion_lag_ps"], middle)
                    blocks.append({**block, "low_ang2": low, "high_ang2": high})
        if "windows_msd_ang2" in held:
            for source, group, species, row, column, direction in _of_windows(one):
                curve = held["windows_msd_ang2"][group, row, column]
                if np.isfinite(curve).any():
                    block = _msd(one, "windows", species, direction, held["windows_lag_ps"], curve)
                    blocks.append({**block, **source})
    return table(MSD_COLUMNS, blocks)


def diffusion(what: What) -> pd.DataFrame:
    """Return a row for each self-diffusion coefficient, with its 95 % interval from ``low`` to ``high``.

    ``analysis`` is ``diffusion`` (of the whole cell) or ``windows`` (of a ``group``: a phase, a slab, or both).
    ``below_cm2_per_s`` is the upper bound where atoms hop too rarely; ``regime`` the word for what they do.

    :raises QueryError: not a process.
    """
    ends = ("cm2_per_s", "error_cm2_per_s", "low_cm2_per_s", "high_cm2_per_s")
    more = ("exponent", "exponent_error", "regime")
    names = ["steps", "diffusion_species", "diffusion_directions", *OF_WINDOWS, "windows_regime"]
    names += [f"diffusion_{end}" for end in (*ends, *more)] + [f"windows_diffusion_{end}" for end in ends]
    blocks = []
    for one in analyses_in(Graph(what), names, ("diffusion",)):
        held = one.arrays
        if "diffusion_cm2_per_s" in held:
            told = one.numbers.get("diffusion") or {}
            for row, species in enumerate(held["diffusion_species"].tolist()):
                for column, direction in enumerate(held["diffusion_directions"].tolist()):
                    values = {end: held[f"diffusion_{end}"][row, column] for end in (*ends, *more)}
                    below = (told.get(species) or {}).get("below_cm2_per_s") if direction == ALL else None
                    blocks.append(
                        {
                            **_motion(one, "diffusion"),
                            "species": species,
                            "direction": direction,
                            "below_cm2_per_s": below,
                            **_named(values),
                        }
                    )
        if "windows_diffusion_cm2_per_s" in held:
            for source, group, species, row, column, direction in _of_windows(one):
                values = {end: held[f"windows_diffusion_{end}"][group, row, column] for end in ends}
                if np.isfinite(values["cm2_per_s"]):
                    regime = held["windows_regime"][group, row, column]
                    of = {"species": species, "direction": direction, "regime": regime}
                    blocks.append({**_motion(one, "windows"), **source, **of, **_named(values)})
    return table(DIFFUSION_COLUMNS, blocks)


def onsager(what: What) -> pd.DataFrame:
    """Return a row for each pair of elements: the Onsager coefficient with its standard error.

    ``analysis`` is ``onsager`` (of the whole cell) or ``windows`` (of a ``group``). Those of a phase are times its
    volume, as ``unit`` tells.

    :raises QueryError: not a process.
    """
    whole = ("onsager_species", "onsager_per_ev_ang_ps", "onsager_error_per_ev_ang_ps")
    parts = [f"{name}_{end}{unit}" for name, (unit, _) in ONSAGERS.items() for end in ("", "error_")]
    blocks = []
    for one in analyses_in(Graph(what), ("steps", *whole, *OF_WINDOWS, *parts)):
        held = one.arrays
        if whole[1] in held:
            pairs = _pairs(held[whole[0]].tolist(), held[whole[1]], held[whole[2]])
            blocks += [{**_motion(one, "onsager"), **pair, "unit": PER_VOLUME} for pair in pairs]
        for name, (unit, words) in ONSAGERS.items():
            if f"{name}_{unit}" not in held:
                continue
            species = held["windows_species"].tolist()
            for group, source in enumerate(_groups(one)):
                value, error = (held[f"{name}_{end}{unit}"][group] for end in ("", "error_"))
                if np.isfinite(value).any():
                    pairs = _pairs(species, value, error)
                    blocks += [{**_motion(one, "windows"), **source, **pair, "unit": words} for pair in pairs]
    return table(ONSAGER_COLUMNS, blocks)


def conductivity(what: What) -> pd.DataFrame:
    """Return a row for each conductivity and Haven ratio of a whole cell, with its 95 % interval.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in analyses_in(Graph(what), ("steps", "onsager_species"), ("onsager",)):
        told = one.numbers.get("onsager") or {}
        for key, (quantity, unit) in QUANTITIES.items():
            if (found := told.get(key)) is not None:
                low, high = found["interval_95"] or (None, None)
                of = {"quantity": quantity, "unit": unit, "temperature_k": told.get("temperature_k")}
                values = {"value": found["value"], "error": found["error"], "low": low, "high": high}
                blocks.append({**one.columns(), **of, **values})
    return table(CONDUCTIVITY_COLUMNS, blocks)


def survival(what: What) -> pd.DataFrame:
    """Return a row for each lag of each group of a window: which share of its atoms stays, and is there (again).

    :raises QueryError: not a process.
    """
    names = ("steps", *OF_WINDOWS, "windows_lag_ps", "windows_survival", "windows_returning")
    blocks = []
    for one in analyses_in(Graph(what), names):
        if "windows_survival" not in one.arrays:
            continue
        for group, source in enumerate(_groups(one)):
            staying, there = (one.arrays[f"windows_{name}"][group] for name in ("survival", "returning"))
            if np.isfinite(staying).any():
                curves = {"lag_ps": one.arrays["windows_lag_ps"], "staying": staying, "there": there}
                blocks.append({**_motion(one, "windows"), **source, **curves})
    return table(SURVIVAL_COLUMNS, blocks)


def far_movers(what: What) -> pd.DataFrame:
    """Return a row for each atom that went far within a time, as its analysis was asked.

    ``step`` and ``time_ps`` are when it began, ``z_fraction`` where along the cell, as a share of its height;
    ``moved_ang`` is how far from there it went.

    :raises QueryError: not a process.
    """
    names = ("steps", "jumps_ids", "jumps_steps", "jumps_z_fraction", "jumps_moved_ang")
    blocks = []
    for one in analyses_in(Graph(what), names):
        held = one.arrays
        if "jumps_ids" not in held:
            continue
        moments = {"step": held["jumps_steps"], "time_ps": one.times_ps(held["jumps_steps"])}
        far = np.linalg.norm(np.reshape(held["jumps_moved_ang"], (-1, 3)), axis=1)
        of = {"atom_id": held["jumps_ids"], "z_fraction": held["jumps_z_fraction"], "moved_ang": far}
        blocks.append({**one.columns(), **moments, **of})
    return table(FAR_MOVER_COLUMNS, blocks)


# ------------------------------------------------------------------------------------ rows
OF_WINDOWS = ("windows_groups", "windows_z_ang", "windows_species", "windows_directions")


def _motion(one: Found, analysis: str) -> dict[str, Any]:
    return {**one.columns(), "analysis": analysis, "group": ALL}


def _msd(one: Found, analysis: str, species: str, direction: str, lags: Any, curve: Any) -> dict[str, Any]:
    of = {"species": species, "direction": direction}
    return {**_motion(one, analysis), **of, "lag_ps": np.asarray(lags, dtype=float), "msd_ang2": curve}


def _groups(one: Found) -> list[dict[str, Any]]:
    """Return name and place of each group; of phases in slabs, the slabs of a phase come one after another."""
    z_ang = one.arrays["windows_z_ang"]
    return [
        {"group": str(name), "z_ang": float(z_ang[row % len(z_ang)]) if len(z_ang) else None}
        for row, name in enumerate(one.arrays["windows_groups"].tolist())
    ]


def _of_windows(one: Found) -> list[tuple[dict[str, Any], int, str, int, int, str]]:
    """Return each group, element and direction of a window: source, and places in its arrays."""
    return [
        (source, group, str(species), row, column, str(direction))
        for group, source in enumerate(_groups(one))
        for row, species in enumerate(one.arrays["windows_species"].tolist())
        for column, direction in enumerate(one.arrays["windows_directions"].tolist())
    ]


def _named(values: dict[str, Any]) -> dict[str, Any]:
    return {("d_cm2_per_s" if name == "cm2_per_s" else name): value for name, value in values.items()}


def _pairs(species: list[str], value: Any, error: Any) -> list[dict[str, Any]]:
    return [
        {"species": first, "other": second, "value": value[i, j], "error": error[i, j]}
        for i, first in enumerate(species)
        for j, second in enumerate(species)
    ]

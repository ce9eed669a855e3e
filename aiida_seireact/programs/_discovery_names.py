"""From what was counted of a group of environments to its name and the crystals it was held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.programs import _discovery_groups as counted
from aiida_seireact.programs._discovery_groups import Measured
from aiida_seireact.science.discovery import known, naming, shells
from aiida_seireact.science.discovery.composition import formula
from aiida_seireact.science.discovery.fingerprint import Likeness, nearest_crystals

FloatArray = NDArray[np.float64]
SHOWN = 3


def told_of(
    found: Measured,
    centre: str,
    elements: Sequence[int],
    ends: Mapping[int, shells.Cutoff],
    crystals: Sequence[known.Known],
    settings: DiscoverSettings,
) -> tuple[dict[str, Any], tuple[FloatArray, FloatArray]]:
    """Return what a group is, and its pattern with the nearest known one."""
    nothing = np.full(len(counted.angles(settings)), np.nan)
    if not found.n_looked_at or found.counts is None:
        return {"n_looked_at": 0, "name": None, "reason": f"fewer than {settings.fewest} in the frames looked at"}, (
            nothing,
            nothing,
        )
    curve = np.mean(found.curves, axis=0) if found.curves else nothing
    value, n_centres = found.order()
    near, seen, suggestion = named(
        found.amounts, centre, known.by_kind(found.counts, elements, centre), found.n_counted, curve, value, crystals,
        settings,
    )  # fmt: skip
    told = {
        "n_looked_at": found.n_looked_at,
        "name": suggestion.name,
        "reason": suggestion.reason,
        "structure_type": suggestion.structure_type,
        "crystal": suggestion.crystal,
        "composition": found.amounts,
        "formula": formula(found.amounts, centre),
        **counted.as_numbers(found, elements, ends),
        "crystallinity": {"value": value, "n_centres": n_centres},
        "nearest_by_distances": [asdict(item) for item in near[:SHOWN]],
        "nearest_by_diffraction": [asdict(item) for item in seen[:SHOWN]],
    }
    return told, (scaled(curve), nearest_curve(seen, crystals, settings))


def named(
    amounts: Mapping[str, float],
    centre: str,
    counts: FloatArray,
    n_counted: int,
    curve: FloatArray,
    crystallinity: float | None,
    crystals: Sequence[known.Known],
    settings: DiscoverSettings,
) -> tuple[list[Likeness], list[Likeness], naming.Suggestion]:
    """Compare a group with the known crystals that hold its centre's element, and suggest a name."""
    crystals = [item for item in crystals if item.counts is not None]
    near = nearest_crystals(
        counts, n_counted, settings.r_max_ang,
        {item.name: (item.counts, item.n_centres) for item in crystals if item.counts is not None},
    )  # fmt: skip
    seen = (
        known.nearest_patterns(
            curve, counted.angles(settings), crystals,
            wavelength_ang=settings.wavelength_ang, fwhm_deg=counted.FWHM_DEG,
        )
        if np.isfinite(curve).all() and curve.any()
        else []
    )  # fmt: skip
    suggestion = naming.suggest(
        amounts, centre, distances=near, diffraction=seen,
        crystallinity=float("nan") if crystallinity is None else crystallinity,
        types={item.name: item.structure_type for item in crystals},
        compositions={item.name: item.composition for item in crystals},
    )  # fmt: skip
    return near, seen, suggestion


def scaled(curve: FloatArray) -> FloatArray:
    return curve / curve.max() if np.isfinite(curve).all() and curve.max() > 0 else np.full(len(curve), np.nan)


def nearest_curve(seen: Sequence[Likeness], crystals: Sequence[known.Known], settings: DiscoverSettings) -> FloatArray:
    if not seen:
        return np.full(len(counted.angles(settings)), np.nan)
    (crystal,) = [item for item in crystals if item.name == seen[0].name]
    return scaled(
        known.shown(
            crystal, counted.angles(settings), seen[0].stretch,
            wavelength_ang=settings.wavelength_ang, fwhm_deg=counted.FWHM_DEG,
        )
    )  # fmt: skip

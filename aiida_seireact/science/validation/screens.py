"""Screens of an MD run: what a run shows of a model that has left what it knows.

Holes, distances, speeds and drift are those of `science.health` and `science.run_health`, which stop rule and monitor
ask too; the limits here are tighter, since the runs are of phases that must stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis import partial_rdf
from aiida_seireact.science.health import StopRule, largest_hole_radius, smallest_distance
from aiida_seireact.science.order import order_of
from aiida_seireact.science.run_health import (
    DRIFT_PS,
    DRIFT_ROWS,
    ROWS,
    Asked,
    HealthLimits,
    drift_mev_per_atom_per_ps,
    speeds_between,
    thermal_speeds,
)
from aiida_seireact.science.validation.lines import Run

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class StabilityLimits:
    """When a run has failed.

    :param volume_change_max: of the first frame's volume, either way, as a fraction.
    :param hole_radius_max_ang: largest sphere without an atom centre.
    :param distance_min_ang: smallest distance of two atoms.
    :param temperature_ratio_max: of what was asked for, in `run_health.ROWS` rows one after another.
    :param speed_ratio_max: of an atom from frame to frame, over the thermal speed of its species.
    :param separation_max: rise of `like_neighbours` since the first frame.
    :param drift_max_mev_per_atom_per_ps: of the conserved quantity, either way; it needs a run of `run_health.DRIFT_PS`
        or longer. None: not looked at.
    :param order_min: of `science.order`, over that of the first frame, for crystals that must stay; Li at 300 K has
        0.57.
    """

    volume_change_max: float = 0.15
    hole_radius_max_ang: float = StopRule.hole_radius_max_ang
    distance_min_ang: float = StopRule.distance_min_ang
    temperature_ratio_max: float = 1.5
    speed_ratio_max: float = HealthLimits.speed_ratio_max
    separation_max: float = 0.3
    drift_max_mev_per_atom_per_ps: float | None = HealthLimits.drift_max_mev_per_atom_per_ps
    order_min: float = 0.25


@dataclass(frozen=True)
class Screen:
    """What one screen found.

    :param value: the worst one of the run, in `unit`.
    :param over: how far it has gone to the limit: above 1 the limit is broken. NaN where it could not be looked at.
    :param first_frame: the first frame that breaks the limit, where it is seen in frames; None: none does.
    :param note: why there is no value.
    """

    name: str
    value: float
    limit: float
    unit: str
    over: float
    first_frame: int | None = None
    note: str = ""


def screens_of(
    run: Run,
    limits: StabilityLimits,
    *,
    crystal: tuple[ArrayLike, ArrayLike] | None = None,
    cut_short: str = "",
) -> list[Screen]:
    """Return what each screen found, in a fixed order.

    :param crystal: where the run is of a crystal that must stay: which atoms ``(n_atoms,)`` bool, and the peaks of
        `science.order.peaks_of` of the first cell.
    :param cut_short: why the run is not as long as it was asked to be; empty: it is.
    """
    found = [_ended(run, cut_short), *_of_frames(run, limits, crystal), _too_fast(run, limits), _too_hot(run, limits)]
    drift = _drift(run, limits)
    return found if drift is None else [*found, drift]


def like_neighbours(numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, *, reach_ang: float = 6.0) -> float:
    """Return the largest short-range order of an element with itself, (p − c) / (1 − c), at most 1.

    ``p`` is the fraction of like atoms among all within reach of one, ``c`` that of all atoms (J. M. Cowley, Phys. Rev.
    77, 669 (1950)): 0 in a random mixture, below it where elements alternate, 1 in phases wider than the reach. It is
    read as a change: an interface begins with a high one. 0 for an element alone.
    """
    elements = np.asarray(numbers)
    kinds, counts = np.unique(elements, return_counts=True)
    if len(kinds) < 2:
        return 0.0
    shares = counts / len(elements)
    everywhere = (True, True, True)

    def density(pair: tuple[int, int]) -> float:
        g = partial_rdf(positions, elements, cell, everywhere, pair, r_max_ang=reach_ang, n_bins=1)[1]
        return float(g[0])

    orders = []
    for kind, share in zip(kinds.tolist(), shares, strict=True):
        around = np.array([density((kind, other)) for other in kinds.tolist()]) * shares
        like = around[kinds == kind].sum() / around.sum() if around.sum() > 0 else 0.0
        orders.append((like - share) / (1 - share))
    return float(max(orders))


def _ended(run: Run, cut_short: str) -> Screen:
    if run.stopped_by is None and not cut_short:
        return Screen("ended early", 0.0, 1.0, "", 0.0)
    note = cut_short if run.stopped_by is None else str(run.stopped_by.get("message", ""))
    return Screen("ended early", 1.0, 1.0, "", np.inf, len(run.steps) - 1, note)


def _of_frames(run: Run, limits: StabilityLimits, crystal: tuple[ArrayLike, ArrayLike] | None) -> Iterator[Screen]:
    frames = [(np.asarray(places), np.asarray(cell)) for places, cell in zip(run.positions, run.cells, strict=True)]
    first_volume = abs(np.linalg.det(frames[0][1]))
    mixed = like_neighbours(run.numbers, *frames[0])

    def highest(name: str, limit: float, unit: str, of: Callable[[FloatArray, FloatArray], float]) -> Screen:
        values = np.array([of(*frame) for frame in frames])
        return _screen(name, values, limit, unit, values / limit)

    yield highest(
        "volume change",
        limits.volume_change_max,
        "",
        lambda _, cell: abs(abs(float(np.linalg.det(cell))) / first_volume - 1),
    )
    yield highest(
        "largest hole", limits.hole_radius_max_ang, "Å", lambda places, cell: largest_hole_radius(places, cell, run.pbc)
    )
    distances = np.array([smallest_distance(places, cell, run.pbc)[0] for places, cell in frames])
    over = limits.distance_min_ang / np.maximum(distances, 1e-6)
    yield _screen("smallest distance", distances, limits.distance_min_ang, "Å", over)
    yield highest(
        "phase separation",
        limits.separation_max,
        "",
        lambda places, cell: max(0.0, like_neighbours(run.numbers, places, cell) - mixed),
    )
    if crystal is not None:
        chosen, peaks = np.asarray(crystal[0], dtype=bool), np.asarray(crystal[1])
        orders = np.array([order_of(places[chosen], cell, peaks) for places, cell in frames])
        orders = orders / orders[0]
        yield _screen("crystal order", orders, limits.order_min, "", limits.order_min / np.maximum(orders, 1e-9))


def _too_fast(run: Run, limits: StabilityLimits) -> Screen:
    name, limit = "fastest atom", limits.speed_ratio_max
    if not run.unwrapped or len(run.positions) < 2:
        return Screen(name, np.nan, limit, "thermal speeds", np.nan, note="its frames don't follow atoms")
    masses = atomic_masses[run.numbers]
    thermal = thermal_speeds(masses, run.temperature_k)
    times = run.times_ps
    ratios = [0.0]
    for index in range(1, len(run.positions)):
        spent = float(times[index] - times[index - 1])
        ratios.append(
            float((speeds_between(run.positions[index - 1], run.positions[index], masses, spent) / thermal).max())
        )
    values = np.array(ratios)
    return _screen(name, values, limit, "thermal speeds", values / limit)


def _too_hot(run: Run, limits: StabilityLimits) -> Screen:
    name, limit = "temperature", limits.temperature_ratio_max * run.temperature_k
    temperatures = np.asarray(run.thermo.get("temp", ()), dtype=float)
    if len(temperatures) < ROWS:
        return Screen(name, np.nan, limit, "K", np.nan, note="there is no table of its temperature")
    # What counts is what ROWS rows one after another all exceed.
    lasting = np.lib.stride_tricks.sliding_window_view(temperatures, ROWS).min(axis=1)
    worst = float(lasting.max()) if np.isfinite(lasting).all() else np.inf
    steps = np.asarray(run.thermo["step"], dtype=float)[ROWS - 1 :]
    broken = np.flatnonzero(~(lasting <= limit))
    # The frame at or after the first row that breaks it.
    frame = None if not len(broken) else min(int(np.searchsorted(run.steps, steps[broken[0]])), len(run.steps) - 1)
    return Screen(name, worst, limit, "K", worst / limit, frame)


def _drift(run: Run, limits: StabilityLimits) -> Screen | None:
    limit = limits.drift_max_mev_per_atom_per_ps
    if limit is None:
        return None
    asked = Asked(temperature_k=run.temperature_k, timestep_fs=run.timestep_fs, n_atoms=len(run.numbers))
    drift = drift_mev_per_atom_per_ps(run.thermo, asked) if "step" in run.thermo else None
    name, unit = "energy drift", "meV/atom/ps"
    if drift is None:
        # Never left out in silence: a line that has not looked at it has not passed.
        note = (
            f"it takes {DRIFT_ROWS} rows of a conserved quantity that is a number, over {DRIFT_PS:g} ps: run longer, "
            "or set drift_max_mev_per_atom_per_ps to null"
        )
        return Screen(name, np.nan, limit, unit, np.nan, note=note)
    return Screen(name, drift, limit, unit, abs(drift) / limit)


def _screen(name: str, values: FloatArray, limit: float, unit: str, over: FloatArray) -> Screen:
    """Return the worst of the values of all frames; one that is not a number is the worst."""
    over = np.where(np.isfinite(over), over, np.inf)
    worst = int(np.argmax(over))
    broken = np.flatnonzero(over > 1)
    return Screen(name, float(values[worst]), limit, unit, float(over[worst]), int(broken[0]) if len(broken) else None)

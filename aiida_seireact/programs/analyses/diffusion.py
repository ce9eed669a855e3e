"""Self-diffusion of each element, with intervals that cover, and the word for what the atoms do."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.jobs.transport import DiffusionSettings
from aiida_seireact.programs.analyses._moving import DIRECTIONS, Moving
from aiida_seireact.programs.analyses._protocol import Arrays, Needs
from aiida_seireact.science.transport.diffusion import (
    FEWEST_FRAMES,
    msd_band,
    of_curves,
    smallest_resolvable,
    upper_bound,
)
from aiida_seireact.science.transport.displacements import msd_of_time_blocks
from aiida_seireact.science.transport.estimates import DiffusionEstimate
from aiida_seireact.science.transport.units import CM2_PER_S
from aiida_seireact.science.transport.weights import fitted_lags


class DiffusionObserver(Moving[DiffusionSettings]):
    """``diffusion_cm2_per_s``, its intervals and regimes; ``diffusion_msd_ang2`` with its band."""

    name = "diffusion"

    @classmethod
    def needs(cls, settings: DiffusionSettings) -> Needs:
        return Needs(paths=True)

    def work_out(self) -> tuple[Arrays, dict[str, Any]]:
        settings, paths = self.settings, self.paths
        symbols = self.symbols(settings.species)
        kinds, interval, drift = self.kinds(symbols), self.interval_ps, paths.drift()
        length = paths.n_frames // settings.n_blocks
        if length < FEWEST_FRAMES:
            raise ValueError(
                f"{paths.n_frames} frames in {settings.n_blocks} stretches: each needs {FEWEST_FRAMES} or more; take "
                "fewer stretches, more frames (trajectory.stride, paths.max_frames) or a longer run"
            )
        fit = (settings.first_lag, settings.last_lag)
        # Half of a stretch is shown, and what is fitted is there.
        n_lags = max(length // 2, int(fitted_lags(length, fit)[-1])) + 1
        run_ps = (paths.n_frames - 1) * interval
        told: dict[str, Any] = {}
        numbers = np.full((len(symbols), len(DIRECTIONS), 6), np.nan)
        words, bands = [], []
        for row, symbol in enumerate(symbols):
            chosen = kinds == row
            curves = msd_of_time_blocks(paths.blocks(chosen), n_blocks=settings.n_blocks, drift=drift, n_lags=n_lags)
            bands.append([msd_band(curves[:, :, list(of)].sum(axis=2)) for of in DIRECTIONS.values()])
            found = {
                name: of_curves(
                    curves[:, :, list(of)].sum(axis=2), interval, n_frames=length, n_directions=len(of), fit=fit
                )
                for name, of in DIRECTIONS.items()
            }
            numbers[row] = [_numbers(each) for each in found.values()]
            words.append([each.regime for each in found.values()])
            whole, n_atoms = found["all"], int(chosen.sum())
            told[symbol] = {
                **_told(whole),
                "below_cm2_per_s": upper_bound(whole, n_atoms, run_ps, hop_ang=settings.hop_ang) * CM2_PER_S,
                "resolvable_cm2_per_s": smallest_resolvable(
                    n_atoms, run_ps, hop_ang=settings.hop_ang, n_blocks=settings.n_blocks
                )
                * CM2_PER_S,
                "in_plane": _told(found["xy"]),
                "out_of_plane": _told(found["z"]),
            }
        middle, low, high = np.moveaxis(np.array(bands), 2, 0)
        arrays: Arrays = {
            "diffusion_species": np.array(symbols),
            "diffusion_directions": np.array(list(DIRECTIONS)),
            "diffusion_cm2_per_s": numbers[..., 0],
            "diffusion_error_cm2_per_s": numbers[..., 1],
            "diffusion_low_cm2_per_s": numbers[..., 2],
            "diffusion_high_cm2_per_s": numbers[..., 3],
            "diffusion_exponent": numbers[..., 4],
            "diffusion_exponent_error": numbers[..., 5],
            "diffusion_regime": np.array(words),
            "diffusion_lag_ps": np.arange(middle.shape[-1]) * interval,
            "diffusion_msd_ang2": middle,
            "diffusion_msd_low_ang2": low,
            "diffusion_msd_high_ang2": high,
        }
        return arrays, told


def _numbers(found: DiffusionEstimate) -> list[float]:
    d, (low, high) = found.d_cm2_per_s, interval_of(found)
    unknown = float("nan")
    return [
        d.value, unknown if d.error is None else d.error, low, high, found.exponent,
        unknown if found.exponent_error is None else found.exponent_error,
    ]  # fmt: skip


def interval_of(found: DiffusionEstimate) -> tuple[float, float]:
    """Return the 95 % interval in cm²/s; NaN where it is not known."""
    return found.d_cm2_per_s.interval() or (float("nan"), float("nan"))


def _told(found: DiffusionEstimate) -> dict[str, Any]:
    """Return the numbers of an estimate; what can't be told is null."""
    d = found.d_cm2_per_s
    interval = d.interval()
    return {
        "regime": found.regime,
        "d_cm2_per_s": d.value,
        "error_cm2_per_s": d.error,
        "interval_95_cm2_per_s": None if interval is None else list(interval),
        "exponent": found.exponent if np.isfinite(found.exponent) else None,
        "exponent_error": found.exponent_error,
        "first_lag_ps": found.first_lag_ps,
        "last_lag_ps": found.last_lag_ps,
        "msd_ang2": found.msd_ang2,
    }

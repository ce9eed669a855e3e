"""Figures of how atoms move: displacements with their band, diffusion by slab, Onsager coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import INK, MARKERS, MUTED, PALETTE, limits, plain_log, styled
from aiida_seireact.science.transport.units import S_PER_CM

Bands = Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]]
"""For each name: value, lower and upper end of the interval."""


def transport_pictures(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Figure]:
    """Draw what is there of diffusion, windows and Onsager coefficients, by the name of its file.

    :param arrays: of `analysis.npz`.
    """
    drawn: dict[str, Figure] = {}
    if "diffusion_msd_ang2" in arrays:
        # Of all directions: the first of diffusion_directions.
        ends = [arrays[f"diffusion_msd_{end}ang2"][:, 0] for end in ("", "low_", "high_")]
        curves = {str(name): tuple(each[row] for each in ends) for row, name in enumerate(arrays["diffusion_species"])}
        drawn["diffusion"] = displacements(arrays["diffusion_lag_ps"], curves)
    if "windows_z_ang" in arrays and (n_slabs := len(arrays["windows_z_ang"])) > 1:
        drawn["windows"] = diffusion_by_slab(arrays["windows_z_ang"], _by_slab(arrays, n_slabs))
    if "onsager_per_ev_ang_ps" in arrays:
        drawn["onsager"] = onsager_matrix(
            arrays["onsager_species"].tolist(), arrays["onsager_per_ev_ang_ps"], arrays["onsager_error_per_ev_ang_ps"],
            charges=None,
        )  # fmt: skip
    return drawn


def _by_slab(arrays: Mapping[str, NDArray[Any]], n_slabs: int) -> dict[str, Bands]:
    """Return the coefficients of each species, in each phase where groups are phases in slabs."""
    # Groups are phase * n_slabs + slab; by slab alone there is one phase without a name.
    phases = [str(name).split(" z ")[0] for name in arrays["windows_groups"][::n_slabs]]
    if len(phases) == 1:
        phases = [""]
    keys = [f"windows_diffusion_{end}cm2_per_s" for end in ("", "low_", "high_")]
    found: dict[str, dict[str, tuple[ArrayLike, ArrayLike, ArrayLike]]] = {}
    for column, direction in enumerate(arrays["windows_directions"].tolist()):
        bands = found.setdefault({"xy": "in the plane", "z": "out of it"}[direction], {})
        for row, species in enumerate(arrays["windows_species"].tolist()):
            for phase, name in enumerate(phases):
                slabs = slice(phase * n_slabs, (phase + 1) * n_slabs)
                value, low, high = (arrays[key][slabs, row, column] for key in keys)
                if np.isfinite(value).any():
                    bands[f"{species} {name}".strip()] = value, low, high
    return dict(found)


@styled
def displacements(lag_ps: ArrayLike, curves: Bands) -> Figure:
    """Mean squared displacement against the lag, both logarithmic, with the band that holds the truth.

    A dotted line of slope 1 is what diffusion looks like.

    :param lag_ps: ``(n_lags,)``; what is not positive is left out.
    :param curves: Å², ``(n_lags,)`` each; NaN ends of a band are not drawn.
    """
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.add_subplot()
    lag = np.asarray(lag_ps, dtype=float)
    shown = lag > 0
    highest = 0.0
    for colour, (name, ends) in zip(cycle(PALETTE), curves.items(), strict=False):
        middle, low, high = (np.asarray(each, dtype=float)[shown] for each in ends)
        axes.plot(lag[shown], middle, color=colour, label=name)
        # A band that reaches zero has no lower end on a logarithmic axis: it goes on to the bottom.
        floor = np.where(low > 0, low, np.nanmin(middle[middle > 0], initial=1.0) * 1e-3)
        axes.fill_between(lag[shown], floor, high, where=np.isfinite(high), color=colour, alpha=0.25, linewidth=0)
        highest = max(highest, float(np.nanmax(middle, initial=0.0)))
    lowest = min((float(np.nanmin(m)) for m in (np.asarray(e[0], float)[shown] for e in curves.values())), default=1.0)
    axes.set(xscale="log", yscale="log", xlabel="lag (ps)", ylabel="mean squared displacement (Å²)")
    if highest > 0:
        end = lag[shown][-1]
        axes.plot(lag[shown], highest * lag[shown] / end, color=MUTED, linestyle=":", linewidth=1.0, label="slope 1")
        axes.set_ylim(max(lowest, highest * 1e-5) / 2, highest * 3)
    plain_log(axes.xaxis)
    axes.grid(True)
    figure.legend(loc="outside lower center", ncols=len(curves) + 1)
    return figure


@styled
def diffusion_by_slab(z_ang: ArrayLike, panels: Mapping[str, Bands]) -> Figure:
    """Self-diffusion coefficients along z with their 95 % intervals, a panel a direction.

    Where an interval reaches zero there is an arrow down from its upper end: only that bound is known.

    :param z_ang: ``(n_slabs,)`` middles of the slabs, Å.
    :param panels: for each direction and name ``(n_slabs,)`` cm²/s; NaN where nobody was.
    """
    figure = Figure(figsize=(3.6 * max(len(panels), 1), 3.2), layout="constrained")
    rows = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
    z = np.asarray(z_ang, dtype=float)
    low_end, high_end = limits(z)
    margin = (high_end - low_end) / max(2 * (len(z) - 1), 1)
    for axes, (title, bands) in zip(rows, panels.items(), strict=True):
        for colour, marker, (name, ends) in zip(cycle(PALETTE), cycle(MARKERS), bands.items(), strict=False):
            value, low, high = (np.asarray(each, dtype=float) for each in ends)
            told = (low > 0) & (value > 0)
            axes.errorbar(
                z[told], value[told], yerr=[value[told] - low[told], high[told] - value[told]], color=colour,
                marker=marker, markersize=4, linestyle="none", capsize=2, label=name,
            )  # fmt: skip
            bound = ~told & (high > 0)
            axes.errorbar(
                z[bound], high[bound], yerr=0.4 * high[bound], uplims=True, color=colour, marker="_", linestyle="none"
            )
            unknown = np.isfinite(value) & (value > 0) & ~np.isfinite(high)
            axes.plot(z[unknown], value[unknown], color=colour, marker=marker, linestyle="none", markerfacecolor="none")
        axes.set(yscale="log", title=title, xlabel="z (Å)", xlim=(low_end - margin, high_end + margin))
        axes.grid(True)
    rows[0].set_ylabel("diffusion coefficient (cm²/s)")
    names = [name for bands in panels.values() for name in bands]
    if len(set(names)) > 1:
        handles, labels = rows[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@styled
def onsager_matrix(species: Sequence[str], matrix: ArrayLike, error: ArrayLike, *, charges: ArrayLike | None) -> Figure:
    """Coefficients with cross terms as a table of numbers with errors, coloured by sign and size.

    :param matrix: ``(n_species, n_species)`` 1/(eV Å ps).
    :param error: its standard error, of the same shape; numbers smaller than twice it are printed grey.
    :param charges: formal charges ``(n_species,)``, e, to show each term of the conductivity; None: L itself.
    """
    value, spread = np.asarray(matrix, dtype=float), np.asarray(error, dtype=float)
    label = "L (1/(eV Å ps))"
    if charges is not None:
        z = np.asarray(charges, dtype=float)
        factor = np.outer(z, z) * S_PER_CM
        value, spread, label = value * factor, spread * np.abs(factor), "share of the conductivity (S/cm)"
    n = len(species)
    figure = Figure(figsize=(1.6 + 1.15 * n, 0.9 + 0.8 * n), layout="constrained")
    axes = figure.add_subplot()
    most = float(np.nanmax(np.abs(value), initial=0.0)) or 1.0
    image = axes.imshow(value, cmap="RdBu_r", vmin=-most, vmax=most, alpha=0.45)
    for i, j in np.ndindex(n, n):
        sure = not np.isfinite(spread[i, j]) or abs(value[i, j]) > 2 * spread[i, j]
        axes.text(
            j, i, f"{value[i, j]:.2g}\n± {spread[i, j]:.1g}", ha="center", va="center", fontsize=8.5,
            color=INK if sure else MUTED,
        )  # fmt: skip
    axes.set(xticks=range(n), yticks=range(n), xticklabels=list(species), yticklabels=list(species))
    axes.grid(False)
    figure.colorbar(image, ax=axes, label=label)
    return figure

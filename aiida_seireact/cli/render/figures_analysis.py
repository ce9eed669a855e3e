"""Pictures of what `seireact-analyse` found, one of each series that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_seireact.cli.render import figures
from aiida_seireact.cli.render.figures_transport import transport_pictures
from aiida_seireact.query.interphase import INTACT_PS4, THICKNESSES

Arrays = Mapping[str, NDArray[Any]]
_LEGIBLE = 12  # curves in one picture


@dataclass(frozen=True)
class Course:
    """Series against time in one picture.

    :param steps: array of their MD steps.
    :param curves: name of each curve by its array.
    """

    steps: str
    curves: Mapping[str, str]
    ylabel: str
    from_zero: bool = True


COURSES: dict[str, Course] = {
    "ps4": Course("steps", {INTACT_PS4: "intact PS₄"}, "intact PS₄"),
    "ps4_ends": Course("steps", {"ps4_lower_ang": "first intact PS₄", "ps4_upper_ang": "last intact PS₄"}, "z (Å)"),
    "thickness": Course(
        "steps",
        {THICKNESSES["ps4", side]: f"{side} side" for side in ("lower", "upper")},
        "from the last intact PS₄ to the\noutermost S, P, Cl (Å)",
    ),
    "thickness_profile": Course(
        "thickness_profile_steps",
        {
            THICKNESSES["profile", "lower"]: "lower side",
            THICKNESSES["profile", "upper"]: "upper side",
            THICKNESSES["profile", "both"]: "both",
        },
        "neither metal nor electrolyte\nfills half (Å)",
    ),
    "volume": Course("steps", {"volume_ang3": "volume"}, "volume (Å³)", from_zero=False),
    "smallest_distance": Course("steps", {"smallest_distance_ang": "smallest distance"}, "smallest distance (Å)"),
    "largest_hole": Course("steps", {"largest_hole_ang": "largest hole"}, "radius of the largest hole (Å)"),
    "clusters": Course(
        "clusters_steps", {"clusters_n": "clusters", "clusters_largest": "atoms of the largest"}, "number"
    ),
    "voids": Course("void_steps", {"void_volume_ang3": "voids"}, "volume of voids (Å³)"),
    "crystalline": Course(
        "crystalline_steps", {"crystalline_fraction": "crystalline"}, "crystalline share of the sublattice"
    ),
    "layers": Course("layer_steps", {"layer_spacing_ang": "spacing"}, "distance of layers (Å)", from_zero=False),
    "temperature": Course("thermo_steps", {"thermo_temperature_k": "temperature"}, "temperature (K)", from_zero=False),
    "energy": Course(
        "thermo_steps",
        {"thermo_potential_energy_ev_per_atom": "potential", "thermo_total_energy_ev_per_atom": "total"},
        "energy (eV/atom)",
        from_zero=False,
    ),
}


def pictures(arrays: Arrays, timestep_fs: float | None) -> dict[str, Figure]:
    """Draw every series that is there, by the name of its file.

    :param arrays: of `analysis.npz`.
    :param timestep_fs: None: against MD steps instead of time.
    """
    drawn: dict[str, Figure] = {}
    scale, xlabel = (1.0, "MD step") if timestep_fs is None else (timestep_fs * 1e-3, "time (ps)")
    for name, course in COURSES.items():
        curves = {label: arrays[key] for key, label in course.curves.items() if key in arrays and arrays[key].size}
        defined = {label: values for label, values in curves.items() if np.isfinite(values).any()}
        if defined:
            drawn[name] = figures.lines(
                arrays[course.steps] * scale, defined, xlabel=xlabel, ylabel=course.ylabel, from_zero=course.from_zero
            )
    for name, draw in _OTHERS.items():
        if (figure := draw(arrays, scale, xlabel)) is not None:
            drawn[name] = figure
    return {**drawn, **transport_pictures(arrays)}


def _phases(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "phase_counts" not in arrays:
        return None
    counts = arrays["phase_counts"]
    shares = counts / counts.sum(axis=1, keepdims=True)
    curves = {str(name): shares[:, row] for row, name in enumerate(arrays["phase_names"]) if counts[:, row].any()}
    ylabel = "share of the environments"
    return figures.lines(arrays["thickness_profile_steps"] * scale, curves, xlabel=xlabel, ylabel=ylabel)


def _templates(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "ptm_fractions" not in arrays:
        return None
    curves = dict(zip(arrays["ptm_structures"].tolist(), arrays["ptm_fractions"].T, strict=True))
    return figures.lines(arrays["ptm_steps"] * scale, curves, xlabel=xlabel, ylabel="share of the atoms")


def _displacements(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "msd_ang2" not in arrays or len(arrays["msd_lag_steps"]) < 2:
        return None
    # Beyond half of the run too few origins are left to mean anything.
    half = len(arrays["msd_lag_steps"]) // 2 + 1
    curves = dict(zip(arrays["msd_species"].tolist(), arrays["msd_ang2"].sum(axis=-1)[:, :half], strict=True))
    return figures.lines(
        arrays["msd_lag_steps"][:half] * scale, curves, xlabel=xlabel, ylabel="mean squared\ndisplacement (Å²)"
    )


def _distributions(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "rdf_g" not in arrays:
        return None
    pairs = {
        str(pair).replace("-", "–"): {"mean": g}
        for pair, g in zip(arrays["rdf_pairs"], arrays["rdf_g"], strict=True)
        if np.isfinite(g).any()
    }
    return figures.pair_distributions(arrays["rdf_r_ang"], dict(list(pairs.items())[:_LEGIBLE])) if pairs else None


def _diffraction(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "xrd_intensity" not in arrays:
        return None
    curves = {"intensity": arrays["xrd_intensity"]}
    return figures.lines(arrays["xrd_two_theta_deg"], curves, xlabel="2θ (°), Cu Kα", ylabel="intensity")


def _along_z(prefix: str, values: str, names: str, ylabel: str) -> Callable[[Arrays, float, str], Figure | None]:
    """Return a function that draws a profile along z in the first and the last window of time."""

    def draw(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
        if values not in arrays or not len(arrays[values]):
            return None
        profile, steps = arrays[values], arrays[f"{prefix}_steps"]
        kinds = [str(name) for name in arrays[names]] if names in arrays else ["amorphous", "crystalline"]
        panels = {}
        for window in dict.fromkeys((0, len(profile) - 1)):
            title = f"from {steps[window] * scale:g} ps" if xlabel != "MD step" else f"from step {steps[window]}"
            panels[title] = {kind: profile[window, row] for row, kind in enumerate(kinds)}
        return figures.profile(arrays[f"{prefix}_z_ang"], panels, ylabel=ylabel)

    return draw


def _charge(arrays: Arrays, scale: float, xlabel: str) -> Figure | None:
    if "charge_e" not in arrays:
        return None
    curves = {"first": arrays["charge_e"][0], "last": arrays["charge_e"][-1]}
    z = arrays["composition_z_ang"]
    return figures.lines(z, curves, xlabel="z (Å)", ylabel="formal charge of a slab (e)", from_zero=False)


_OTHERS: dict[str, Callable[[Arrays, float, str], Figure | None]] = {
    "composition": _along_z("composition", "composition_atoms", "composition_species", "atoms in a slab"),
    "charge": _charge,
    "phases": _phases,
    "phases_along_z": _along_z("phase_profile", "phase_profile", "phase_names", "environments"),
    "templates": _templates,
    "templates_along_z": _along_z("ptm_profile", "ptm_profile", "ptm_structures", "atoms in a slab"),
    "crystalline_along_z": _along_z("crystalline_profile", "crystalline_profile", "", "atoms in a slab"),
    "rdf": _distributions,
    "xrd": _diffraction,
    "msd": _displacements,
}

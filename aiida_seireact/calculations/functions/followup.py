"""The follow-up of a composition in the graph: its orderings, where they lie, the cell of its MD, all as one node."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.calculations.functions.products import energies_in
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.disorder import read_settings
from aiida_seireact.formats.entries import energies_of_frames
from aiida_seireact.formats.followup import FollowUpSettings, make_orderings, md_cell
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.science.followup import conductivity_s_per_cm, conducts, stability
from aiida_seireact.science.hull import hull_of
from aiida_seireact.science.products import PhaseEnergy, common_level
from aiida_seireact.science.structures.library import made_of

VERSION = 1
"""Raise when the same input gives another output: the source of this module is part of the hash, that of `science` is
not."""


@calcfunction
def orderings_of(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the ``frames`` of the orderings of a composition, and their ``report``.

    :param parameters: fields of `formats.followup.FollowUpSettings`.
    :raises ValueError: in a sentence, what does not fit.
    """
    made = make_orderings(read_settings(FollowUpSettings, parameters.get_dict()))
    return {"frames": FramesData(made.frames), "report": orm.Dict(made.report)}


@calcfunction
def place_on_hull(
    parameters: orm.Dict, report: orm.Dict, orderings: FramesData, **phases: FramesData | orm.Dict | orm.SinglefileData
) -> orm.Dict:
    """Return where the orderings of a composition lie above the hull of other phases.

    :param parameters: fields of `FollowUpSettings`.
    :param report: of `orderings_of`.
    :param orderings: labelled, by their names.
    :param phases: energies of the hull's phases: labelled frames, or entries as JSON; all of one level.
    :raises ValueError: an ordering without an energy, energies of several levels, an element without a phase.
    """
    settings = read_settings(FollowUpSettings, parameters.get_dict())
    degeneracies = {row["name"]: row["degeneracy"] for row in report["rows"]}
    energies = by_name(orderings.frames)
    if lost := [name for name in degeneracies if name not in energies]:
        raise ValueError(f"There is no energy of {lost[0]}.")
    mine = [energies[name] for name in degeneracies]
    others = [one for name in sorted(phases) for one in energies_in(phases[name])]
    elements = set(mine[0].composition)
    hull = hull_of(elements, others, mine)
    found = stability(
        mine,
        [degeneracies[one.name] for one in mine],
        hull,
        shares=report["shares"],
        n_shared_sites=report["n_shared_sites"],
        temperatures_k=settings.temperatures_k,
    )
    rows = hull.rows()
    missing = sorted(set(made_of(elements)) - {row["name"] for row in rows} - {row["formula"] for row in rows})
    remarks = list(report["remarks"])
    if missing:
        remarks.append(
            f"The hull lacks {', '.join(missing)}, which the library has: with them the composition can only lie "
            "higher above it."
        )
    volumes = np.abs(np.linalg.det(orderings.frames.cells)) / orderings.frames.n_atoms
    return orm.Dict(
        {
            "level": common_level([*mine, *others]),
            **found,
            "hull": rows,
            "missing_phases": missing,
            "volume_ang3_per_atom": round(float(volumes.mean()), 6),
            "remarks": remarks,
        }
    )


@calcfunction
def cell_for_md(parameters: orm.Dict, orderings: FramesData, stability: orm.Dict) -> FramesData:
    """Return the large cell that MD begins with.

    :param orderings: as they were labelled.
    :param stability: of `place_on_hull`.
    """
    settings = read_settings(FollowUpSettings, parameters.get_dict())
    return FramesData(md_cell(settings, orderings.frames, _index_of(orderings.frames, stability)))


@calcfunction
def cells_for_gaps(parameters: orm.Dict, orderings: FramesData, stability: orm.Dict) -> FramesData:
    """Return the orderings of lowest energy, those that get a band gap, lowest first."""
    settings = read_settings(FollowUpSettings, parameters.get_dict())
    rows = sorted(stability["orderings"], key=lambda row: (row["energy_ev_per_atom"], row["name"]))
    names = [str(name) for name in orderings.frames.config_type]
    chosen = [names.index(row["name"]) for row in rows[: settings.gap_orderings]]
    return FramesData(orderings.frames.without_labels().select(chosen))


@calcfunction
def gather(parameters: orm.Dict, report: orm.Dict, stability: orm.Dict, **parts: orm.Data) -> orm.Dict:
    """Return all that was found as one node.

    :param parts: ``md``, settings of the MD, and ``cell``, its cell, with ``analysis`` where it ended well;
        ``gap_engine``, with ``gaps`` where it did, or ``engine``, that of the labels, where no gap was asked for;
        ``orderings_failures`` and ``phases_failures``, the reports of the relaxations of the cells ``orderings`` and
        ``phases``.
    """
    settings = read_settings(FollowUpSettings, parameters.get_dict())
    whole: dict[str, Any] = {
        "schema": "seireact-followup/1",
        "composition": {key: value for key, value in report.get_dict().items() if key not in ("rows", "remarks")},
        "stability": {key: value for key, value in stability.get_dict().items() if key != "remarks"},
        "diffusion": None,
        "gap": None,
        "failed": [],
        "remarks": list(stability["remarks"]),
    }
    whole["remarks"] += _not_relaxed(parts)
    if "gaps" in parts:
        rows = parts["gaps"]["gaps"]
        whole["gap"] = {**parts["gaps"].get_dict(), "sentence": _gap_sentence(rows)}
    elif "gap_engine" in parts:
        whole["failed"].append("gap")
        whole["remarks"].append(f"There is no band gap: its calculation by {parts['gap_engine'].value} failed.")
    elif settings.gap_orderings:
        whole["remarks"].append(_no_gap(parts.get("engine")))
    if "analysis" in parts:
        whole["diffusion"] = _diffusion(settings, parts)
    elif "md" in parts:
        whole["failed"].append("md")
        whole["remarks"].append(
            f"Whether {settings.conductor.species} moves is not known: the MD of {len(parts['cell'].frames.numbers):,} "
            "atoms, or its analysis, failed."
        )
    whole["sentences"] = _sentences(whole)
    return orm.Dict(whole)


def by_name(frames: Frames) -> dict[str, PhaseEnergy]:
    """Return the energies of labelled frames by their config types."""
    return {one.name: one for one in energies_of_frames(frames)}


def _index_of(frames: Frames, stability: orm.Dict) -> int:
    name = stability["orderings"][stability["lowest"]]["name"]
    return [str(one) for one in frames.config_type].index(name)


def _not_relaxed(parts: dict[str, Any]) -> list[str]:
    """Say which cells a relaxation left unfinished."""
    lost = [
        str(parts[kind].frames.config_type[row["index"]])
        for kind in ("orderings", "phases")
        if f"{kind}_failures" in parts
        for row in parts[f"{kind}_failures"].get_dict().get("reports", [])
        if row.get("converged") is False
    ]
    if not lost:
        return []
    return [f"Not relaxed to the end, so a little too high: {', '.join(lost)}; give `relax.steps` more."]


def _diffusion(settings: FollowUpSettings, parts: dict[str, Any]) -> dict[str, Any]:
    """Return how fast the ions go, and whether that makes a conductor."""
    wanted = settings.conductor
    atoms = parts["cell"].frames.to_atoms(0)
    md = SegmentSettings.model_validate(parts["md"].get_dict()).md
    found = diffusion_of(parts["analysis"].get_dict(), wanted.species)
    factor = conductivity_s_per_cm(
        1.0,
        int((np.array(atoms.get_chemical_symbols()) == wanted.species).sum()),
        float(atoms.get_volume()),
        md.temperature_k,
        wanted.charge_e,
    )
    value, interval = found["d_cm2_per_s"], found["interval_95_cm2_per_s"]
    is_conductor, sentence = conducts(
        value,
        interval,
        found["below_cm2_per_s"],
        factor,
        minimum_s_per_cm=wanted.conductivity_min_s_per_cm,
        regime=found["regime"],
    )
    return {
        **found,
        "species": wanted.species,
        "temperature_k": md.temperature_k,
        "n_atoms": len(atoms),
        "conductivity_s_per_cm": None if value is None else float(f"{value * factor:.6g}"),
        "conductivity_interval_95_s_per_cm": None if value is None else [float(f"{d * factor:.6g}") for d in interval],
        "is_conductor": is_conductor,
        "sentence": f"{wanted.species} at {md.temperature_k:g} K in {len(atoms):,} atoms. {sentence}",
    }


def diffusion_of(analysis: dict[str, Any], species: str) -> dict[str, Any]:
    """Return the self-diffusion of a species as the analysis of a run tells it (``seireact-analyse``, `diffusion`).

    :returns: `d_cm2_per_s`, `error_cm2_per_s` and `interval_95_cm2_per_s`, null where the atoms don't diffuse;
        `below_cm2_per_s`, what it is below at 95 %; `regime`.
    """
    row = analysis.get("diffusion", {}).get(species, {})
    told = {name: row.get(name) for name in ("regime", "below_cm2_per_s", "last_lag_ps", "msd_ang2")}
    numbers = ("d_cm2_per_s", "error_cm2_per_s", "interval_95_cm2_per_s")
    diffuses = row.get("regime") == "diffusive" and row.get("interval_95_cm2_per_s") is not None
    return {name: row[name] if diffuses else None for name in numbers} | told


def _no_gap(engine: orm.Data | None) -> str:
    if engine is None:
        return "There is no band gap: energies were given, and no DFT engine with `gap`."
    return (
        f"There is no band gap: {engine.value} computes no electronic levels, or nobody has told how to read them "
        "(`seireact.gap.<name>`); give `gap` with a DFT engine, as seireact.gap.qe."
    )


def _gap_sentence(rows: list[dict[str, Any]]) -> str:
    told = []
    for row in rows:
        if row["gap_ev"] is None:
            told.append(f"{row['name']}: no gap, {row['remark']}")
        elif row["metallic"]:
            told.append(f"{row['name']}: {row['remark']}")
        else:
            told.append(f"{row['name']}: {row['gap_ev']:.2f} eV{'; ' + row['remark'] if row['remark'] else ''}")
    return "; ".join(told) + "." if told else ""


def _sentences(whole: dict[str, Any]) -> list[str]:
    """Say in words what was found."""
    found, made = whole["stability"], whole["composition"]
    products = " + ".join(row["formula"] for row in found["decomposition"])
    above = found["above_hull_mev_per_atom"]
    n_orderings = len(found["orderings"])
    lowest = f"by the lowest of {n_orderings} orderings" if n_orderings > 1 else "by its one ordering"
    ends = f"it would become {products}" if above > 0 else f"it would form from {products}"
    said = [f"{made['composition']} lies {_where(above)} the hull at 0 K, {lowest}; {ends}."]
    for row in found["temperatures"]:
        ideal, cell = row["ideal"], row["ensemble"]
        said.append(
            f"At {row['temperature_k']:g} K disorder is worth {ideal['ts_mev_per_atom']:.1f} meV/atom by ideal mixing "
            f"({ideal['ts_mev_per_shared_site']:.1f} meV a shared site) and {cell['ts_mev_per_atom']:.1f} in this "
            f"cell; with it the composition lies {_where(ideal['above_hull_mev_per_atom'])} the hull by the one, "
            f"{_where(cell['above_hull_mev_per_atom'])} it by the other."
        )
    if whole["diffusion"]:
        said.append(whole["diffusion"]["sentence"])
    if whole["gap"]:
        said.append(whole["gap"]["sentence"])
    return said


def _where(above_mev: float) -> str:
    return f"{abs(above_mev):.1f} meV/atom {'above' if above_mev >= 0 else 'below'}"

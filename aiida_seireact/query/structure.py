"""Structure of a run and of what was found in it: g(r), diffraction, clusters of metal, templates and order in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.query.analyses import SERIES, Array, Found, analyses_in, with_runs
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.interphase import IN_TIME
from aiida_seireact.query.sources import What

WHOLE = "all"
RDF_COLUMNS = {**SERIES, "of": "str", "pair": "str", "r_ang": "float", "g": "float"}
XRD_COLUMNS = {
    **SERIES, "of": "str", "suggested_name": "str", "pattern": "str", "two_theta_deg": "float", "intensity": "float",
}  # fmt: skip
CLUSTER_COLUMNS = {
    **IN_TIME, "n_clusters": "int", "largest_atoms": "int", "mean_size_atoms": "float", "dimension": "int",
    "percolates_a": "bool", "percolates_b": "bool", "percolates_c": "bool",
}  # fmt: skip
TEMPLATE_COLUMNS = {**IN_TIME, "of": "str", "kind": "str", "fraction": "float"}
GROUP_COLUMNS = {
    **SERIES, "level": "str", "id": "str", "kind": "str", "suggested_name": "str", "reason": "str",
    "n_environments": "int", "share_of_all": "float", "share_of_interphase": "float", "unknown_share": "float",
    "crystallinity": "float",
}  # fmt: skip

SULFUR_COLUMNS = {
    **SERIES, "region": "str", "suggested_name": "str", "counted": "float", "expected": "float", "p_value": "float",
}  # fmt: skip


def rdf(what: What) -> pd.DataFrame:
    """Return a row for each distance of each radial distribution function.

    ``of`` is ``all`` (the whole cell, or the centres that an analysis was told, in the last part of a run), or a group
    of environments that was looked at as unknown; ``pair`` is like ``Li-S``, the centre first.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    blocks = []
    for one in analyses_in(graph, ("steps", "rdf_pairs", "rdf_r_ang", "rdf_g")):
        if "rdf_g" in one.arrays:
            for pair, curve in zip(one.arrays["rdf_pairs"].tolist(), one.arrays["rdf_g"], strict=True):
                source = {**one.columns(), "of": WHOLE, "pair": str(pair)}
                blocks.append({**source, "r_ang": one.arrays["rdf_r_ang"], "g": curve})
    for one in discoveries_in(graph, ("elements", "r_ang", "rdf")):
        centre = str(one.numbers.get("centre") or "")
        for group, curves in zip(one.numbers.get("groups") or [], one.arrays["rdf"], strict=True):
            for element, curve in zip(one.arrays["elements"].tolist(), curves, strict=True):
                if np.isfinite(curve).any():
                    source = {**one.columns(), "of": group["id"], "pair": f"{centre}-{element}"}
                    blocks.append({**source, "r_ang": one.arrays["r_ang"], "g": curve})
    return table(RDF_COLUMNS, blocks)


def xrd(what: What) -> pd.DataFrame:
    """Return a row for each angle of each powder pattern, 100 at its highest point.

    ``of`` is ``all``, a group of environments that was looked at as unknown, or a region of several (``… region``);
    ``pattern`` is ``found``, or ``nearest`` for the crystal that is nearest by diffraction.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    blocks = []
    for one in analyses_in(graph, ("steps", "xrd_two_theta_deg", "xrd_intensity"), ("xrd",)):
        if "xrd_intensity" in one.arrays:
            label = (one.numbers.get("xrd") or {}).get("label")
            curves = {"two_theta_deg": one.arrays["xrd_two_theta_deg"], "intensity": one.arrays["xrd_intensity"]}
            blocks.append({**one.columns(), "of": label or WHOLE, "pattern": "found", **curves})
    names = ("two_theta_deg", "xrd", "xrd_nearest", "region_xrd", "region_xrd_nearest")
    for one in discoveries_in(graph, names):
        groups = [(group["id"], group.get("name")) for group in one.numbers.get("groups") or []]
        regions = [(f"{region['like']} region", region.get("name")) for region in one.numbers.get("regions") or []]
        for named, start in ((groups, "xrd"), (regions, "region_xrd")):
            for row, (of, name) in enumerate(named):
                source = {**one.columns(), "of": of, "suggested_name": name}
                blocks += _patterns(source, one.arrays, start, row)
    return table(XRD_COLUMNS, blocks)


def clusters(what: What) -> pd.DataFrame:
    """Return a row for each analysed frame of each run: clusters of bonded metal atoms.

    ``mean_size_atoms`` is that of the cluster of a random atom; ``dimension`` in how many directions the most extended
    one has no end, ``percolates_a`` and so on along which cell vectors one has none.

    :raises QueryError: not a process.
    """
    columns = {
        "n_clusters": "clusters_n", "largest_atoms": "clusters_largest", "mean_size_atoms": "clusters_mean_size",
        "dimension": "clusters_dimension",
    }  # fmt: skip
    blocks = []
    for one in analyses_in(Graph(what), ("clusters_steps", *columns.values(), "clusters_percolate")):
        steps, wraps = one.arrays["clusters_steps"], one.arrays["clusters_percolate"].reshape(-1, 3)
        values = {name: one.arrays[array] for name, array in columns.items()}
        axes = {f"percolates_{axis}": wraps[:, place].astype(bool) for place, axis in enumerate("abc")}
        blocks.append({**one.columns(), "step": steps, "time_ps": one.times_ps(steps), **values, **axes})
    return table(CLUSTER_COLUMNS, blocks)


def templates(what: What) -> pd.DataFrame:
    """Return a row for each structure and analysed frame of each run: which share of the atoms has it around.

    ``of`` is ``ptm`` (``kind`` bcc, hcp, fcc, …, other) or ``order`` (crystalline, amorphous).

    :raises QueryError: not a process.
    """
    names = ("ptm_structures", "ptm_steps", "ptm_fractions", "crystalline_steps", "crystalline_fraction")
    blocks = []
    for one in analyses_in(Graph(what), names):
        series = {}
        if "ptm_fractions" in one.arrays:
            kinds = one.arrays["ptm_structures"].tolist()
            series["ptm"] = ("ptm_steps", dict(zip(kinds, one.arrays["ptm_fractions"].T, strict=True)))
        if "crystalline_fraction" in one.arrays:
            share = one.arrays["crystalline_fraction"]
            series["order"] = ("crystalline_steps", {"crystalline": share, "amorphous": 1 - share})
        for of, (steps, found) in series.items():
            times = {"step": one.arrays[steps], "time_ps": one.times_ps(one.arrays[steps])}
            blocks += [
                {**one.columns(), "of": of, "kind": str(kind), **times, "fraction": fraction}
                for kind, fraction in found.items()
            ]
    return table(TEMPLATE_COLUMNS, blocks)


def groups(what: What) -> pd.DataFrame:
    """Return a row for each group of environments that was looked at, and for each region of several of them.

    ``kind`` of a group is ``known``, ``gated`` or ``unknown``; ``suggested_name`` comes with its ``reason``.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in discoveries_in(Graph(what), ()):
        for group in one.numbers.get("groups") or []:
            order = (group.get("crystallinity") or {}).get("value")
            blocks.append(
                {**_group(one, group, "group"), "id": group["id"], "kind": group["kind"], "crystallinity": order}
            )
        for region in one.numbers.get("regions") or []:
            blocks.append({**_group(one, region, "region"), "id": f"{region['like']} region"})
    return table(GROUP_COLUMNS, blocks)


def sulfur(what: What) -> pd.DataFrame:
    """Return a row for each region of environments whose anions are S and others: is it Li2S, or chance.

    ``counted`` is the share of its Li whose four anions are S, ``expected`` that of a random mixture of its
    composition, x_S⁴; ``p_value`` tells whether those Li lie together more than chance would have it.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in discoveries_in(Graph(what), ()):
        for region in one.numbers.get("regions") or []:
            if told := region.get("sulfur"):
                of = {"region": f"{region['like']} region", "suggested_name": region.get("name")}
                numbers = {name: told.get(name) for name in ("counted", "expected", "p_value")}
                blocks.append({**one.columns(), **of, **numbers})
    return table(SULFUR_COLUMNS, blocks)


def discoveries_in(graph: Graph, names: tuple[str, ...]) -> list[Found]:
    """Return what was found of unknown environments; ``numbers`` has ``groups``, ``regions`` and ``centre``.

    :param names: arrays of `formats.discovery.DiscoveryCurves` to read.
    """
    made = graph.made(orm.ArrayData, links=("discovery_arrays",))
    told = graph.made(orm.Dict, links=("discovery",), told=("groups", "regions", "centre"))
    return with_runs(made, names, {one.process.pk: one.told for one in told})


def _group(one: Found, told: Mapping[str, Any], level: str) -> dict[str, Any]:
    names = ("reason", "n_environments", "share_of_all", "share_of_interphase", "unknown_share")
    values = {name: told.get(name) for name in names}
    return {**one.columns(), "level": level, "suggested_name": told.get("name"), **values}


def _patterns(source: Mapping[str, Any], arrays: Mapping[str, Array], start: str, row: int) -> list[dict[str, Any]]:
    blocks = []
    for pattern, name in (("found", start), ("nearest", f"{start}_nearest")):
        curve = arrays[name][row]
        if np.isfinite(curve).any():
            curves = {"two_theta_deg": arrays["two_theta_deg"], "intensity": 100 * curve}
            blocks.append({**source, "pattern": pattern, **curves})
    return blocks

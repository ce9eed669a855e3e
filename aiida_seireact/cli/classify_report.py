"""What a classification in a folder shows: lines for the terminal; pictures along z, in time, and of the clusters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from aiida_seireact.cli.render import figures
from aiida_seireact.cli.render.discovery import discovery_text, regions_before_text, save_pages
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.figures.style import PALETTE, phase_colours, styled
from aiida_seireact.formats import files
from aiida_seireact.formats.environments import Course
from aiida_seireact.science.labelling import UNKNOWN

MOST_CLUSTERS = 12


def read_outputs(folder: Path) -> dict[str, Any]:
    """Return the outputs in the result of a folder.

    :raises click.ClickException: no result, or one of a run that failed.
    """
    path = folder / files.RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.ClickException(
            f"{folder} holds no {files.RESULT}: give a folder that `aiida-seireact classify` wrote, or the PK of a "
            "process."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} is not JSON: {error}.") from None
    if result.get("status") != "ok" or "phase_fractions" not in result.get("outputs", {}):
        raise click.ClickException(f"{path} is not the result of a whole classification: classify anew.")
    outputs: dict[str, Any] = result["outputs"]
    return outputs


def tell(outputs: Mapping[str, Any], console: Console) -> None:
    """Print fractions, clusters and what another z would have changed."""
    interphase = outputs["interphase"]
    table = Table("", "whole run", "first tenth", "last tenth", "core", "of the interphase", "core", title="Fractions")
    table.caption = (
        f"Of {outputs['n_environments']} {outputs['of']}. Interphase: {interphase['of']}, "
        f"{interphase['n_environments']['last_tenth']} in the last tenth; its columns and `core` are of that tenth."
    )
    for name in sorted(outputs["phase_fractions"]["whole_run"], key=lambda name: (name == UNKNOWN, name)):
        periods = [outputs["phase_fractions"][period][name] for period in ("whole_run", "first_tenth", "last_tenth")]
        inside = [interphase[kind]["last_tenth"].get(name) for kind in ("phase_fractions", "core_fractions")]
        core = outputs["core_fractions"]["last_tenth"][name]
        table.add_row(name, *(_share(value) for value in (*periods, core, *inside)))
    console.print(table)
    null = outputs.get("null_expectation")
    if null is not None:
        console.print(
            f"A random antifluorite mixture of the cell's anions has four S around {null['four_sulfur']:.1%} of its Li "
            f"(x_S⁴, x_S = {null['x_s']:.2f}): so much Li2S among the interphase needs no domains of it."
        )
    console.print(
        f"{outputs['n_clusters']} clusters of {outputs['n_landmarks']} landmarks at z = {outputs['z']:g}, "
        f"{outputs['core_fraction']:.0%} core, intrinsic dimension {outputs['intrinsic_dimension']:.1f}."
    )
    clusters = sorted(enumerate(outputs["clusters"]), key=lambda item: -item[1]["n_landmarks"])
    table = Table("cluster", "label", "landmarks", "core", title="Clusters, the largest first")
    for number, cluster in clusters[:MOST_CLUSTERS]:
        table.add_row(str(number), cluster["label"], str(cluster["n_landmarks"]), str(cluster["n_core"]))
    if len(clusters) > MOST_CLUSTERS:
        table.caption = f"{len(clusters) - MOST_CLUSTERS} smaller ones are in {files.RESULT}."
    console.print(table)
    if outputs["sensitivity"]:
        console.print(_sensitivity(outputs))
    for note in outputs.get("notes", []):
        console.print(f"Note: {note}")
    if outputs.get("discovery"):
        console.print(discovery_text(outputs["discovery"]), markup=False, highlight=False, soft_wrap=True)
    if outputs.get("regions_before"):
        told = regions_before_text(outputs["regions_before"], outputs["spec"]["centre"])
        console.print(told, markup=False, highlight=False, soft_wrap=True)


def _sensitivity(outputs: Mapping[str, Any]) -> Table:
    rows = outputs["sensitivity"]
    named = [
        name for name in outputs["phase_fractions"]["whole_run"] if any(name in r.get("fractions", {}) for r in rows)
    ]
    named.sort(key=lambda name: (name == UNKNOWN, name))
    table = Table("z", "clusters", "core", "ARI", *named, title="What another z would change (shares of landmarks)")
    if not named:
        table.title = "What another z would change"
        table.caption = (
            "By the landmarks of the classifier. Names at another z need the clustering: the result of the run that it "
            "was made of has them."
        )
    for row in rows:
        mark = f"[bold]{row['z']:g}[/bold]" if row["z"] == outputs["z"] else f"{row['z']:g}"
        if "refused" in row:
            table.add_row(mark, row["refused"])
            continue
        shares = [_share(row.get("fractions", {}).get(name)) for name in named]
        table.add_row(
            mark, str(row["n_clusters"]), f"{row['core_fraction']:.2f}", f"{row['adjusted_rand']:.3f}", *shares
        )
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def draw(folder: Path, outputs: Mapping[str, Any], *, timestep_fs: float | None = None) -> list[Path]:
    """Draw the labels along z and in time, and the tree of the clusters, into the folder; return the files."""
    course = Course.read(folder / files.LABELS)
    drawn = {
        "fractions.svg": fractions_picture(course, str(outputs["of"]), timestep_fs),
        "along_z.svg": profile_picture(course),
    }
    if len(outputs["clusters"]) > 1 and outputs.get("dendrogram"):
        drawn["dendrogram.svg"] = dendrogram_picture(outputs)
    for name, figure in drawn.items():
        save_picture(figure, folder / name, as_paths=True)
    pages = save_pages(outputs["discovery"], folder) if outputs.get("discovery") else []
    return [*(folder / name for name in drawn), *pages]


def _in_order(course: Course) -> dict[str, int]:
    names = course.label_names.tolist()
    seen = [number for number in range(len(names)) if course.counts[:, number].any()]
    return {names[number]: number for number in sorted(seen, key=lambda number: (names[number] == UNKNOWN, number))}


def fractions_picture(course: Course, of: str, timestep_fs: float | None) -> Figure:
    """Draw the share of each label against time, or against the MD step where the time step is not known."""
    counts = course.counts.sum(axis=2)
    shares = counts / counts.sum(axis=1, keepdims=True)
    x = course.steps * (1.0 if timestep_fs is None else timestep_fs / 1000)
    return figures.fractions_in_time(
        {"run": (x, {name: shares[:, number] for name, number in _in_order(course).items()})},
        of=of,
        xlabel="MD step" if timestep_fs is None else "time (ps)",
    )


def profile_picture(course: Course) -> Figure:
    """Draw labels along z in the first and in the last tenth of the frames."""
    tenth = max(1, round(len(course.steps) / 10))
    height = float(course.heights_ang.mean())
    n_bins = course.slabs.shape[2]
    panels = {
        title: {name: course.slabs[frames, number].mean(axis=0) for name, number in _in_order(course).items()}
        for title, frames in (("first tenth", slice(None, tenth)), ("last tenth", slice(-tenth, None)))
    }
    z = (np.arange(n_bins) + 0.5) * height / n_bins
    return figures.profile(z, panels, ylabel=f"in {height / n_bins:.1f} Å")


@styled
def dendrogram_picture(outputs: Mapping[str, Any]) -> Figure:
    """Draw the clusters as a tree: how far below the highest peak they join, each with its label."""
    from scipy.cluster.hierarchy import dendrogram

    clusters = outputs["clusters"]
    figure = Figure(figsize=(6.8, 0.9 + 0.22 * len(clusters)), layout="constrained")
    axes = figure.add_subplot()
    tree = np.asarray(outputs["dendrogram"], dtype=float)
    names = [f"{number} {cluster['label']}" for number, cluster in enumerate(clusters)]
    dendrogram(tree, orientation="right", labels=names, ax=axes, color_threshold=0, above_threshold_color=PALETTE[-1])
    colours = phase_colours(sorted({cluster["label"] for cluster in clusters}))
    for text in axes.get_yticklabels():
        text.set_color(colours[text.get_text().split(" ", 1)[1]])
        text.set_fontsize(8)
    axes.set_xlabel("log density below the highest peak")
    for side in ("left", "top", "right"):
        axes.spines[side].set_visible(False)
    return figure

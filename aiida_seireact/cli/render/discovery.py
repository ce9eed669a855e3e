"""What was found about unknown clusters, for the report and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aiida_seireact.cli.render.figures_discovery import group_page, region_page
from aiida_seireact.cli.render.svg import inline_svg
from aiida_seireact.cli.render.words import counted, fixed, number, percent
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.formats import files
from aiida_seireact.formats.discovery import DiscoveryCurves

SMALL = 0.005
"""Unknown groups of a smaller share are told in the table, not drawn."""
TOLD = 6
"""Clusters whose reasons the terminal tells, the largest ones."""
TOGETHER, APART = 0.01, 0.99


def discovery_section(found: Mapping[str, Any], curves: DiscoveryCurves) -> Markup:
    """Return the part of the report about unknown clusters: a table, the regions, a page of panels for each.

    :param found: ``discovery`` of the result of a classification.
    """
    environment = Environment(
        loader=PackageLoader("aiida_seireact.cli.render", "page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(number=number, fixed=fixed, percent=percent, counted=counted)
    environment.globals["verdict"] = together
    pages = [
        {**group, "svg": inline_svg(group_page(group, curves, row), f"group{row}", described(group))}
        for row, group in _drawn(found)
    ]
    regions = [
        {**region, "svg": inline_svg(region_page(region, curves, row), f"region{row}", described(region))}
        for row, region in enumerate(found["regions"])
    ]
    groups = [{**_NOTHING, **group} for group in shown_groups(found)]
    page = environment.get_template("discovery.j2").render(found=found, groups=groups, pages=pages, regions=regions)
    return Markup(page)


def save_pages(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw the page of each unknown cluster and of each region into the folder where ``discovery.npz`` lies.

    :returns: the files, regions first.
    """
    curves = DiscoveryCurves.load(folder / files.DISCOVERY)
    figures = {
        f"region_{region['like']}.svg": region_page(region, curves, row) for row, region in enumerate(found["regions"])
    }
    for row, group in _drawn(found):
        figures[f"{group['id'].replace(' ', '_')}.svg"] = group_page(group, curves, row)
    for name, figure in figures.items():
        save_picture(figure, folder / name)
    return [folder / name for name in figures]


def _drawn(found: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    return [
        (row, group)
        for row, group in enumerate(found["groups"])
        if group["kind"] != "known" and group["name"] and group["share_of_all"] >= SMALL
    ]


_NOTHING: dict[str, Any] = {"crystallinity": None, "nearest_by_distances": [], "nearest_by_diffraction": []}


def shown_groups(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the groups that hold anything, unknown ones first, each kind by size."""
    order = ("unknown", "gated", "known")
    held = [group for group in found["groups"] if group["n_environments"]]
    return sorted(held, key=lambda group: (order.index(group["kind"]), -group["n_environments"]))


def described(item: Mapping[str, Any]) -> str:
    """Return words for those who do not see the figure of a group or a region."""
    what = item.get("id") or f"the {item['like']} region"
    return f"{what}, suggested name {item['name']}: {item['reason']}."


def together(sulfur: Mapping[str, Any]) -> str:
    """Say what the permutation test says."""
    p = f"p = {sulfur['p_value']:.2g} of {number(sulfur['n_permutations'])} random arrangements"
    if sulfur["p_value"] < TOGETHER:
        return f"They sit together: Li2S segregates ({p})."
    if sulfur["p_value"] > APART:
        return f"They avoid each other: the anions are ordered ({p})."
    return f"They are scattered as in a random mixture ({p}): no domains of Li2S are needed to explain them."


def discovery_text(found: Mapping[str, Any]) -> str:
    """Return what was found as plain lines for the terminal."""
    lines = [
        f"What is unknown, from {counted(found['n_frames_looked_at'], 'frame')}; interphase: {found['interphase']}.",
        f"{'environments':<20}{'number':>10}{'of all':>9}{'of SEI':>9}{'order':>7}  suggested name",
    ]
    for group in shown_groups(found):
        order = (group.get("crystallinity") or {}).get("value")
        lines.append(
            f"{group['id']:<20}{number(group['n_environments']):>10}{percent(group['share_of_all'], 1):>9}"
            f"{percent(group['share_of_interphase'], 1):>9}{fixed(order, 2):>7}  "
            f"{group['name'] or '(' + group['reason'] + ')'}"
        )
    if any(group["kind"] == "gated" for group in shown_groups(found)):
        lines.append("beyond X: in a cluster named X, yet farther from its references than the gate `point`: unknown.")
    for region in found["regions"]:
        lines += [
            "",
            f"Together: {', '.join(region['groups'])}",
            f"  = {region['name']}, {percent(region['share_of_all'], 1)} of all {found['centre']} "
            f"at step {region['step']}, {percent(region['unknown_share'])} of it unknown",
            f"  {region['reason']}",
        ]
        if region["unknown_clusters"]:
            lines.append(f"  its unknown clusters: {' '.join(map(str, region['unknown_clusters']))}")
        if region["sulfur"]:
            lines.append(_chance(region["sulfur"]))
    unknown = [group for group in shown_groups(found) if group["kind"] != "known" and group["name"]]
    if unknown:
        lines += ["", "Why these names:", *(f"  {group['id']}: {group['reason']}" for group in unknown[:TOLD])]
        if len(unknown) > TOLD:
            lines.append(f"  … and {counted(len(unknown) - TOLD, 'smaller group')}")
    return "\n".join(lines)


def regions_before_text(regions: Sequence[Mapping[str, Any]], centre: str) -> str:
    """Return lines about regions that were found before clusters got other names, which read no frame.

    :param regions: ``regions_before`` of the result of `relabel` or `adopt`.
    """
    lines = ["Found before these names were given:"]
    for region in regions:
        lines.append(
            f"  {region['name']}, {percent(region['share_of_all'], 1)} of all {centre} at step {region['step']}"
        )
        if region["sulfur"]:
            lines.append(_chance(region["sulfur"]))
    return "\n".join([*lines, LOOK_ANEW])


LOOK_ANEW = (
    "What is unknown by these names: `aiida-seireact classify TRAJECTORY --classifier` with this result looks anew."
)


def _chance(sulfur: Mapping[str, Any]) -> str:
    return (
        f"  four S around {percent(sulfur['counted'], 1)}, x_S⁴ = {percent(sulfur['expected'], 1)}. {together(sulfur)}"
    )

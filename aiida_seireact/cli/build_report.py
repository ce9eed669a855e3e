"""What a planned cell is, on the terminal."""

from __future__ import annotations

import math
import resource
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import terminal

if TYPE_CHECKING:
    from aiida_seireact.science.structures.plan import CellPlan

TURNED_DEG = 0.05
"""A slab that is turned by less is told as not turned."""
LARGE_FACE_ANG2 = 40_000.0
"""Above this the atoms of a face are not looked at: up to here it takes a second or two."""


def tell(plan: CellPlan, species: Sequence[str] = ()) -> None:
    """Say composition, size, strain, what was wanted and what was found, bytes and memory.

    :raises ValueError: species that lack an element of the cell.
    """
    from rich import filesize
    from rich.table import Table

    from aiida_seireact.formats.cell_files import FORMATS, describe

    facts, sizes = describe(plan, species)
    report = plan.report
    counts = ", ".join(f"{symbol} {count:,}" for symbol, count in facts["counts"].items())
    a, b, c = report["lengths_ang"]
    click.echo(f"{facts['n_atoms']:,} atoms: {counts}")
    click.echo(f"{a:.2f} x {b:.2f} x {c:.2f} Å, {report['angle_deg']:.1f}° in plane, {report['area_ang2']:.1f} Å²")
    table = Table()
    for name in ("slab", "plane"):
        table.add_column(name)
    for name in ("layers", "cells", "atoms", "Å thick", "strain (%)", "gap above (Å)"):
        table.add_column(name, justify="right", no_wrap=True)
    for slab, gap in zip(report["slabs"], report["gaps_ang"], strict=True):
        table.add_row(
            slab["phase"],
            "(" + " ".join(map(str, slab["hkl"])) + ")",
            str(slab["layers"]),
            f"{slab['conventional_cells']:g}",
            f"{slab['n_atoms']:,}",
            f"{slab['thickness_ang']:.2f}",
            " ".join(f"{100 * strain + 0.0:+.2f}" for strain in slab["principal"]),
            f"{gap:g}",
        )
    terminal().print(table)
    # Of a coating there are two slabs, which are told once.
    lines = [_missed(target) for target in report.get("targets", ())] + _turned(plan) + _polar(plan) + _near(plan)
    for line in dict.fromkeys(lines):
        click.echo(line)
    charges = [slab["charge_e"] for slab in report["slabs"]]
    if None not in charges and abs(sum(charges)) > 1e-6:
        click.echo(f"The nominal charges of the cell add up to {sum(charges):+g} e: no ionic crystal is so.")
    sized = ", ".join(f"{filesize.decimal(sizes[output])} as {suffix}" for output, suffix in FORMATS.items())
    # Linux tells kB. A block of atoms is small beside what is there once the cell is planned.
    memory = filesize.decimal(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    click.echo(f"{sized}; {memory} of memory so far, hardly more for these forms")


def _missed(target: dict[str, Any]) -> str:
    """Return one wish, and how nearly whole layers meet it."""
    found, wanted = (f"{x:,.0f}" if x >= 1e4 else f"{x:.6g}" for x in (target["found"], target["wanted"]))
    if abs(target["residual"]) < 5e-7:
        return f"{target['what']}: {found}, as wanted"
    return f"{target['what']}: {found}, where {wanted} was wanted ({100 * target['residual']:+.2f} %)"


def _turned(plan: CellPlan) -> list[str]:
    """Return how far the slabs are turned in plane against the one that rules."""
    return [
        f"{turned['phase']} is turned by {turned['twist_deg']:.2f}° in plane, its nearest rows by "
        f"{turned['row_angle_deg']:.2f}°."
        for turned in plan.report.get("orientations", ())
        if turned["twist_deg"] > TURNED_DEG
    ]


def _near(plan: CellPlan) -> list[str]:
    """Return a warning for each gap across which atoms are nearer than MD may start from, and what mends it.

    The faces are looked at, not the cell; where those are large, too, what the gap itself tells.
    """
    from aiida_seireact.science.contacts import ContactLimits
    from aiida_seireact.science.structures.seams import largest_limit, nearest_across, smallest_gap

    table, found = ContactLimits().table(), []
    for index, gap in enumerate(plan.gaps):
        lower, upper = plan.slabs[index], plan.slabs[(index + 1) % len(plan.slabs)]
        where, enough = f"{lower.spec.name} and {upper.spec.name}", largest_limit(lower, upper, table)
        if gap >= enough:
            continue
        if plan.report["area_ang2"] > LARGE_FACE_ANG2:
            found.append(
                f"The gap of {gap:g} Å between {where} may leave atoms too near: from {enough:.2f} Å on none are. "
                "Raise it, or look at a smaller cell of the same planes, where the distances are told."
            )
        elif nearest := nearest_across(lower, upper, gap, table):
            first, second = nearest.species
            mended = math.ceil(100 * smallest_gap(lower, upper, table) - 1e-6) / 100
            found.append(
                f"Warning: across the gap of {gap:g} Å between {where}, {first} and {second} are "
                f"{nearest.distance_ang:.2f} Å apart, allowed from {nearest.limit_ang:.2f} Å: raise the gap "
                f"to {mended:g} Å (--gap; gaps_ang of a recipe)."
            )
    return found


def _polar(plan: CellPlan) -> list[str]:
    """Return what is to be known of slabs whose layers carry a dipole."""
    from aiida_seireact.science.structures.cut import NONPOLAR_E_ANG, dipole

    moments = {slab.spec.name: dipole(slab.spec.unit) for slab in plan.slabs}
    return [
        f"The faces of {name} are polar, {moment:+.2f} e Å a layer and smallest cell in plane: the field in a free "
        "slab grows with its thickness."
        for name, moment in moments.items()
        if moment is not None and abs(moment) >= NONPOLAR_E_ANG
    ]

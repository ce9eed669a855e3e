"""The pictures and tables of ``aiida-seireact dataset plot``, written into a folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aiida_seireact.cli.dataset_facts import Facts, Table
from aiida_seireact.cli.render import figures_dataset as figures
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.formats.atomic import write_atomically

UNKNOWN = "unknown"


def write_plots(table: Table, facts: Facts, folder: Path, *, image: str = "png") -> list[Path]:
    """Write every picture as ``png`` or ``svg`` and its numbers as CSV; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        save_picture(figure, folder / f"{name}.{image}", dpi=160, as_paths=True)
        for name, figure in draw(table, facts).items()
    ]
    written.append(_write_csv(folder / "frames.csv", *frame_rows(table)))
    written.append(_write_csv(folder / "classes.csv", *class_rows(facts)))
    return written


def draw(table: Table, facts: Facts) -> dict[str, Figure]:
    """Return the pictures by name: coverage by class, composition, temperature, volumes; of labels energies, forces."""
    frames = table.frames
    classes = {name: frames.config_type == name for name in table.classes}
    drawn = {
        "classes": figures.stacked_counts(
            {item.name or "without a type": item.by_split for item in facts.classes},
            notes=[f"{item.n_groups} group{'s' * (item.n_groups != 1)}" for item in facts.classes],
        ),
        "compositions": figures.stacked_counts(_counts(table, table.formulas.tolist(), sorted(facts.formulas))),
        "temperatures": figures.stacked_counts(_counts(table, *_temperature_names(table)), xlabel="frames by MD at K"),
    }
    if frames.forces is None:
        return drawn
    drawn["energies"] = figures.histograms(
        {name: table.energies[mine] for name, mine in classes.items()},
        figures.edges_of(table.energies),
        xlabel="energy (eV/atom)",
    )
    lengths = np.linalg.norm(frames.forces, axis=1)
    owner = np.repeat(frames.config_type, frames.n_atoms)
    drawn["forces"] = figures.histograms(
        {name: lengths[owner == name] for name in classes},
        figures.edges_of(lengths),
        xlabel="force on an atom (eV/Å)",
        ylabel="atoms",
        log=True,
    )
    periodic = table.volumes > 0
    drawn["volumes"] = figures.scatter_by_class(
        {name: table.volumes[mine & periodic] for name, mine in classes.items()},
        {name: table.energies[mine & periodic] for name, mine in classes.items()},
        xlabel="volume (Å³/atom)",
        ylabel="energy (eV/atom)",
    )
    return drawn


def _counts(table: Table, names: Sequence[str], order: Sequence[str]) -> dict[str, dict[str, int]]:
    mine = np.array(names)
    return {
        name: {split: int(((mine == name) & (table.split == split)).sum()) for split in table.splits} for name in order
    }


def _temperature_names(table: Table) -> tuple[list[str], list[str]]:
    known = sorted({float(value) for value in table.temperatures if not np.isnan(value)})
    names = [UNKNOWN if np.isnan(value) else f"{value:g}" for value in table.temperatures]
    return names, [f"{value:g}" for value in known] + [UNKNOWN] * (UNKNOWN in names)


def frame_rows(table: Table) -> tuple[list[str], Iterable[list[Any]]]:
    """Return the head and the rows of the table of all frames."""
    head = ["frame_id", "split", "config_type", "group", "formula", "n_atoms", "volume_ang3_per_atom"]
    head += ["temperature_k", "energy_ev_per_atom", "largest_force_ev_per_ang"]
    frames = table.frames
    rows = zip(
        frames.frame_ids,
        table.split.tolist(),
        frames.config_type.tolist(),
        frames.group.tolist(),
        table.formulas.tolist(),
        frames.n_atoms.tolist(),
        *(
            [_cell(value) for value in column.tolist()]
            for column in (table.volumes, table.temperatures, table.energies, table.forces)
        ),
        strict=True,
    )
    return head, map(list, rows)


def class_rows(facts: Facts) -> tuple[list[str], Iterable[list[Any]]]:
    """Return the head and the rows of the table of classes."""
    splits = list(facts.by_split) or ["frames"]
    ranges = ("atoms", "volume_ang3_per_atom", "temperature_k", "energy_ev_per_atom")
    head = ["config_type", *splits, "groups", *(f"{name}_{end}" for name in ranges for end in ("least", "most"))]
    head.append("largest_force_ev_per_ang")
    rows = [
        [
            item.name,
            *item.by_split.values(),
            item.n_groups,
            *(value for name in ranges for value in getattr(item, name) or ("", "")),
            "" if item.largest_force_ev_per_ang is None else item.largest_force_ev_per_ang,
        ]
        for item in facts.classes
    ]
    return head, rows


def _cell(value: float) -> float | str:
    return "" if np.isnan(value) else value


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows(rows)
    return path

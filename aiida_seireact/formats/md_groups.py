"""Groups of atoms of an MD run: by element, by region, by number; and what it takes to hold one of them still.

LAMMPS writes groups into its restart files. A group by region is therefore made once, of the atoms that are there at
the run's first step, and stays those atoms: a continuation takes it from the restart file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from ase import Atoms
from ase.geometry import cellpar_to_cell
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

ALL = "all"
MOVING, MOVING_TEMPERATURE = "moving", "moving_temp"
# Ids that the input of a segment uses itself.
RESERVED = frozenset({ALL, MOVING, MOVING_TEMPERATURE, "traj", "md", "hold", "seam", "asked", "disk"})
NAME = r"^[a-z][a-z0-9_]{0,30}$"
ELEMENT = re.compile(r"^[A-Z][a-z]?$")

Name = Annotated[str, Field(pattern=NAME)]
Span = tuple[float | None, float | None]
Start = Literal["data", "restart"]


class RegionSettings(BaseModel):
    """A block of the cell, along one axis or more; an end that is null is open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x_ang: Span | None = Field(None, description="from and to along x, Å, in the orientation of LAMMPS; null: all")
    y_ang: Span | None = Field(None, description="as `x_ang`, along y")
    z_ang: Span | None = Field(None, description="as `x_ang`, along z")
    z_fraction: tuple[float, float] | None = Field(
        None, description="from and to along z in fractions of the cell's height, in place of `z_ang`"
    )

    @model_validator(mode="after")
    def _is_a_block(self) -> RegionSettings:
        spans = {name: span for name in ("x_ang", "y_ang", "z_ang", "z_fraction") if (span := getattr(self, name))}
        if not spans:
            raise ValueError("a region needs x_ang, y_ang, z_ang or z_fraction")
        if "z_ang" in spans and "z_fraction" in spans:
            raise ValueError("a region takes z_ang or z_fraction, not both")
        for name, (low, high) in spans.items():
            if low is not None and high is not None and low >= high:
                raise ValueError(f"{name} ends at {high:g}, before it begins at {low:g}")
        return self

    def line(self, name: str) -> str:
        """Return the region as LAMMPS takes it."""
        ends = [_ends(span) for span in (self.x_ang, self.y_ang, self.z_ang)]
        if self.z_fraction is not None:
            ends[2] = " ".join(f"$(zlo+{fraction:.10g}*lz:%.10f)" for fraction in self.z_fraction)
        return f"region          {name} block {' '.join(ends)} units box"


class GroupSettings(BaseModel):
    """Atoms for which all that is said holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    species: list[str] = Field([], description="of these elements")
    region: str | None = Field(None, description="in this region of `regions` at the first step of the run")
    ids: list[int | tuple[int, int]] = Field(
        [], description="of these numbers, from 1 in the order of the structure; [10, 20]: from 10 to 20"
    )

    @model_validator(mode="after")
    def _says_something(self) -> GroupSettings:
        if not (self.species or self.region or self.ids):
            raise ValueError("a group needs species, region or ids")
        numbers = [number for item in self.ids for number in (item if isinstance(item, tuple) else (item,))]
        if any(number < 1 for number in numbers):
            raise ValueError("atoms are numbered from 1")
        if any(isinstance(item, tuple) and item[0] > item[1] for item in self.ids):
            raise ValueError("ids from one number to a smaller one")
        return self


def _ends(span: Span | None) -> str:
    low, high = span or (None, None)
    return " ".join("INF" if end is None else f"{end:.10g}" for end in (low, high))


def group_lines(
    groups: Mapping[str, GroupSettings],
    regions: Mapping[str, RegionSettings],
    *,
    used: Sequence[str],
    species: Sequence[str],
    start: Start,
    box_changes: bool,
) -> list[str]:
    """Return the lines that define regions and groups.

    :param used: names of the groups that are used, an element's symbol among them for its atoms.
    :param species: element of each LAMMPS type, in order.
    :param start: with a restart file, groups by region come from there.
    :param box_changes: a fraction of the cell then is another height in a continuation.
    :raises ValueError: an element that is no type of the cell.
    """
    lines = [
        region.line(name)
        for name, region in regions.items()
        if not (start == "restart" and box_changes and region.z_fraction)
    ]
    elements = {name: GroupSettings(species=[name]) for name in used if ELEMENT.match(name)}
    for name, group in {**groups, **elements}.items():
        made = _made(name, group, species)
        if start == "data":
            lines += made
        elif group.region is None:
            # A group may be there, and other atoms in it: only what exists can be emptied.
            lines += [*made, f"group           {name} clear", *made]
    return lines


def _made(name: str, group: GroupSettings, species: Sequence[str]) -> list[str]:
    absent = [symbol for symbol in group.species if symbol not in species]
    if absent:
        raise ValueError(
            f"The group {name} asks for {', '.join(absent)}, but the cell holds {', '.join(species)} only."
        )
    parts = []
    if group.species:
        parts.append("type " + " ".join(str(species.index(symbol) + 1) for symbol in group.species))
    if group.region is not None:
        parts.append(f"region {group.region}")
    if group.ids:
        parts.append("id " + " ".join(f"{i[0]}:{i[1]}" if isinstance(i, tuple) else str(i) for i in group.ids))
    if len(parts) == 1:
        return [f"group           {name} {parts[0]}"]
    names = [f"{name}_part{number}" for number in range(len(parts))]
    return [
        *(f"group           {each} {part}" for each, part in zip(names, parts, strict=True)),
        f"group           {name} intersect {' '.join(names)}",
        *(f"group           {each} delete" for each in names),
    ]


def members(
    name: str, groups: Mapping[str, GroupSettings], regions: Mapping[str, RegionSettings], atoms: Atoms
) -> NDArray[np.bool_]:
    """Return which atoms LAMMPS puts into a group at the first step, ``(n_atoms,)``.

    :param name: of a group, or the symbol of an element.
    :param atoms: periodic, in any orientation: regions are those of LAMMPS's, a along x, b in the xy plane.
    """
    group = groups.get(name) or GroupSettings(species=[name])
    inside = np.ones(len(atoms), dtype=bool)
    if group.species:
        inside &= np.isin(np.array(atoms.get_chemical_symbols()), group.species)
    if group.ids:
        numbers = np.arange(1, len(atoms) + 1)
        spans = [item if isinstance(item, tuple) else (item, item) for item in group.ids]
        inside &= np.any([(numbers >= low) & (numbers <= high) for low, high in spans], axis=0)
    if group.region is not None:
        region = regions[group.region]
        scaled = atoms.get_scaled_positions(wrap=True)
        places = scaled @ cellpar_to_cell(atoms.cell.cellpar())
        for axis, span in enumerate((region.x_ang, region.y_ang, region.z_ang)):
            low, high = span or (None, None)
            inside &= (places[:, axis] >= (-np.inf if low is None else low)) & (
                places[:, axis] <= (np.inf if high is None else high)
            )
        if region.z_fraction is not None:
            inside &= (scaled[:, 2] >= region.z_fraction[0]) & (scaled[:, 2] <= region.z_fraction[1])
    return inside


def moving_lines(fixed: str, *, start: Start) -> list[str]:
    """Return the lines that divide the atoms into held and moving ones, and give these a temperature.

    Held atoms have no kinetic energy, and none of the three degrees of freedom of the whole is conserved any more.
    """
    subtract = f"group           {MOVING} subtract {ALL} {fixed}"
    anew = [] if start == "data" else [f"group           {MOVING} clear", subtract]
    return [
        subtract,
        *anew,
        f"compute         {MOVING_TEMPERATURE} {MOVING} temp",
        f"compute_modify  {MOVING_TEMPERATURE} extra/dof 0",
    ]

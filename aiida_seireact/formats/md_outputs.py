"""What an MD run writes beside thermo table and main dump: further dumps, and quantities computed on the way.

Each row and frame belongs to one step alone, a multiple of its stride. Nothing is averaged over a window, so a run in
segments, or one that was killed, writes what an unbroken run would.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from aiida_seireact.formats.md_groups import ALL

DUMP_SUFFIX, TABLE_SUFFIX = ".lammpstrj", ".table"
COLUMNS = ("id", "element", "xu", "yu", "zu")
_COLUMN = re.compile(
    r"^(id|mol|type|element|mass|x|y|z|xs|ys|zs|xu|yu|zu|xsu|ysu|zsu|ix|iy|iz|vx|vy|vz|fx|fy|fz|"
    r"[cfv]_[A-Za-z0-9_]+(\[\d+\])?)$"
)
PTM_TYPES = 9  # other, fcc, hcp, bcc, ico, sc, dcub, dhex, graphene

Positive = Annotated[int, Field(gt=0)]


class DumpSettings(BaseModel):
    """A dump beside the main one: of a group, at a stride of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = Field(ALL, description="a name of `groups`, an element's symbol, or all")
    every: Positive = Field(50, description="steps from frame to frame")
    columns: list[str] = Field(list(COLUMNS), description="of LAMMPS's `dump custom`; `id` and `element` among them")
    retrieve: bool | None = Field(
        None, description="bring it into the repository: a thinned copy to look at; null: as `retrieve_dump`"
    )

    @field_validator("columns")
    @classmethod
    def _can_be_read(cls, columns: list[str]) -> list[str]:
        unknown = [name for name in columns if not _COLUMN.match(name)]
        if unknown:
            raise ValueError(f"`dump custom` has no column {unknown[0]!r}")
        lacking = [name for name in ("id", "element") if name not in columns]
        if lacking:
            raise ValueError(f"the columns lack {lacking[0]}, without which nobody knows which atom a row is of")
        return columns


class MsdSettings(BaseModel):
    """Mean square displacement of a group from where its atoms were at the run's first step, with unwrapped
    coordinates; LAMMPS keeps those places in its restart files. Rows of x, y, z and their sum, Å²."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["msd"] = "msd"
    group: str = Field(ALL, description="a name of `groups`, an element's symbol, or all")
    every: Positive = Field(100, description="steps from row to row")
    com: bool = Field(False, description="take the drift of the group's own centre of mass away")


class RdfSettings(BaseModel):
    """Radial distribution functions; a row is a table over the radius of r (Å) and of each pair g and coordination."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["rdf"] = "rdf"
    pairs: list[tuple[str, str]] = Field([], description="elements, as [['Li', 'S']]; empty: all atoms with all")
    every: Positive = Field(1000, description="steps from table to table; each is of that step alone")
    bins: Positive = Field(200, description="rows of a table")
    cutoff_ang: float | None = Field(
        None, gt=0, description="largest radius, Å; null: cutoff of the model; more costs LAMMPS more ghost atoms"
    )


class PtmSettings(BaseModel):
    """Polyhedral template matching: how many atoms are of each of LAMMPS's nine types, 0 (other) to 8. Its column
    ``c_NAME[1]`` may stand in a dump. Needs a LAMMPS with the package PTM, so not seireact-lmp."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ptm"] = "ptm"
    group: str = Field(ALL, description="a name of `groups`, an element's symbol, or all")
    every: Positive = Field(1000, description="steps from row to row")
    structures: str = Field("default", pattern=r"^[a-z]+(-[a-z]+)*$", description="LAMMPS's names, as fcc-hcp-bcc")
    rmsd_max: float = Field(0.1, ge=0, description="largest deviation that counts as a match (seireact-analyse: 0.15)")


ComputeSettings = Annotated[MsdSettings | RdfSettings | PtmSettings, Field(discriminator="kind")]


def dump_file(name: str) -> str:
    """Return the file of a further dump."""
    return f"{name}{DUMP_SUFFIX}"


def table_file(name: str) -> str:
    """Return the file of a computed quantity."""
    return f"{name}{TABLE_SUFFIX}"


def dump_lines(name: str, group: str, every: int, file: str, columns: str, *, species: str, seam: bool) -> list[str]:
    """Return the lines of one dump.

    :param seam: leave the first frame out; the main dump, `traj`, comes first and says how.
    """
    lines = [
        f"dump            {name} {group} custom {every} {file} {columns}",
        f"dump_modify     {name} sort id element {species} format float %.6f flush yes",
    ]
    if not seam:
        return lines
    # The frame of the first step is the last one of the segment before.
    defined = ["variable        seam equal step<=$(step)"] if name == "traj" else []
    return [*lines, *defined, f"dump_modify     {name} skip v_seam"]


def compute_lines(
    computes: Mapping[str, MsdSettings | RdfSettings | PtmSettings], *, species: Sequence[str], skin_ang: float
) -> list[str]:
    """Return the lines that compute, each followed by the one that writes its file.

    :param species: element of each LAMMPS type, in order.
    :param skin_ang: of the neighbour list, Å.
    :raises ValueError: a pair with an element that is no type of the cell.
    """
    lines = []
    radii = [one.cutoff_ang for one in computes.values() if isinstance(one, RdfSettings) and one.cutoff_ang]
    if radii:
        lines.append(f"comm_modify     cutoff {max(radii) + skin_ang:g}")
    for name, one in computes.items():
        stride = f"{one.every} 1 {one.every}"
        end = f'file {table_file(name)} format " %.12g"'
        if isinstance(one, MsdSettings):
            # LAMMPS finds the places of the first step in a restart file by the name of the compute.
            columns = " ".join(f"c_{name}[{column}]" for column in range(1, 5))
            lines += [
                f"compute         {name} {one.group} msd com {'yes' if one.com else 'no'}",
                f"fix             {name} {one.group} ave/time {stride} {columns} mode scalar {end}",
            ]
        elif isinstance(one, RdfSettings):
            limit = f" cutoff {one.cutoff_ang:g}" if one.cutoff_ang else ""
            types = "".join(f" {_type(name, a, species)} {_type(name, b, species)}" for a, b in one.pairs)
            lines += [
                f"compute         {name} all rdf {one.bins}{types}{limit}",
                f"fix             {name} all ave/time {stride} c_{name}[*] mode vector {end}",
            ]
        else:
            bins = f"-0.5 {PTM_TYPES - 0.5} {PTM_TYPES}"
            lines += [
                f"compute         {name} {one.group} ptm/atom {one.structures} {one.rmsd_max:g} all",
                f"fix             {name} {one.group} ave/histo {stride} {bins} c_{name}[1] mode vector "
                f"file {table_file(name)}",
            ]
    return lines


def _type(name: str, symbol: str, species: Sequence[str]) -> int:
    if symbol not in species:
        raise ValueError(f"The rdf {name} asks for {symbol}, but the cell holds {', '.join(species)} only.")
    return species.index(symbol) + 1

"""The settings of an MD run: what LAMMPS is told, in the units of a laboratory notebook where they differ.

LAMMPS units metal live only in `lammps_input`: Å, ps, eV, bar.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_seireact.formats.lammps_script import ScriptError
from aiida_seireact.formats.md_groups import (
    ALL,
    ELEMENT,
    RESERVED,
    GroupSettings,
    Name,
    RegionSettings,
)
from aiida_seireact.formats.md_outputs import (
    ComputeSettings,
    DumpSettings,
    RdfSettings,
    dump_file,
    table_file,
)
from aiida_seireact.formats.pair_styles import PairSettings
from aiida_seireact.formats.user_block import refuse_block

DUMP_FILE = "traj.dump"
FS_PER_PS = 1e3

PositiveFloat = Annotated[float, Field(gt=0)]
Positive = Annotated[int, Field(gt=0)]


class MdSettings(BaseModel):
    """A run of molecular dynamics, which several segments may make up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ensemble: Literal["nve", "nvt", "npt"] = "nvt"
    steps: Positive = Field(2000, description="the step at which the run ends, whatever it continues from")
    timestep_fs: PositiveFloat = 2.0
    temperature_k: PositiveFloat = 300.0
    temperature_end_k: PositiveFloat | None = Field(None, description="end of a ramp; null: constant")
    pressure_gpa: float = Field(0.0, description="target pressure, npt only")
    barostat: Literal["iso", "aniso", "tri"] = Field("aniso", description="which cell parameters may change, npt only")
    tau_t_ps: PositiveFloat = Field(0.1, description="Nosé-Hoover damping time of the temperature")
    tau_p_ps: PositiveFloat = Field(1.0, description="Nosé-Hoover damping time of the pressure")
    velocity_seed: int | None = Field(
        1, gt=0, description="seed of new Maxwell velocities; null: those of the data or restart file"
    )
    dump_every: Positive = 50
    dump_velocities: bool = False
    thermo_every: Positive = 10
    restart_every: Positive | None = Field(
        None, description="steps between restart files, two in turn: what a kill costs at most; null: only at the end"
    )
    neighbor_skin_ang: PositiveFloat = 1.0
    pair: PairSettings = Field(PairSettings(), description="pair style; an Allegro model unless said")
    regions: dict[Name, RegionSettings] = Field({}, description="blocks of the cell by name, for `groups`")
    groups: dict[Name, GroupSettings] = Field(
        {}, description="groups of atoms by name; an element's symbol is a group of its own"
    )
    fixed: str | None = Field(
        None,
        description="group that is held still: it has no velocity, takes no part in temperature and thermostat, and "
        "feels no force. With npt it is held in the cell: its fractional coordinates stay, so it is strained with the "
        "cell, and the pressure is that of the whole cell",
    )
    dumps: dict[Name, DumpSettings] = Field({}, description="dumps by name, beside the main one of all atoms")
    computes: dict[Name, ComputeSettings] = Field(
        {}, description="by name, what is computed on the way: `kind` msd, rdf or ptm"
    )
    user_block: str = Field(
        "", description="lines of LAMMPS that go in before `run`, as they are, in each segment; for everything else"
    )

    @property
    def groups_used(self) -> list[str]:
        """Names of the groups that dumps, computes and `fixed` ask for, each once."""
        asked = [one.group for one in self.dumps.values()]
        asked += [one.group for one in self.computes.values() if not isinstance(one, RdfSettings)]
        return list(dict.fromkeys([*asked, *([self.fixed] if self.fixed else [])]))

    @property
    def strides(self) -> dict[str, int]:
        """Steps from frame to frame of each dump file, the main one first."""
        return {DUMP_FILE: self.dump_every, **{dump_file(name): one.every for name, one in self.dumps.items()}}

    def written(self) -> dict[str, Any]:
        """Return what a program must know of the files beside the main dump: ``further`` and ``tables`` of its job."""
        return {
            "further": {name: dump_file(name) for name in self.dumps},
            "tables": {table_file(name): one.every for name, one in self.computes.items()},
        }

    @model_validator(mode="after")
    def _names_fit(self) -> MdSettings:
        names = [*self.groups, *self.regions, *self.dumps, *self.computes]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the name {twice} is given twice among groups, regions, dumps and computes")
        if own := next((name for name in names if name in RESERVED), None):
            raise ValueError(f"the name {own} is used by the input itself")
        for group in self.groups_used:
            if group != ALL and group not in self.groups and not ELEMENT.match(group):
                raise ValueError(f"there is no group {group}: name it in `groups`, or give an element's symbol")
        if missing := next((one.region for one in self.groups.values() if one.region not in (None, *self.regions)), 0):
            raise ValueError(f"there is no region {missing}: name it in `regions`")
        if self.fixed == ALL:
            raise ValueError("all atoms are fixed, so nothing would move")
        try:
            refuse_block(self.user_block, taken=names)
        except ScriptError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return self

    @model_validator(mode="after")
    def _regions_stay(self) -> MdSettings:
        moving = [name for name, one in self.regions.items() if one.z_fraction and self.ensemble == "npt"]
        if named := next((name for name in moving if re.search(rf"\b{name}\b", self.user_block)), None):
            raise ValueError(
                f"user_block names the region {named}, fractions of a cell whose height changes: give z_ang"
            )
        return self

    @model_validator(mode="after")
    def _restarts_can_be_used(self) -> MdSettings:
        # Without the row of its step a restart file is passed over: nobody could tell that all before it is there.
        if self.restart_every is not None and self.restart_every % self.thermo_every:
            raise ValueError(
                f"restart_every {self.restart_every} is no multiple of thermo_every {self.thermo_every}, so a killed "
                "run could not go on from its restart files"
            )
        return self

    @model_validator(mode="after")
    def _damping_is_resolved(self) -> MdSettings:
        if self.tau_t_ps * FS_PER_PS < 5 * self.timestep_fs:
            raise ValueError(f"tau_t_ps {self.tau_t_ps} is shorter than 5 time steps of {self.timestep_fs} fs")
        if self.tau_p_ps < self.tau_t_ps:
            raise ValueError("tau_p_ps must not be shorter than tau_t_ps")
        return self

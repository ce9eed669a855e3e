"""Groups, dumps and computed quantities: their lines, and what of them is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.lammps_input import lammps_input
from aiida_seireact.formats.lammps_settings import MdSettings

SPECIES = ["Li", "P", "S", "Cl"]
SETTINGS = {
    "ensemble": "npt",
    "regions": {"bottom": {"z_fraction": [0.0, 0.1]}, "box": {"x_ang": [None, 5.0], "z_ang": [2.5, 7.0]}},
    "groups": {
        "wall": {"region": "bottom"},
        "salt": {"species": ["Li", "Cl"]},
        "corner": {"region": "box", "species": ["S"]},
        "few": {"ids": [3, [10, 20]]},
    },
    "fixed": "wall",
    "dumps": {"lithium": {"group": "Li", "every": 5, "columns": ["id", "element", "xu", "yu", "zu", "vx"]}},
    "computes": {
        "msd_li": {"kind": "msd", "group": "Li", "every": 100},
        "g": {"kind": "rdf", "pairs": [["Li", "S"]], "every": 500, "cutoff_ang": 8.0},
        "order": {"kind": "ptm", "group": "salt", "structures": "fcc-bcc"},
    },
}
GOLDEN = """\
region          bottom block INF INF INF INF $(zlo+0*lz:%.10f) $(zlo+0.1*lz:%.10f) units box
region          box block INF 5 INF INF 2.5 7 units box
group           wall region bottom
group           salt type 1 4
group           corner_part0 type 3
group           corner_part1 region box
group           corner intersect corner_part0 corner_part1
group           corner_part0 delete
group           corner_part1 delete
group           few id 3 10:20
group           Li type 1
group           moving subtract all wall
compute         moving_temp moving temp
compute_modify  moving_temp extra/dof 0

thermo          10
thermo_style    custom step temp pe ke etotal econserve press vol lx ly lz xy xz yz pxx pyy pzz pxy pxz pyz
thermo_modify   line yaml format float %.12g flush yes temp moving_temp
dump            traj all custom 50 traj.dump id element xu yu zu
dump_modify     traj sort id element Li P S Cl format float %.6f flush yes
comm_modify     cutoff 9
compute         msd_li Li msd com no
fix             msd_li Li ave/time 100 1 100 c_msd_li[1] c_msd_li[2] c_msd_li[3] c_msd_li[4] mode scalar \
file msd_li.table format " %.12g"
compute         g all rdf 200 1 3 cutoff 8
fix             g all ave/time 500 1 500 c_g[*] mode vector file g.table format " %.12g"
compute         order salt ptm/atom fcc-bcc 0.1 all
fix             order salt ave/histo 1000 1 1000 -0.5 8.5 9 c_order[1] mode vector file order.table

velocity        wall set 0 0 0
velocity        moving create 300 1 mom yes rot no dist gaussian
fix             md moving npt temp 300 300 0.1 aniso 0 0 1
fix_modify      md temp moving_temp
fix             hold wall setforce 0 0 0
"""
LAST = """\
fix             disk all halt 10 diskfree < $(200+atoms/5000) error soft path .
dump            lithium Li custom 5 lithium.lammpstrj id element xu yu zu vx
dump_modify     lithium sort id element Li P S Cl format float %.6f flush yes
run             2000 upto start 0 stop 2000
"""


def test_everything_at_once_is_the_golden_one() -> None:
    text = lammps_input(MdSettings.model_validate(SETTINGS), species=SPECIES, model="m.nequip.pt2")
    assert GOLDEN in text
    assert LAST in text


def test_a_continuation_takes_regions_from_the_restart_and_makes_the_rest_anew() -> None:
    text = lammps_input(
        MdSettings.model_validate(SETTINGS), species=SPECIES, model="m.nequip.pt2", start="restart", start_file="r"
    )
    lines = [line for line in text.splitlines() if line.startswith(("region", "group"))]
    # Of a cell whose height changes, a fraction is another region now.
    assert lines == [
        "region          box block INF 5 INF INF 2.5 7 units box",
        *("group           salt type 1 4", "group           salt clear", "group           salt type 1 4"),
        *("group           few id 3 10:20", "group           few clear", "group           few id 3 10:20"),
        *("group           Li type 1", "group           Li clear", "group           Li type 1"),
        "group           moving subtract all wall",
        "group           moving clear",
        "group           moving subtract all wall",
    ]
    assert "dump_modify     traj skip v_seam" in text
    assert "dump_modify     lithium skip v_seam" in text
    assert text.count("variable        seam") == 1
    assert "velocity        moving create" not in text


def test_what_is_written_is_told_to_the_program() -> None:
    settings = MdSettings.model_validate(SETTINGS)
    assert settings.strides == {"traj.dump": 50, "lithium.lammpstrj": 5}
    assert settings.written() == {
        "further": {"lithium": "lithium.lammpstrj"},
        "tables": {"msd_li.table": 100, "g.table": 500, "order.table": 1000},
    }
    assert settings.groups_used == ["Li", "salt", "wall"]
    assert MdSettings().written() == {"further": {}, "tables": {}}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"fixed": "floor"}, "there is no group floor"),
        ({"fixed": "all"}, "nothing would move"),
        ({"groups": {"a": {}}}, "a group needs species, region or ids"),
        ({"groups": {"a": {"region": "b"}}}, "there is no region b"),
        ({"groups": {"a": {"ids": [0]}}}, "numbered from 1"),
        ({"groups": {"a": {"ids": [[5, 2]]}}}, "to a smaller one"),
        ({"groups": {"moving": {"ids": [1]}}}, "used by the input itself"),
        ({"groups": {"A": {"ids": [1]}}}, "pattern"),
        ({"groups": {"a": {"ids": [1]}}, "dumps": {"a": {}}}, "the name a is given twice"),
        ({"regions": {"r": {}}}, "a region needs"),
        ({"regions": {"r": {"z_ang": [0, 1], "z_fraction": [0, 1]}}}, "not both"),
        ({"regions": {"r": {"x_ang": [3, 1]}}}, "ends at 1, before it begins at 3"),
        ({"dumps": {"d": {"columns": ["id", "element", "c"]}}}, "no column 'c'"),
        ({"dumps": {"d": {"columns": ["element", "x"]}}}, "the columns lack id"),
        ({"computes": {"m": {"kind": "vacf"}}}, "msd"),
        ({"computes": {"m": {"kind": "msd", "group": "slab"}}}, "there is no group slab"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        MdSettings.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [{"dumps": {"d": {"group": "Br"}}}, {"computes": {"g": {"kind": "rdf", "pairs": [["Li", "Br"]]}}}],
)
def test_an_element_that_the_cell_has_not_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="asks for Br, but the cell holds Li, P, S, Cl only"):
        lammps_input(MdSettings.model_validate(given), species=SPECIES, model="m.nequip.pt2")

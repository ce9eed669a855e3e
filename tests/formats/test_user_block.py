"""Lines of somebody's own: what may stand there, and what may not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.lammps_input import lammps_input
from aiida_seireact.formats.lammps_script import ScriptError
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.user_block import refuse_block

FIELD = "variable force equal 0.01\nfix push all addforce v_force 0 0   # eV/Å\n"


def test_lines_go_in_before_the_run_as_they_are() -> None:
    lines = lammps_input(MdSettings(user_block=FIELD), species=["Li"], model="m.nequip.pt2").splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("run "))
    assert lines[place - 2 : place] == FIELD.splitlines()


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("compute 1 all temp\njump SELF loop", "Line 2 of user_block has the command `jump`"),
        ('if "1 > 0" then "clear"', "the command `clear`"),
        ("suffix kk", "no accelerated styles"),
        ("newton off", "newton off"),
        ("neigh_modify exclude group all all", "hides neighbours"),
        ("compute s all stress/atom NULL", "no per-atom virial"),
        ("run 100", "`steps` says how far"),
        ('if "1 > 0" then "run 100"', "`steps` says how far"),
        ("dump 1 all custom 10 x.dump id", "write dumps by `dumps`"),
        ("reset_timestep 0", "how far the run goes"),
        ("thermo_style custom step", "fixed columns"),
        ("pair_style hybrid/overlay allegro zbl 1 2", "carries ZBL inside"),
        ("pair_coeff 1 1 zbl 3 3", "carries ZBL inside"),
        ("pair_style lj/cut 6", "choose the model by `pair`"),
        ("unfix md", "the id md, which the input uses itself"),
        ("group slab clear", "the id slab"),
    ],
)
def test_what_breaks_a_run_is_refused_by_its_line(block: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        refuse_block(block, taken=["slab"])


def test_settings_refuse_it_too() -> None:
    with pytest.raises(ValidationError, match="Line 1 of user_block has the command `run`"):
        MdSettings(user_block="run 5")
    with pytest.raises(ValidationError, match="give z_ang"):
        MdSettings.model_validate(
            {
                "ensemble": "npt",
                "regions": {"top": {"z_fraction": [0.5, 1.0]}},
                "user_block": "fix wall all wall/region top harmonic 1 1 1",
            }
        )

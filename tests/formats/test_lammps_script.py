"""Reading an ordinary input: commands, and what the embedded engine must refuse."""

from __future__ import annotations

import pytest

from aiida_seireact.formats.lammps_script import (
    ScriptError,
    commands_of,
    model_and_species,
    read_allegro_script,
)

GOOD = """\
units metal
atom_style atomic
read_data s.data
pair_style allegro
pair_coeff * * model.nequip.pt2 Li S
fix md all nve
run 10
"""


def test_continued_commented_and_quoted_lines() -> None:
    text = 'units metal # note\n\nprint "a # b"\nfix 1 all &\n  nve\nprint """two\nlines"""\n# only a comment\n'
    found = commands_of(text)
    assert [(command.line, command.text) for command in found] == [
        (1, "units metal"),
        (3, 'print "a # b"'),
        (4, "fix 1 all   nve"),
        (6, 'print """two\nlines"""'),
    ]


def test_good_input_names_its_two_lines() -> None:
    script = read_allegro_script(GOOD)
    assert (script.pair_style, script.pair_coeff) == (3, 4)
    assert script.needs_thermo_style
    assert not script.per_atom_energy
    command = script.commands[4]
    assert model_and_species(command, command.text) == ("model.nequip.pt2", ["Li", "S"])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("pair_style lj/cut 5", "Line 8 of the input has a second pair_style"),
        ("pair_coeff 1 1 a.nequip.pt2 Li S", "takes one pair_coeff line, this input has 2"),
        ("jump SELF top", "the command `jump`"),
        ('if "1 > 0" then "quit 1"', "the command `quit`"),
        ("clear", "the command `clear`"),
        ('run 10 every 5 "clear"', "the command `clear`"),
        ("include more.in", "the command `include`"),
        ("suffix kk", "no accelerated styles"),
        ("rerun traj.dump dump x y z", "the command `rerun`"),
        ("neigh_modify every 1 exclude type 1 1", "which hides neighbours from the model"),
        ("newton off", "Line 8 of the input has newton off"),
        ("atom_modify id no", "atoms without ids"),
        ("run_style respa 2 2", "run_style respa"),
        ("thermo_style multi", "thermo_style multi, which prints the pair style's energy"),
        ("thermo_style custom step epair", "the keyword epair, which is zero here"),
        ('variable e equal "evdwl"', "the keyword evdwl"),
        ("compute s all stress/atom NULL", "compute stress/atom, which reads the pair style"),
        ("compute e all pe pair", "compute pe of one contribution"),
        ("${what} 10", "a command whose name is a variable"),
    ],
)
def test_what_would_mean_something_else_is_refused(line: str, sentence: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_allegro_script(GOOD + line + "\n")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("pair_style allegro", "", "has no `pair_style allegro`"),
        ("pair_style allegro", "pair_style hybrid/overlay allegro zbl 1 2", "carries ZBL inside"),
        ("pair_style allegro", "pair_style hybrid/overlay allegro lj/cut 5", "pair_style hybrid/overlay"),
        ("pair_style allegro", "pair_style allegro 4.5", "with arguments, it takes none"),
        ("units metal\n", "", "does not say `units metal`"),
        ("units metal", "units real", "units real; the model gives eV and Å"),
        ("pair_style allegro", "fix 0 all nve\npair_style allegro", "a fix before the pair_coeff"),
    ],
)
def test_inputs_without_a_plain_allegro_pair_are_refused(old: str, new: str, sentence: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_allegro_script(GOOD.replace(old, new))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("line", ["pair_coeff 1 1 a.nequip.pt2 Li", "pair_coeff * * a.pth Li", "pair_coeff * *"])
def test_malformed_pair_coeff_is_refused(line: str) -> None:
    (command,) = commands_of(line)
    with pytest.raises(ScriptError, match=r"Line 1 of the input has"):
        model_and_species(command, line)

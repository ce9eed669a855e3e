"""Read an ordinary LAMMPS input with ``pair_style allegro``, and say what an embedded engine must do with it.

The embedded engine gives the model's forces as a fix, not as a pair style. All lines but two mean the same to
both; what would mean something else is refused here, by the line that says it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

from aiida_seireact.formats.model import COMPILED_SUFFIX
from aiida_seireact.formats.pair_styles import SECOND_ZBL

_FLOW = {"jump", "next", "label", "include", "clear", "quit", "partition", "rerun", "python", "plugin"}
_ACCELERATORS = {"package", "suffix"}
# Output that belongs to a pair style: the embedded engine's pair style gives none.
_PAIR_COMPUTES = {
    "born/matrix",
    "centroid/stress/atom",
    "force/tally",
    "group/group",
    "heat/flux",
    "heat/flux/tally",
    "pair",
    "pair/local",
    "pe/tally",
    "stress/atom",
    "stress/tally",
}
_PAIR_THERMO = re.compile(r"\b(epair|evdwl)\b")


class ScriptError(ValueError):
    """An input that the embedded engine can't run as a native LAMMPS would; the message names the line."""


@dataclass(frozen=True)
class Command:
    """One command of an input: continued lines joined, comments gone.

    :param line: number of its first line in the file, from 1
    """

    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """The words, quotes resolved."""
        try:
            return shlex.split(self.text, posix=True)
        except ValueError:  # LAMMPS complains better about an open quote
            return self.text.split()


@dataclass(frozen=True)
class AllegroScript:
    """An input that was found runnable.

    :param pair_style: index of the command ``pair_style allegro``
    :param pair_coeff: index of its ``pair_coeff``
    :param per_atom_energy: a compute asks for energies of atoms
    :param needs_thermo_style: no thermo_style is given, and LAMMPS's own would print the pair style's energy
    """

    commands: list[Command]
    pair_style: int
    pair_coeff: int
    per_atom_energy: bool
    needs_thermo_style: bool


def commands_of(text: str) -> list[Command]:
    """Split an input into commands as LAMMPS does.

    ``&`` continues a line, ``#`` outside quotes ends it, triple quotes span lines.
    """
    found: list[Command] = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        if not pending:
            start = number
        line = pending + raw
        if line.count('"""') % 2:
            pending = line + "\n"
            continue
        bare = _without_comment(line)
        if bare.rstrip().endswith("&"):
            pending = bare.rstrip()[:-1]
            continue
        pending = ""
        if bare.strip():
            found.append(Command(start, bare.strip()))
    if pending.strip():
        found.append(Command(start, pending.strip()))
    return found


def _without_comment(line: str) -> str:
    quote = ""
    index = 0
    while index < len(line):
        for mark in ('"""', '"', "'"):
            if line.startswith(mark, index) and quote in ("", mark):
                quote = "" if quote else mark
                index += len(mark)
                break
        else:
            if line[index] == "#" and not quote:
                return line[:index]
            index += 1
    return line


def read_allegro_script(text: str) -> AllegroScript:
    """Check an input and find the two lines that change.

    :raises ScriptError: no or another pair style, several of them, flow control across the file, or something
        that reads what only a pair style has.
    """
    commands = commands_of(text)
    styles = [index for index, command in enumerate(commands) if command.words[0] == "pair_style"]
    coefficients = [index for index, command in enumerate(commands) if command.words[0] == "pair_coeff"]
    for command in commands:
        _refuse_flow(command)
    if not styles:
        raise ScriptError("This input has no `pair_style allegro`: seireact-lmp runs Allegro models only, use `lmp`.")
    if len(styles) > 1:
        raise _error(commands[styles[1]], "a second pair_style; seireact-lmp runs one Allegro model from start to end")
    style = commands[styles[0]].words
    if "allegro" in style and any(word.startswith("zbl") for word in style):
        raise _error(commands[styles[0]], f"a ZBL beside Allegro; {SECOND_ZBL}")
    if style[1:2] != ["allegro"]:
        raise _error(
            commands[styles[0]],
            f"pair_style {' '.join(style[1:])}; seireact-lmp runs `pair_style allegro` alone, use `lmp`",
        )
    if len(style) > 2:
        raise _error(commands[styles[0]], "`pair_style allegro` with arguments, it takes none")
    if len(coefficients) != 1:
        raise ScriptError(
            f"`pair_style allegro` takes one pair_coeff line, this input has {len(coefficients)}: write "
            f"`pair_coeff * * model{COMPILED_SUFFIX} Li P S Cl`."
        )
    if coefficients[0] < styles[0]:
        raise _error(commands[coefficients[0]], "a pair_coeff before its pair_style")
    _refuse_units(commands)
    per_atom, thermo = False, False
    for index, command in enumerate(commands):
        words = command.words
        if words[0] == "fix" and index < coefficients[0]:
            raise _error(command, "a fix before the pair_coeff; put pair_coeff first, so that forces come before fixes")
        thermo |= words[0] == "thermo_style"
        per_atom |= words[0] == "compute" and words[3:4] == ["pe/atom"]
        _refuse_pair_output(command)
    return AllegroScript(commands, styles[0], coefficients[0], per_atom, not thermo)


def refuse_command(command: Command, *, where: str = "the input") -> None:
    """Refuse a single command that the embedded engine can't run as a native LAMMPS would, whatever is around it.

    :raises ScriptError: the message names the line of ``where``.
    """
    try:
        _refuse_flow(command)
        _refuse_modes(command)
        _refuse_pair_output(command)
    except ScriptError as error:
        raise ScriptError(str(error).replace("of the input has", f"of {where} has")) from None


def model_and_species(command: Command, expanded: str) -> tuple[str, list[str]]:
    """Return the model file and the species of a ``pair_coeff`` line.

    :param expanded: the line with LAMMPS's variables replaced.
    :raises ScriptError: not of the form ``pair_coeff * * model.nequip.pt2 Li P S Cl``.
    """
    words = shlex.split(expanded)
    if words[1:3] != ["*", "*"] or len(words) < 5:
        raise _error(command, f"a pair_coeff not of the form `pair_coeff * * model{COMPILED_SUFFIX} Li P S Cl`")
    if not PurePosixPath(words[3]).name.endswith(COMPILED_SUFFIX):
        raise _error(command, f"the model {words[3]}, whose name must end with {COMPILED_SUFFIX}; run seireact-compile")
    return words[3], words[4:]


def _refuse_flow(command: Command) -> None:
    words = command.words
    # Both take whole commands as quoted arguments.
    inner = [piece.split()[0] for piece in words[1:] if piece.strip()] if words[0] in ("if", "run") else []
    for word in [words[0], *inner]:
        if word in _FLOW or (word in ("pair_style", "pair_coeff") and word != words[0]):
            raise _error(command, f"the command `{word}`; seireact-lmp runs a file once from top to bottom, use `lmp`")
        if word in _ACCELERATORS:
            raise _error(command, f"the command `{word}`; seireact-lmp has no accelerated styles, use `lmp`")
    if "$" in words[0]:
        raise _error(command, "a command whose name is a variable; write it out")


def _refuse_units(commands: list[Command]) -> None:
    units = [command for command in commands if command.words[0] == "units"]
    if not units:
        raise ScriptError("This input does not say `units metal`, which the model's eV and Å need: add the line.")
    for command in commands:
        _refuse_modes(command)


def _refuse_modes(command: Command) -> None:
    words = command.words
    if words[0] == "units" and words[1:] != ["metal"]:
        raise _error(command, f"units {' '.join(words[1:])}; the model gives eV and Å, write `units metal`")
    if words[0] == "newton" and words[1:2] != ["on"]:
        raise _error(command, "newton off, which `pair_style allegro` refuses; write `newton on`")
    if words[0] == "atom_modify" and "id" in words and words[words.index("id") + 1 :][:1] == ["no"]:
        raise _error(command, "atoms without ids, which the model's neighbours need; remove `id no`")
    if words[0] == "neigh_modify" and "exclude" in words:
        raise _error(command, "neigh_modify exclude, which hides neighbours from the model; remove it")
    if words[0] == "run_style" and words[1:2] != ["verlet"]:
        raise _error(
            command,
            f"run_style {' '.join(words[1:])}; seireact-lmp runs `run_style verlet` only, use `lmp`",
        )


def _refuse_pair_output(command: Command) -> None:
    words = command.words
    if words[0] == "thermo_style" and words[1:2] != ["custom"]:
        raise _error(
            command,
            f"thermo_style {' '.join(words[1:])}, which prints the pair style's energy; "
            "write `thermo_style custom step temp pe etotal press`",
        )
    match = _PAIR_THERMO.search(command.text)
    if match and words[0] in ("thermo_style", "variable", "fix", "print", "if", "run"):
        raise _error(command, f"the keyword {match.group()}, which is zero here; the model's energy is `pe`")
    if words[0] == "compute" and words[3:4]:
        if words[3] in _PAIR_COMPUTES:
            raise _error(command, f"compute {words[3]}, which reads the pair style; Allegro has no per-atom virial")
        if words[3] in ("pe", "pe/atom", "pressure") and {"pair", "fix"} & set(words[4:]):
            raise _error(command, f"compute {words[3]} of one contribution; only the whole is the same here")


def _error(command: Command, what: str) -> ScriptError:
    return ScriptError(f"Line {command.line} of the input has {what}.")

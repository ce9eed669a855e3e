"""Lines of somebody's own in the input of a segment: what they may not do."""

from __future__ import annotations

from collections.abc import Iterable

from aiida_seireact.formats.lammps_script import Command, ScriptError, commands_of, refuse_command
from aiida_seireact.formats.md_groups import RESERVED
from aiida_seireact.formats.pair_styles import SECOND_ZBL

# Each has settings of its own, on which the count of steps and frames over segments rests.
_OURS = {
    **dict.fromkeys(("dump", "undump"), "write dumps by `dumps`"),
    "dump_modify": "write dumps by `dumps`",
    **dict.fromkeys(("run", "minimize", "rerun", "reset_timestep"), "`steps` says how far the run goes"),
    **dict.fromkeys(("timestep", "timer"), "set `timestep_fs` and `seconds_max`"),
    **dict.fromkeys(("restart", "write_restart"), "set `restart_every`"),
    **dict.fromkeys(("thermo", "thermo_style", "thermo_modify", "log"), "the thermo table is read with fixed columns"),
    **dict.fromkeys(("read_data", "read_restart", "create_box", "read_dump"), "the cell is an input of its own"),
    **dict.fromkeys(("create_atoms", "delete_atoms", "replicate"), "change the structure before the run"),
    **dict.fromkeys(("units", "atom_style", "boundary"), "it is too late for that"),
    **dict.fromkeys(("pair_style", "pair_coeff", "pair_modify"), "choose the model by `pair`"),
}
_NAMED = {"fix", "unfix", "compute", "uncompute", "variable", "group", "region", "fix_modify", "compute_modify"}


def refuse_block(text: str, *, taken: Iterable[str] = ()) -> None:
    """Check lines that go before `run`.

    :param taken: ids of groups, regions, dumps and computes that the settings define.
    :raises ScriptError: a line that seireact-lmp refuses, that breaks the count of steps and frames, or that takes an
        id of ours. Lines are counted within the block.
    """
    used = RESERVED - {"all"} | set(taken)
    for command in commands_of(text):
        words = command.words
        inner = [piece.split() for piece in words[1:] if piece.strip()] if words[0] in ("if", "then", "run") else []
        for first in (words[0], *(piece[0] for piece in inner)):
            _refuse_ours(command, first)
        refuse_command(command, where="user_block")
        # Groups and regions may be read: only what makes something anew is refused.
        if words[0] in _NAMED and words[1:2] and words[1] in used:
            raise _error(command, f"the id {words[1]}, which the input uses itself; take another one")


def _refuse_ours(command: Command, first: str) -> None:
    if first in ("pair_style", "pair_coeff") and "zbl" in command.text:
        raise _error(command, f"a ZBL; {SECOND_ZBL}")
    if first in _OURS:
        raise _error(command, f"the command `{first}`; {_OURS[first]}")


def _error(command: Command, what: str) -> ScriptError:
    return ScriptError(f"Line {command.line} of user_block has {what}.")

"""What MD on several MPI ranks needs in AiiDA: a code of LAMMPS itself, with its `pair_style allegro` built."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from aiida_seireact.cli.machine import shell_on
from aiida_seireact.cli.plugin_codes import PluginProgram, Tell, look_after_code
from aiida_seireact.formats.lammps_command import NATIVE_CODE

if TYPE_CHECKING:
    from aiida.orm import Computer

SCRIPT = "seireact-pair-style"
INSTALL = "pip install 'aiida-seireact[md]'"
LMP = PluginProgram(
    name="LAMMPS with pair_style allegro",
    prefix=NATIVE_CODE,
    plugin="seireact.lammps",
    install=INSTALL,
    option="--pair-style",
)


def look_after(computer: Computer | None, bin_dir: str, *, dry_run: bool, tell: Tell) -> None:
    """Build the pair style in the environment of ``bin_dir`` and make, or reuse, the code of its LAMMPS.

    What is missing, a compiler for one, is told as ``missing``.
    """
    script = f"{shlex.quote(f'{bin_dir}/{SCRIPT}')} --json" + " --dry-run" * dry_run
    with shell_on(computer) as shell:
        answer = shell(script)
    if answer.status:
        absent = answer.status in (126, 127)
        reason = f"{SCRIPT} is not in {bin_dir}: install it there with `{INSTALL}`." if absent else answer.last_words
        tell("pair_style allegro", "missing", reason)
        return
    # Profiles of login shells may print greetings: the answer is the last line.
    found = json.loads(answer.output.strip().splitlines()[-1])
    outcome = "would make" if not found["built"] else "made" if found["is_new"] else "reused"
    tell("pair_style allegro", outcome, found["folder"])
    versions = found["versions"]
    # The folder in the exports is named after sources and versions, so another pair style is another code.
    others = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "lammps")
    look_after_code(
        LMP,
        (found["lmp"], versions["lammps"]),
        computer,
        dry_run=dry_run,
        tell=tell,
        preparation="\n".join([f"# built with: {others}", *found["exports"]]),
    )
    if computer is not None and not computer.get_mpirun_command():
        # Programs of ours never use it; without it several ranks would be one.
        command = [found["mpiexec"], "-n", "{tot_num_mpiprocs}"]
        if not dry_run:
            computer.set_mpirun_command(command)
            computer.store()
        tell(f"MPI of {computer.label}", "would change" if dry_run else "changed", f"to {' '.join(command)}")

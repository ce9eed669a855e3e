"""What labels by CP2K need in AiiDA: a code of CP2K. Its basis sets and potentials come with it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aiida_seireact.cli.machine import Shell, shell_on
from aiida_seireact.cli.plugin_codes import PluginProgram, Tell, look_after_code

if TYPE_CHECKING:
    from aiida.orm import Computer

CP2K = PluginProgram(
    name="CP2K",
    prefix="cp2k",
    plugin="cp2k",
    install="apt-get install --no-install-recommends cp2k cp2k-data",
    option="--with-cp2k",
)
INSTALL_PLUGIN = "pip install 'aiida-seireact[cp2k]'"


def look_after(computer: Computer | None, *, dry_run: bool, tell: Tell) -> None:
    """Make, or reuse, the code of CP2K; what is missing is told as ``missing``."""
    if find_spec("aiida_cp2k") is None:
        tell("CP2K", "missing", f"aiida-cp2k is not installed: `{INSTALL_PLUGIN}`.")
        return
    with shell_on(computer) as shell:
        found = find_cp2k(shell)
    look_after_code(CP2K, found, computer, dry_run=dry_run, tell=tell)


def find_cp2k(shell: Shell) -> tuple[str, str] | None:
    """Return path and version of the CP2K on PATH, None if there is none that starts."""
    answer = shell(
        'for name in cp2k.psmp cp2k; do if program=$(command -v "$name"); then '
        'echo "$program"; timeout 30 "$program" --version < /dev/null; break; fi; done'
    )
    lines = answer.output.splitlines()
    version = re.search(r"^ *CP2K version (\S+)", answer.output, re.MULTILINE)
    return (lines[0], version[1]) if version else None

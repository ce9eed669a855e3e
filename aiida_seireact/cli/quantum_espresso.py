"""What labels by Quantum ESPRESSO need in AiiDA: a code of pw.x and a family of pseudopotentials."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_seireact.cli.machine import Shell, shell_on
from aiida_seireact.cli.plugin_codes import PluginProgram, Tell, look_after_code
from aiida_seireact.cli.pseudopotentials import CUTOFFS_RY, FAMILY, LICENCE, SHA256, FetchError, fetch_sg15

if TYPE_CHECKING:
    from aiida.orm import Computer

INSTALL_PW = "apt-get install --no-install-recommends quantum-espresso"
PW = PluginProgram(name="pw.x", prefix="pw", plugin="quantumespresso.pw", install=INSTALL_PW, option="--with-qe")
INSTALL_PLUGIN = "pip install 'aiida-seireact[qe]'"


def look_after(computer: Computer | None, *, dry_run: bool, tell: Tell) -> None:
    """Make, or reuse, the code of pw.x and the family ``SG15/1.2/PBE/SR``; what is missing is told as ``missing``."""
    if find_spec("aiida_quantumespresso") is None or find_spec("aiida_pseudo") is None:
        tell("Quantum ESPRESSO", "missing", f"aiida-quantumespresso is not installed: `{INSTALL_PLUGIN}`.")
        return
    with shell_on(computer) as shell:
        found = find_pw(shell)
    look_after_code(PW, found, computer, dry_run=dry_run, tell=tell)
    _look_after_family(dry_run=dry_run, tell=tell)


def find_pw(shell: Shell) -> tuple[str, str] | None:
    """Return path and version of the pw.x on PATH, None if there is none that starts."""
    # Without input it tells its version, leaves a file CRASH, and stops.
    answer = shell(
        'pw=$(command -v pw.x) && folder=$(mktemp -d) && cd "$folder" && echo "$pw" && '
        '{ timeout 30 "$pw" < /dev/null; rm -r "$folder"; }'
    )
    lines = answer.output.splitlines()
    version = re.search(r"Program PWSCF v\.(\S+) starts", answer.output)
    return (lines[0], version[1]) if version else None


def _look_after_family(*, dry_run: bool, tell: Tell) -> None:
    from aiida.orm import QueryBuilder
    from aiida.plugins import GroupFactory

    thing = f"pseudopotentials {FAMILY}"
    if QueryBuilder().append(GroupFactory("pseudo.family"), filters={"label": FAMILY}).count():
        tell(thing, "reused", LICENCE)
        return
    if dry_run:
        tell(thing, "would make", LICENCE)
        return
    try:
        folder, fetched = fetch_sg15()
    except FetchError as error:
        tell(thing, "missing", str(error))
        return
    make_family(folder)
    tell(thing, "made", f"{LICENCE}; {'fetched into' if fetched else 'from'} {folder}")


def make_family(folder: Path) -> Any:
    """Make the aiida-pseudo family of the files in ``folder``, with its cut-offs, and return it."""
    from aiida.plugins import DataFactory, GroupFactory

    family = GroupFactory("pseudo.family.cutoffs").create_from_folder(
        folder, FAMILY, description=LICENCE, pseudo_type=DataFactory("pseudo.upf")
    )
    wavefunctions, density = CUTOFFS_RY
    elements = sorted(name.partition("_")[0] for name in SHA256)
    cutoffs = {element: {"cutoff_wfc": wavefunctions, "cutoff_rho": density} for element in elements}
    family.set_cutoffs(cutoffs, "label", unit="Ry")
    return family

"""What labels by Quantum ESPRESSO need in AiiDA: a code of pw.x and a family of pseudopotentials."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_seireact.cli.machine import Shell, shell_on
from aiida_seireact.cli.pseudopotentials import CUTOFFS_RY, FAMILY, LICENCE, SHA256, FetchError, fetch_sg15

if TYPE_CHECKING:
    from aiida.orm import Computer, InstalledCode

PLUGIN = "quantumespresso.pw"
CACHED = f"aiida.calculations:{PLUGIN}"
INSTALL_PW = "apt-get install --no-install-recommends quantum-espresso"
INSTALL_PLUGIN = "pip install 'aiida-seireact[qe]'"

Tell = Callable[..., None]


def look_after(computer: Computer | None, *, dry_run: bool, tell: Tell) -> None:
    """Make, or reuse, the code of pw.x and the family ``SG15/1.2/PBE/SR``; what is missing is told as ``missing``."""
    if find_spec("aiida_quantumespresso") is None or find_spec("aiida_pseudo") is None:
        tell("Quantum ESPRESSO", "missing", f"aiida-quantumespresso is not installed: `{INSTALL_PLUGIN}`.")
        return
    _look_after_code(computer, dry_run=dry_run, tell=tell)
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


def _look_after_code(computer: Computer | None, *, dry_run: bool, tell: Tell) -> None:
    with shell_on(computer) as shell:
        found = find_pw(shell)
    if found is None:
        where = "this machine" if computer is None else computer.label
        tell(
            "code of pw.x",
            "missing",
            f"pw.x is not on PATH of {where}: `{INSTALL_PW}`, or, where modules have to be loaded first, make the code "
            f"yourself by `verdi code create core.code.installed -P {PLUGIN}`.",
        )
        return
    path, version = found
    content = {
        "filepath_executable": path,
        # An upgraded program keeps its path: the version makes another code of it, and so another cache.
        "prepend_text": f"# versions: pw.x {version}\nexport OMP_NUM_THREADS=1",
    }
    codes = [] if computer is None else _codes_on(computer)
    same = [code for code in codes if all(str(getattr(code, key)) == value for key, value in content.items())]
    if same:
        tell(f"code {same[0].label}", "reused", path)
        if not dry_run:
            same[0].is_hidden = False
    else:
        label = f"pw-{version}"
        if label in {code.label for code in codes}:
            label += f"-{len(codes) + 1}"
        if not dry_run and computer is not None:
            _make_code(label, computer, content)
        tell(f"code {label}", "would make" if dry_run else "made", path)
    for code in codes:
        if str(code.filepath_executable) == path and code not in same and not code.is_hidden:
            if not dry_run:
                code.is_hidden = True
            tell(f"code {code.label}", "would hide" if dry_run else "hidden", "this pw.x is of another version now")


def _codes_on(computer: Computer) -> list[InstalledCode]:
    from aiida.orm import Computer, InstalledCode, QueryBuilder

    query = QueryBuilder().append(Computer, filters={"id": computer.pk}, tag="computer")
    query.append(
        InstalledCode, filters={"attributes.input_plugin": PLUGIN}, with_computer="computer", tag="code", project="*"
    )
    codes: list[InstalledCode] = query.order_by({"code": "id"}).all(flat=True)
    return codes


def _make_code(label: str, computer: Computer, content: dict[str, str]) -> None:
    from aiida.orm import InstalledCode

    # Whether MPI is used is said by the options of each workflow, so not here.
    InstalledCode(
        label=label,
        computer=computer,
        description="pw.x of Quantum ESPRESSO, made by `aiida-seireact setup --with-qe`",
        default_calc_job_plugin=PLUGIN,
        **content,
    ).store()


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

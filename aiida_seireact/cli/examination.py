"""What `aiida-seireact doctor` looks at: the programs of every code, and AiiDA's profile, broker, daemon and disk."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiida.cmdline.utils.daemon import validate_daemon_env
from aiida.common.exceptions import NotExistent
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_config, get_manager
from aiida.orm import Computer, InstalledCode, QueryBuilder, load_computer

from aiida_seireact.cli.daemon_parts import daemon_processes
from aiida_seireact.cli.installation import prepend_text
from aiida_seireact.cli.machine import Environment, Shell, probe, scratch_folder, shell_on, with_files
from aiida_seireact.cli.programs import PROGRAMS, ProgramCard
from aiida_seireact.cli.toys import TOYS
from aiida_seireact.cli.watchdog import signs_of_trouble
from aiida_seireact.formats.lammps_leg import LammpsLegError, require_styles
from aiida_seireact.workchains.codes import find_code

State = Literal["ok", "care", "broken"]
# A compilation takes a minute of a free core.
TOY_SECONDS = 600
TIMED_OUT = 124
# What the label of a code begins with that is a LAMMPS with FLARE's plugin, for legs with `engine: lammps`.
FLARE_LAMMPS = "lmp-flare"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    thing: str
    state: State
    version: str = ""
    detail: str = ""
    fix: str = ""


Say = Callable[[Finding], None]


def examine_aiida(say: Say = lambda finding: None) -> list[Finding]:
    """Look at the loaded profile: storage, broker, daemon, disk, and signs of a hang."""
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        say(finding)

    manager = get_manager()
    profile = manager.get_profile()
    if profile is None:
        raise ValueError("Load a profile first.")
    manager.get_profile_storage()
    tell(Finding(f"profile {profile.name}", "ok", detail=f"{profile.storage_backend} in {get_config().dirpath}"))

    broker = profile.process_control_backend
    if broker is None:
        fix = "`verdi profile configure-broker core.zeromq`"
        tell(Finding("broker", "broken", detail="none: nothing can be submitted to a daemon", fix=fix))
    else:
        tell(Finding("broker", "ok", detail=broker))

    workers = [process for process in daemon_processes() if "worker" in process.cmdline]
    if workers:
        drift = validate_daemon_env(get_daemon_client())
        if drift is None:
            tell(Finding("daemon", "ok", detail=f"{len(workers)} workers"))
        else:
            detail = re.sub(r"\s+", " ", drift).strip()
            tell(Finding("daemon", "care", detail=detail, fix="`verdi daemon restart`"))
    else:
        tell(Finding("daemon", "care", detail="not running", fix="`verdi daemon start`"))

    usage = shutil.disk_usage(str(get_config().dirpath))
    free = f"{usage.free / 1024**3:.0f} GB free ({100 * usage.free / usage.total:.0f} %)"
    signs = signs_of_trouble()
    tell(Finding("disk", "care" if any("is free on the disk" in sign for sign in signs) else "ok", detail=free))
    for sign in signs:
        tell(
            Finding(
                "trouble",
                "broken" if sign.curable else "care",
                detail=str(sign),
                fix="`aiida-seireact doctor --mend`" if sign.curable else "",
            )
        )
    return findings


def examine_programs(computer_label: str, *, quick: bool, say: Say = lambda finding: None) -> list[Finding]:
    """Look for the code of every program on a computer, ask its version, and let it work on a toy.

    :param quick: ask for versions only.
    :param say: called with each finding as it is made: a compiler takes a minute.
    """
    try:
        computer = load_computer(computer_label)
    except NotExistent:
        finding = Finding(
            f"computer {computer_label}",
            "broken",
            detail="not in this profile",
            fix=f"`aiida-seireact setup --computer {computer_label}`",
        )
        say(finding)
        return [finding]
    with shell_on(computer) as shell, scratch_folder(shell) as folder:
        return _examine_all(computer, shell, folder, quick=quick, say=say)


def _examine_all(computer: Computer, shell: Shell, folder: str, *, quick: bool, say: Say) -> list[Finding]:
    findings: list[Finding] = []
    environments: dict[str, Environment] = {}
    worked: set[str] = set()
    for card in PROGRAMS:
        finding = _examine(card, computer, shell, folder, environments, worked, quick=quick)
        if finding.state == "ok":
            worked.add(card.name)
        findings.append(finding)
        say(finding)
    answer = shell("g++ --version")
    compiler = Finding("g++ (for seireact-compile)", "ok", version=(answer.output.splitlines() or [""])[0])
    if answer.status:
        compiler = Finding(
            "g++ (for seireact-compile)",
            "broken",
            detail="not found",
            fix="install a C++ compiler: `apt-get install g++`, or `module load gcc` in the code's prepend_text",
        )
    findings.append(compiler)
    say(compiler)
    for finding in _examine_lammps_of_flare(computer, shell):
        findings.append(finding)
        say(finding)
    return findings


def _examine_lammps_of_flare(computer: Computer, shell: Shell) -> list[Finding]:
    """Ask each LAMMPS that is to run legs of learning, by the name of its code, for FLARE's styles."""
    query = QueryBuilder().append(Computer, filters={"uuid": computer.uuid}, tag="computer")
    query.append(InstalledCode, with_computer="computer", filters={"label": {"like": f"{FLARE_LAMMPS}%"}})
    findings = []
    for code in query.all(flat=True):
        answer = shell(f"{code.prepend_text}\n{shlex.quote(str(code.filepath_executable))} -h")
        if answer.status:
            findings.append(Finding(code.label, "broken", detail=answer.last_words))
            continue
        try:
            require_styles(answer.output, str(code.filepath_executable))
        except LammpsLegError as error:
            findings.append(Finding(code.label, "broken", detail=str(error)))
        else:
            findings.append(Finding(code.label, "ok", detail="has pair_style flare and compute flare/std/atom"))
    return findings


def _examine(
    card: ProgramCard,
    computer: Computer,
    shell: Shell,
    folder: str,
    environments: dict[str, Environment],
    worked: set[str],
    *,
    quick: bool,
) -> Finding:
    setup = f"`aiida-seireact setup --computer {computer.label}`"
    try:
        code = find_code(card.name, computer.label)
    except NotExistent:
        return Finding(card.script, "broken", detail="no code in this profile", fix=setup)
    if not isinstance(code, InstalledCode):
        return Finding(card.script, "care", detail=f"{code.full_label} is not an installed program: not tried")
    path = Path(str(code.filepath_executable))
    bin_dir = str(path.parent)
    try:
        environment = environments.setdefault(bin_dir, probe(shell, bin_dir))
    except FileNotFoundError as error:
        return Finding(card.script, "broken", detail=str(error), fix=setup)
    reason = environment.missing(card.name)
    if reason:
        return Finding(card.script, "broken", detail=reason, fix=f"`{card.install}`")

    command = f"{code.prepend_text}\n{shlex.quote(str(path))}"
    answer = shell(f"timeout {TOY_SECONDS} bash -c {shlex.quote(f'{command} --version')}")
    if answer.status:
        return Finding(card.script, "broken", detail=answer.last_words, fix=f"`{card.install}`")
    version = environment.versions.get("aiida-seireact", "")
    needs = ", ".join(f"{name} {environment.versions[name]}" for name in card.needs)
    if code.prepend_text != prepend_text(card, environment) and "# versions:" in code.prepend_text:
        detail = f"{needs}: other versions than {code.label} was made for"
        return Finding(card.script, "broken", version, detail, setup)
    if quick or card.name not in TOYS:
        return Finding(card.script, "ok", version, f"answers ({needs})")

    toy = TOYS[card.name]
    if toy.after is not None and toy.after not in worked:
        return Finding(card.script, "care", version, f"not tried: it needs the result of seireact-{toy.after}")
    run = with_files(f"{folder}/{card.name}", toy.files(), f"{command} {toy.arguments}", seconds=TOY_SECONDS)
    answer = shell(run)
    if answer.status == TIMED_OUT:
        detail = f"{toy.does}: no end after {TOY_SECONDS} s"
        return Finding(card.script, "broken", version, detail, "try again when the machine is less busy")
    if answer.status:
        reason = answer.last_words
        return Finding(card.script, "broken", version, f"{toy.does}: {reason}", f"`{card.install}`")
    return Finding(card.script, "ok", version, f"{toy.does} ({needs})")

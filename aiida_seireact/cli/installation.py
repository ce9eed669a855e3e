"""Make what the workflows need in AiiDA: a profile, a computer, and one code for each program version."""

from __future__ import annotations

import hashlib
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_seireact import __version__
from aiida_seireact.cli import cp2k, pair_style, pyace, quantum_espresso
from aiida_seireact.cli._profile import use_this_environment
from aiida_seireact.cli.machine import Environment, probe, shell_on
from aiida_seireact.cli.programs import PROGRAMS, ProgramCard
from aiida_seireact.cli.pseudopotentials import FAMILY

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile
    from aiida.manage.configuration.config import Config
    from aiida.orm import Computer, InstalledCode

DEFAULT_PROFILE = "seireact"
LOCALHOST = "localhost"

# Wildcards may not stand in the path of a module, unless the pattern could also name a group of entry
# points: hence the star instead of the underscore (aiida-core 2.9.4, `_validate_identifier_pattern`).
CACHED = ("aiida.calculations:seireact.*", "aiida*seireact.calculations.functions.*")

# (option, value, why) of a profile that setup makes itself.
OWN_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("runner.poll.interval", 1, "local jobs end within seconds"),
    ("warnings.showdeprecations", False, "they concern the authors of plugins"),
)


class SetupError(RuntimeError):
    """Setup can't go on; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """One thing that setup looked after."""

    thing: str
    outcome: str
    """``made``, ``changed``, ``reused``, ``kept``, ``hidden``, ``missing``; dry: ``would make`` and so on."""
    detail: str = ""

    @property
    def is_change(self) -> bool:
        """Whether something is, or would be, no longer as before."""
        return self.outcome.removeprefix("would ") in ("made", "make", "changed", "change", "hidden", "hide")


Say = Callable[[Step], None]


def install(
    profile_name: str = DEFAULT_PROFILE,
    *,
    computer_label: str = LOCALHOST,
    workers: int | None = None,
    work_dir: Path | None = None,
    bin_dir: str | None = None,
    programs: Sequence[str] | None = None,
    with_qe: bool = False,
    with_cp2k: bool = False,
    with_pair_style: bool = False,
    with_pyace: bool = False,
    accept_pyace: pyace.Ask = lambda licence: False,
    caching: bool = True,
    dry_run: bool = False,
    say: Say = lambda step: None,
) -> list[Step]:
    """Make, or reuse, profile, computer and codes; a second call changes nothing.

    :param profile_name: an existing profile, or the name of a new one (SQLite, ZeroMQ broker).
    :param computer_label: an existing computer, or ``localhost``, which is made.
    :param workers: daemon workers; default: 2 where nobody chose a number.
    :param work_dir: scratch folder of a new localhost.
    :param bin_dir: folder of the programs; default on this machine: beside this Python.
    :param programs: names of the programs to look after, default all.
    :param with_qe: look after Quantum ESPRESSO too: a code of pw.x, and pseudopotentials.
    :param with_cp2k: look after CP2K too: a code of it.
    :param with_pair_style: look after LAMMPS itself too: build its ``pair_style allegro``, and a code of it.
    :param with_pyace: look after python-ace too: an environment of its own, and a code of its seireact-classify.
    :param accept_pyace: called with the licence of python-ace before it is installed; whether it is accepted.
    :param caching: switch AiiDA's cache on for our calculations.
    :param dry_run: change nothing, only tell.
    :param say: called with each step as it is done.
    :returns: the steps; those with outcome ``missing`` tell of programs that are not installed.
    :raises SetupError: no such computer, a computer that is not configured, no Python in ``bin_dir``.
    """
    use_this_environment()
    steps: list[Step] = []

    def tell(thing: str, outcome: str, detail: str = "") -> None:
        steps.append(Step(thing, outcome, detail))
        say(steps[-1])

    with warnings.catch_warnings():
        # "Creating AiiDA configuration folder": told by the step itself.
        warnings.simplefilter("ignore", UserWarning)
        from aiida.manage import get_config

        config = get_config(create=True)

    is_new = profile_name not in config.profile_names
    if is_new and dry_run:
        tell(f"profile {profile_name}", "would make", f"in {config.dirpath}")
        for thing in (
            f"computer {computer_label}",
            *(f"code {card.script}-{__version__}" for card in PROGRAMS),
            *(("code of pw.x", f"pseudopotentials {FAMILY}") if with_qe else ()),
            *(("code of CP2K",) if with_cp2k else ()),
            *(("pair_style allegro", "code of LAMMPS") if with_pair_style else ()),
            *(("environment of pyace", "code of pyace") if with_pyace else ()),
        ):
            tell(thing, "would make")
        return steps

    profile = _make_profile(config, profile_name) if is_new else _load_profile(profile_name)
    tell(f"profile {profile_name}", "made" if is_new else "reused", f"in {config.dirpath}")
    wanted = [
        ("daemon.default_workers", workers or 2, ""),
        ("daemon.timeout", 30, "the default of 2 s tells false alarms"),
    ]
    for option, value, why in [*wanted, *(OWN_OPTIONS if is_new else ())]:
        insist = option == "daemon.default_workers" and workers is not None
        _set_option(config, profile, option, value, why, insist=insist, dry_run=dry_run, tell=tell)
    if caching:
        patterns = (*CACHED, *[quantum_espresso.PW.cached] * with_qe, *[cp2k.CP2K.cached] * with_cp2k)
        _enable_caching(config, profile, patterns, dry_run=dry_run, tell=tell)

    computer = _find_computer(computer_label)
    if computer is None and computer_label != LOCALHOST:
        raise SetupError(
            f"There is no computer {computer_label!r} in profile {profile_name!r}: make it with "
            "`verdi computer setup` and `verdi computer configure`, then call setup again."
        )
    if computer is None:
        folder = work_dir or Path(config.dirpath) / "scratch" / profile_name
        if not dry_run:
            computer = _make_localhost(folder)
        tell(f"computer {computer_label}", "would make" if dry_run else "made", f"scratch in {folder}")
    elif not computer.is_configured:
        raise SetupError(
            f"Computer {computer_label!r} is there but not configured for you: "
            f"`verdi -p {profile_name} computer configure {computer.transport_type} {computer_label}`."
        )
    else:
        tell(f"computer {computer_label}", "reused", f"scratch in {computer.get_workdir()}")

    environment = _probe(computer, bin_dir)
    for card in PROGRAMS:
        if programs is None or card.name in programs:
            _look_after_code(card, computer, environment, dry_run=dry_run, tell=tell)
    if with_qe:
        quantum_espresso.look_after(computer, dry_run=dry_run, tell=tell)
    if with_cp2k:
        cp2k.look_after(computer, dry_run=dry_run, tell=tell)
    if with_pair_style:
        pair_style.look_after(computer, environment.bin_dir, dry_run=dry_run, tell=tell)
    if with_pyace:
        pyace.look_after(computer, ask=accept_pyace, dry_run=dry_run, tell=tell)
    return steps


def prepend_text(card: ProgramCard, environment: Environment) -> str:
    """Return what a job does before the program starts.

    It names the versions of the packages that determine results: this text is part of the code's hash, the
    label is not, so an upgraded package makes a new code and never meets results of the old one in the cache.
    """
    named = [f"{name} {environment.versions.get(name, 'absent')}" for name in ("aiida-seireact", *card.packages)]
    lines = [f"# versions: {', '.join(named)}", "export OMP_NUM_THREADS=1"]
    if card.name == "compile":
        # Machine code of another processor would be taken from the cache and refused by LAMMPS for ever.
        lines.insert(1, f"# processor: {environment.versions.get('processor', 'unknown')}")
    if card.large_arrays:
        # Without these, malloc gives large blocks back after each step, and page faults double the run time.
        lines += [
            "export MALLOC_MMAP_THRESHOLD_=4294967296",
            "export MALLOC_TRIM_THRESHOLD_=8589934592",
            "export MALLOC_TOP_PAD_=268435456",
        ]
    return "\n".join(lines)


def _load_profile(name: str) -> Profile:
    from aiida import load_profile

    return load_profile(name, allow_switch=True)


def _make_profile(config: Config, name: str) -> Profile:
    """Do as `verdi presto` does, with SQLite and the ZeroMQ broker: no service has to run."""
    from aiida.manage.configuration import create_profile, get_config_option
    from aiida.plugins import BrokerFactory

    profile = create_profile(
        config,
        name=name,
        email=get_config_option("autofill.user.email") or "aiida@localhost",
        storage_backend="core.sqlite_dos",
        storage_config={},
        broker_backend="core.zeromq",
        broker_config=BrokerFactory("core.zeromq").get_default_config(),
    )
    config.set_default_profile(name, overwrite=False)
    config.store()
    return _load_profile(profile.name)


def _set_option(
    config: Config,
    profile: Profile,
    option: str,
    value: Any,
    why: str,
    *,
    insist: bool,
    dry_run: bool,
    tell: Callable[..., None],
) -> None:
    """Set an option of the profile, unless somebody chose another value."""
    chosen = profile.options.get(option)
    reason = f" ({why})" if why else ""
    if chosen == value:
        tell(f"option {option}", "reused", f"{value}")
    elif chosen is not None and not insist:
        tell(f"option {option}", "kept", f"{chosen}, as it was set")
    else:
        if not dry_run:
            config.set_option(option, value, scope=profile.name)
            config.store()
        tell(f"option {option}", "would change" if dry_run else "changed", f"to {value}{reason}")


def _enable_caching(
    config: Config, profile: Profile, wanted: Sequence[str], *, dry_run: bool, tell: Callable[..., None]
) -> None:
    patterns = list(profile.options.get("caching.enabled_for") or [])
    missing = [pattern for pattern in wanted if pattern not in patterns]
    if not missing:
        tell("caching of seireact calculations", "reused", "on")
        return
    if not dry_run:
        config.set_option("caching.enabled_for", [*patterns, *missing], scope=profile.name)
        config.store()
    tell(
        "caching of seireact calculations",
        "would change" if dry_run else "changed",
        "to on: a study submitted again runs only what was not done",
    )


def _find_computer(label: str) -> Computer | None:
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_computer

    try:
        return load_computer(label)
    except NotExistent:
        return None


def _make_localhost(work_dir: Path) -> Computer:
    from aiida.orm import Computer

    work_dir.mkdir(parents=True, exist_ok=True)
    computer = Computer(
        label=LOCALHOST,
        hostname=LOCALHOST,
        description="This machine, made by `aiida-seireact setup`",
        transport_type="core.local",
        scheduler_type="core.direct",
        workdir=str(work_dir.absolute()),
    )
    computer.set_shebang("#!/bin/bash")
    computer.set_mpirun_command([])
    computer.set_default_mpiprocs_per_machine(1)
    # 0 would ask the scheduler without a pause, on the cores the jobs need.
    computer.set_minimum_job_poll_interval(1)
    computer.store()
    # A login shell costs a second a job, and may switch to another environment.
    computer.configure(safe_interval=0, use_login_shell=False)
    return computer


def _probe(computer: Computer | None, bin_dir: str | None) -> Environment:
    is_local = computer is None or computer.transport_type == "core.local"
    if bin_dir is None and not is_local:
        raise SetupError(
            f"Computer {computer.label if computer else ''!r} is another machine: say with --bin-dir in which "
            "folder there the seireact-* programs are (the `bin` of their environment)."
        )
    try:
        with shell_on(computer) as shell:
            return probe(shell, bin_dir or str(Path(sys.executable).parent))
    except FileNotFoundError as error:
        raise SetupError(str(error)) from error


def _look_after_code(
    card: ProgramCard,
    computer: Computer | None,
    environment: Environment,
    *,
    dry_run: bool,
    tell: Callable[..., None],
) -> None:
    """Make the code of a program, or reuse one with the same content; put codes of other versions away."""
    label = f"{card.script}-{environment.versions.get('aiida-seireact', __version__)}"
    reason = environment.missing(card.name)
    if reason:
        tell(f"code {label}", "missing", reason)
        return
    content = {
        "filepath_executable": f"{environment.bin_dir}/{card.script}",
        "prepend_text": prepend_text(card, environment),
        "default_calc_job_plugin": card.plugin,
    }
    codes = [] if computer is None else _codes_of(card, computer)
    same = [code for code in codes if all(str(getattr(code, key)) == value for key, value in content.items())]
    if same:
        # A version that comes back after another one was tried gets its old code, and so its old cache.
        chosen: InstalledCode | None = same[0]
        tell(f"code {same[0].label}", "reused", str(same[0].filepath_executable))
        if same[0].is_hidden and not dry_run:
            same[0].is_hidden = False
    else:
        if label in {code.label for code in codes}:
            label += f"-{hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()[:4]}"
        chosen = None if dry_run or computer is None else _make_code(label, computer, content)
        tell(f"code {label}", "would make" if dry_run else "made", content["filepath_executable"])
    for code in codes:
        if code.uuid != (chosen.uuid if chosen else None) and not code.is_hidden:
            if not dry_run:
                code.is_hidden = True
            tell(
                f"code {code.label}",
                "would hide" if dry_run else "hidden",
                "its programs or versions are others now",
            )


def _codes_of(card: ProgramCard, computer: Computer) -> list[InstalledCode]:
    from aiida.orm import Computer, InstalledCode, QueryBuilder

    query = QueryBuilder().append(Computer, filters={"id": computer.pk}, tag="computer")
    query.append(InstalledCode, filters={"label": {"like": f"{card.script}-%"}}, with_computer="computer", tag="code")
    codes: list[InstalledCode] = query.order_by({"code": "id"}).all(flat=True)
    return codes


def _make_code(label: str, computer: Computer, content: dict[str, str]) -> InstalledCode:
    from aiida.orm import InstalledCode

    return InstalledCode(
        label=label,
        computer=computer,
        description=f"{Path(content['filepath_executable']).name}, made by `aiida-seireact setup`",
        with_mpi=False,
        **content,
    ).store()


def command_of(code: InstalledCode) -> str:
    """Return the command line of a code with its preparation, for a shell."""
    return f"{code.prepend_text}\n{shlex.quote(str(code.filepath_executable))}"

"""What descriptors of the source pyace need: an environment with python-ace, and a code of seireact-classify there.

Its licence is academic and non-commercial, and it wants another numpy than DADApy: so it is nobody's dependency, and is
installed apart, after its licence was shown and accepted.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_seireact.cli.machine import probe, run_here
from aiida_seireact.cli.plugin_codes import PluginProgram, Tell, look_after_code
from aiida_seireact.cli.programs import PROGRAMS
from aiida_seireact.formats.jobs.classify import PYACE_CODE

if TYPE_CHECKING:
    from aiida.orm import Computer

PACKAGE = "python-ace"
# Exactly the version that was tested: a release candidate, which pip takes only where it is named.
REQUIREMENT = f"{PACKAGE}==0.4.0rc1"
NOTICE = (
    "python-ace is free for academic, non-commercial use only, by the Academic Software Licence below; it is not under "
    "the licence of aiida-seireact. It will be installed apart, with a numpy of its own (about 1.2 GB in all)."
)
CLASSIFY = next(card for card in PROGRAMS if card.name == "classify")
PROGRAM = PluginProgram(
    name="seireact-classify with pyace",
    prefix=PYACE_CODE,
    plugin=CLASSIFY.plugin,
    install="aiida-seireact setup --with-pyace",
    option="--with-pyace",
)
Ask = Callable[[str], bool]


class PyaceError(RuntimeError):
    """The environment can't be made; the message says why."""


def look_after(computer: Computer | None, *, ask: Ask, dry_run: bool, tell: Tell, folder: Path | None = None) -> None:
    """Make, or reuse, the environment and the code of its seireact-classify.

    :param ask: called with the licence, before anything is installed; answers whether it is accepted.
    :param folder: of the environment; default: in the ``share`` of this one.
    """
    thing = "environment of pyace"
    if computer is not None and computer.transport_type != "core.local":
        tell(
            thing,
            "missing",
            f"it is made on this machine only. On {computer.label}: `python3.11 -m venv pyace && pyace/bin/pip install "
            f"{REQUIREMENT} 'aiida-seireact[{CLASSIFY.extra}]'` (mind its licence, academic and non-commercial), then "
            f"`verdi code create core.code.installed -P {CLASSIFY.plugin}` with a label that begins with {PYACE_CODE}.",
        )
        return
    place = folder or Path(sys.prefix) / "share" / "aiida-seireact" / "pyace"
    outcome = "reused"
    if not is_whole(place):
        outcome = "would make" if dry_run else "made"
        if not dry_run:
            try:
                if not ask(f"{NOTICE}\n\n{licence_text()}"):
                    tell(thing, "missing", f"the licence of {PACKAGE} was not accepted, so nothing was installed.")
                    return
                make(place)
            except PyaceError as error:
                tell(thing, "missing", str(error))
                return
    tell(thing, outcome, str(place))
    if outcome == "would make":
        tell(f"code {PYACE_CODE}", "would make", str(place / "bin" / CLASSIFY.script))
        return
    versions = probe(run_here, str(place / "bin")).versions | {PACKAGE: version_in(place) or "absent"}
    named = ", ".join(f"{name} {versions.get(name, 'absent')}" for name in ("aiida-seireact", *CLASSIFY.packages))
    look_after_code(
        PROGRAM,
        (str(place / "bin" / CLASSIFY.script), versions[PACKAGE]),
        computer,
        dry_run=dry_run,
        tell=tell,
        preparation=f"# with: {named}\nexport OMP_NUM_THREADS=1",
    )


def is_whole(place: Path) -> bool:
    """Tell whether the environment has the wanted python-ace and this version's seireact-classify."""
    if version_in(place) != REQUIREMENT.partition("==")[2]:
        return False
    found = probe(run_here, str(place / "bin"))
    here = importlib.metadata.version("aiida-seireact")
    return CLASSIFY.script in found.scripts and found.versions.get("aiida-seireact") == here


def version_in(place: Path) -> str | None:
    """Return the version of python-ace in an environment, None where it has none, or is none."""
    code = f"import importlib.metadata, pyace.basis; print(importlib.metadata.version({PACKAGE!r}))"
    try:
        done = subprocess.run([place / "bin" / "python", "-c", code], capture_output=True, text=True, env=_clean())
    except OSError:
        return None
    return done.stdout.split()[-1] if done.returncode == 0 and done.stdout.split() else None


def licence_text() -> str:
    """Return the licence as it lies in the wheel that would be installed.

    :raises PyaceError: no index has it for this Python, or it holds no licence any more.
    """
    with tempfile.TemporaryDirectory(prefix="seireact-pyace-") as scratch:
        _pip(sys.executable, "download", "--no-deps", "--only-binary", ":all:", "-d", scratch, REQUIREMENT)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"[^/]+\.dist-info/(licenses/)?LICEN[CS]E(\.\w+)?", name):
                    return archive.read(name).decode(errors="replace")
    raise PyaceError(f"The wheel of {REQUIREMENT} holds no licence, so there is nothing to accept: not installed.")


def make(place: Path) -> None:
    """Make the environment, anew where there is a broken one.

    :raises PyaceError: a command failed; the message ends with its last words.
    """
    _run(sys.executable, "-m", "venv", "--clear", str(place))
    _pip(str(place / "bin" / "python"), "install", REQUIREMENT, *this_package())


def this_package(extra: str = CLASSIFY.extra) -> list[str]:
    """Return pip's arguments that install this very aiida-seireact with an extra."""
    name = f"aiida-seireact[{extra}]"
    distribution = importlib.metadata.distribution("aiida-seireact")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return ["-e", f"{origin['url'].removeprefix('file://')}[{extra}]"]
    if "vcs_info" in origin:
        return [f"{name} @ {origin['vcs_info']['vcs']}+{origin['url']}@{origin['vcs_info']['commit_id']}"]
    if origin:
        return [f"{name} @ {origin['url']}"]
    return [f"{name}=={distribution.version}"]


def _pip(python: str, *arguments: str) -> None:
    _run(python, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=_clean(), check=False)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "it wrote nothing").splitlines()
        raise PyaceError(f"`{' '.join(command)}` failed: {words[-1]}")


def _clean() -> dict[str, str]:
    """Return this process's environment, less what would bring in foreign packages."""
    foreign = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"}
    return {key: value for key, value in os.environ.items() if key not in foreign}

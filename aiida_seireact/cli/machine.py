"""Commands run on a computer of AiiDA, here or behind ssh, and what is found there."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_seireact.cli.programs import PROGRAMS

if TYPE_CHECKING:
    from aiida.orm import Computer


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    status: int
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        """The last line it wrote, errors first."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else "it wrote nothing"


Shell = Callable[[str], Answer]


def run_here(command: str) -> Answer:
    """Run a bash command on this machine."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, errors="replace", check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


@contextmanager
def shell_on(computer: Computer | None) -> Iterator[Shell]:
    """Give a function that runs bash commands on a computer, None for this machine.

    :raises NotExistent: the computer is not configured for this user.
    """
    if computer is None or computer.transport_type == "core.local":
        yield run_here
        return
    with computer.get_transport() as transport:
        yield lambda command: Answer(*transport.exec_command_wait(f"bash -c {shlex.quote(command)}"))


@dataclass(frozen=True)
class Environment:
    """The Python environment whose scripts the codes point to."""

    bin_dir: str
    versions: dict[str, str]
    """Version of each distribution that is there."""
    scripts: frozenset[str]

    def missing(self, name: str) -> str | None:
        """Return why program ``name`` can't run, with the command that mends it, or None."""
        card = next(card for card in PROGRAMS if card.name == name)
        if card.script not in self.scripts:
            return f"{card.script} is not in {self.bin_dir}: install it there with `{card.install}`."
        absent = [package for package in card.needs if package not in self.versions]
        if absent:
            names = ", ".join(absent)
            return f"{card.script} needs {names}, not installed in {self.bin_dir}: `{card.install}` there."
        return None


_PROBE = """
import importlib.metadata, json, os, platform, sys
versions = {}
for name in %(packages)r:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
try:
    with open("/proc/cpuinfo") as stream:
        flags = set(next(line for line in stream if line.startswith(("flags", "Features"))).split())
except (OSError, StopIteration):
    flags = set()
wide = [name for name in ("avx2", "avx512f", "asimd", "sve") if name in flags]
versions["processor"] = " ".join([platform.machine(), *wide])
scripts = [name for name in %(scripts)r if os.access(os.path.join(%(bin_dir)r, name), os.X_OK)]
print(json.dumps([versions, scripts]))
"""


def probe(shell: Shell, bin_dir: str) -> Environment:
    """Return versions and scripts of the environment with its scripts in ``bin_dir``.

    :raises FileNotFoundError: there is no working Python in ``bin_dir``.
    """
    packages = sorted({"aiida-seireact", *(name for card in PROGRAMS for name in (*card.needs, *card.packages))})
    script = _PROBE % {
        "packages": packages,
        "scripts": [card.script for card in PROGRAMS],
        "bin_dir": bin_dir,
    }
    answer = shell(f"{shlex.quote(bin_dir)}/python -c {shlex.quote(script)}")
    if answer.status:
        raise FileNotFoundError(
            f"No working Python in {bin_dir} ({answer.last_words}): give with --bin-dir the `bin` folder of "
            "the environment that holds the seireact-* programs."
        )
    # Profiles of login shells may print greetings: the answer is the last line.
    versions, scripts = json.loads(answer.output.strip().splitlines()[-1])
    return Environment(bin_dir, versions, frozenset(scripts))


@contextmanager
def scratch_folder(shell: Shell) -> Iterator[str]:
    """Give a temporary folder on the computer of ``shell``.

    :raises OSError: it can't be made.
    """
    answer = shell("mktemp -d")
    if answer.status:
        raise OSError(f"No temporary folder can be made there: {answer.last_words}.")
    folder = answer.output.strip().splitlines()[-1]
    try:
        yield folder
    finally:
        shell(f"rm -rf {shlex.quote(folder)}")


def with_files(folder: str, files: Mapping[str, bytes], command: str, *, seconds: int) -> str:
    """Return a bash command that writes ``files`` into a new ``folder`` and runs ``command`` there."""
    lines = ["set -e", f"mkdir -p {shlex.quote(folder)}", f"cd {shlex.quote(folder)}"]
    for name, content in files.items():
        lines.append(f"echo {base64.b64encode(content).decode()} | base64 -d > {shlex.quote(name)}")
    lines.append(f"timeout {seconds} bash -c {shlex.quote(command)}")
    return "\n".join(lines)

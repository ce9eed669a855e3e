"""The folder of the demo: what is where, whether the machine can do it, and the AiiDA of its own in it."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from aiida_seireact.cli._profile import use_this_environment

PROFILE = "seireact-demo"
NEEDED_DISK_GB = 2.0
NEEDED_MEMORY_GB = 6.0


@dataclass(frozen=True)
class Folder:
    """Where the demo keeps its things."""

    path: Path

    @property
    def aiida(self) -> Path:
        """`AIIDA_PATH` of the demo."""
        return self.path / "aiida"

    @property
    def work(self) -> Path:
        """Scratch folder of the computer."""
        return self.path / "work"

    @property
    def env(self) -> Path:
        """Script that points `verdi` at the demo."""
        return self.path / "env.sh"

    @property
    def set_up(self) -> Path:
        """File that is there once the AiiDA of the demo is whole."""
        return self.aiida / "set-up"

    @property
    def lock(self) -> Path:
        """File that a call of the demo locks while it changes things; the lock ends with the process."""
        return self.path / ".lock"

    @property
    def shown(self) -> str:
        """The folder as a person would type it here."""
        try:
            return str(self.path.relative_to(Path.cwd()))
        except ValueError:
            return str(self.path)


def refuse_impossible(place: Folder) -> None:
    """Stop before anything is made where the machine can't do it.

    :raises click.ClickException: a path AiiDA can't take, or too little disk.
    """
    # AIIDA_PATH is a list; and the daemon of aiida-core 2.9.4 splits the path of its broker's folder at spaces.
    if os.pathsep in str(place.path) or any(letter.isspace() for letter in str(place.path)):
        raise click.ClickException(
            f"AiiDA can't work in {str(place.path)!r}, because of the space or {os.pathsep!r} in it: choose another "
            "folder with --folder, or move the project."
        )
    there = next(parent for parent in (place.path, *place.path.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        raise click.ClickException(f"{there} can't be written to: choose another folder with --folder.")
    free = shutil.disk_usage(there).free / 1024**3
    if free < NEEDED_DISK_GB:
        raise click.ClickException(
            f"Only {free:.1f} GB are free on the disk of {place.path}, and the demo needs {NEEDED_DISK_GB:g} GB: "
            "make room, or choose a folder on another disk with --folder."
        )
    import psutil

    memory = psutil.virtual_memory().available / 1024**3
    if memory < NEEDED_MEMORY_GB:
        click.secho(
            f"Only {memory:.1f} GB of memory are free, the demo likes {NEEDED_MEMORY_GB:g} GB: close what you can; "
            "if a program is killed, it starts again by itself.",
            fg="yellow",
        )


@contextmanager
def at_work(place: Folder, *, wait: bool) -> Iterator[bool]:
    """Keep other calls of the demo out of the folder; give whether this one is alone, which it is after waiting.

    :param wait: wait for the others.
    """
    place.path.mkdir(parents=True, exist_ok=True)
    with place.lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            click.echo(f"Another call of the demo is at work in {place.shown}; waiting for it.")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield True


def remove_debris(place: Folder) -> None:
    """Remove what a kill left half-made: an AiiDA whose set-up was cut short, and files that were being written.

    An AiiDA in which a process was ever submitted is kept, whatever is missing of it.
    """
    for name in ("env", "report", "summary"):
        for torn in place.path.glob(f".{name}-*"):
            torn.unlink(missing_ok=True)
    if place.set_up.exists() or not (place.aiida / ".aiida" / "config.json").exists():
        return
    if any(_holds_processes(database) for database in place.aiida.rglob("database.sqlite")):
        return
    shutil.rmtree(place.aiida)
    click.echo(f"The set-up of AiiDA in {place.shown}/aiida was cut short last time; it is made anew.")


def _holds_processes(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(database)) as connection:
            query = "SELECT 1 FROM db_dbnode WHERE node_type LIKE 'process.%' LIMIT 1"
            return connection.execute(query).fetchone() is not None
    except sqlite3.DatabaseError as error:
        # What can't be read may hold somebody's work; what has no tables can't.
        return "no such table" not in str(error)


def point_aiida_at(place: Folder) -> None:
    """Make the demo's folder the only AiiDA this process and its daemon know; the user's is never opened.

    :raises RuntimeError: AiiDA is imported already, with the user's configuration.
    """
    if "aiida.manage.configuration.settings" in sys.modules:
        raise RuntimeError("AiiDA was imported before the demo could point it at its own folder.")
    # AiiDA warns about each folder that it makes itself.
    (place.aiida / ".aiida").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["AIIDA_PATH"] = str(place.aiida)
    # One job a core: threads of their own would only get in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    use_this_environment()
    write_env(place)


def write_env(place: Folder) -> None:
    """Write the script that points a shell at the demo."""
    from aiida_seireact.formats.atomic import write_atomically

    scripts = Path(sys.executable).parent
    lines = [
        "# Points verdi and aiida-seireact of this shell at the demo:  source " + shlex.quote(str(place.env)),
        f"export AIIDA_PATH={shlex.quote(str(place.aiida))}",
        f'export PATH={shlex.quote(str(scripts))}:"$PATH"',
    ]
    with write_atomically(place.env) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def set_up(place: Folder, workers: int) -> None:
    """Make or reuse profile, computer and codes, by the same function as `aiida-seireact setup`.

    :raises click.ClickException: a program is not installed.
    """
    from aiida_seireact.cli.installation import SetupError, install

    try:
        steps = install(PROFILE, workers=workers, work_dir=place.work)
    except SetupError as error:
        raise click.ClickException(str(error)) from None
    missing = [step for step in steps if step.outcome == "missing"]
    if missing:
        for step in missing:
            click.secho(f"  {step.thing}: {step.detail}", fg="red")
        raise click.ClickException(
            "These programs are missing; `make install` brings them all, then call the demo again."
        )
    place.set_up.touch()
    made = [step.thing for step in steps if step.is_change and not step.thing.startswith("option")]
    click.echo(f"AiiDA in {place.shown}/aiida: {'made ' + ', '.join(made) if made else 'as it was'}.")

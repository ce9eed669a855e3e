"""Folders that are whole or absent: made under a hidden name beside their place, synced, renamed."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = "partial"


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Give an empty hidden folder beside ``target`` to make it in; nothing is left of it afterwards.

    What a killed writer left beside is removed by the next one on the same machine.

    :raises OSError: the folder is not writable.
    """
    _remove_dead(target)
    folder = _hidden(target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(made: Path, target: Path, *, replace: bool = False) -> None:
    """Sync a folder or file to disk and rename it onto ``target``, which is whole or absent at any time.

    :param replace: let it take the place of a folder or file that is there; that leaves its place for a moment first,
        since a folder is not renamed onto a full one, and comes back if the new one can't take it.
    :raises FileExistsError: ``target`` is there.
    :raises OSError: the disk is full.
    """
    if made.is_dir():
        made.chmod(0o755)
    for path in made.rglob("*") if made.is_dir() else (made,):
        if path.is_file():
            path.chmod(0o644)
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    if not os.path.lexists(target):
        made.rename(target)
        return
    if not replace:
        raise FileExistsError(f"{target} is there already.")
    old = _hidden(target)
    target.rename(old / target.name)
    try:
        made.rename(target)
    except OSError:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _hidden(target: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=_prefix(target), suffix=f"{_host()}.{os.getpid()}", dir=target.parent))


def _host() -> str:
    """Return this machine, as in the names of its folders: on a file system that several share, a PID is of one."""
    return f".{socket.gethostname().replace(os.sep, '_')}"


def _prefix(target: Path) -> str:
    return f".{target.name}.{PARTIAL}-"


def _remove_dead(target: Path) -> None:
    """Remove what writers of this machine left of this target that are no more."""
    for left in target.parent.glob(f"{glob.escape(_prefix(target))}*"):
        of, _, pid = left.name.rpartition(".")
        if not of.endswith(_host()):
            continue
        with suppress(ValueError, PermissionError):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)

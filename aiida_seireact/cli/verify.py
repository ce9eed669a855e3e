"""``aiida-seireact verify``: is a bundle what it says? No profile is needed, and none is touched."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aiida_seireact import __version__
from aiida_seireact.cli.verifying import NO_ROOM

OK, WRONG = "ok   ", "WRONG"


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
def verify(bundle: Path) -> None:
    """Check a BUNDLE that `aiida-seireact publish` wrote: a folder, or the zip of one.

    It looks at checksums, metadata, datasets and models; imports the archive into a profile of its own, in a temporary
    folder that is removed afterwards; and from there makes figures and report anew and compares them with those of the
    bundle. Your own profiles are not touched, no program is run, no model is loaded. It ends with 1 if anything is not
    what it says.

    \b
    Examples:
      aiida-seireact verify bundle
      aiida-seireact verify downloads/study.zip
    """
    from aiida_seireact.cli.interrupts import interruptible
    from aiida_seireact.formats.checksums import compare_checksums, files_in
    from aiida_seireact.publishing.bundle import BundleError, read_index

    n_wrong = 0
    try:
        with interruptible(), tempfile.TemporaryDirectory(prefix="seireact-verify-") as temporary:
            work = Path(temporary)
            folder = _unpacked(bundle, work)
            index = read_index(folder)
            click.echo(f"{index['title']}, made {index['created']} by aiida-seireact {index['aiida_seireact']}")
            if index["aiida_seireact"] != __version__:
                click.echo(
                    f"note: here is aiida-seireact {__version__}, which may draw and count otherwise: install that of "
                    "the bundle if figures or report differ."
                )
            wrong = compare_checksums(folder).sentences()
            n_wrong += _tell({"name": "checksums", "wrong": wrong, "said": f"{len(files_in(folder))} files"})
            if wrong:
                raise click.ClickException(
                    f"{bundle} is not what was published; nothing else was looked at. Get it again from where it is "
                    "deposited."
                )
            for check in _checks(folder, work):
                n_wrong += _tell(check)
    except (BundleError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("Interrupted: not all was looked at.") from None
    except OSError as error:
        raise click.ClickException(_no_place(error) or f"{bundle} can't be looked at ({error}).") from None
    if n_wrong:
        raise click.ClickException(f"{n_wrong} of the checks failed: {bundle} is not what it says.")
    click.echo(f"{bundle} is what it says.")


def _tell(check: dict[str, Any]) -> int:
    """Print a check; return 1 if it failed."""
    wrong = check["wrong"]
    click.echo(f"{WRONG if wrong else OK} {check['name']:<13} {'' if wrong else check['said']}".rstrip())
    for sentence in wrong:
        click.echo(f"      {sentence}")
    return int(bool(wrong))


def _no_place(error: OSError) -> str:
    """Return a sentence if there is no room for temporary files; none of another error."""
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:  # it tries some, by writing into each
        return "There is no room for temporary files in any of the usual places: name one that has by TMPDIR."
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return ""
    return (
        f"There is no room left in {place}, where the bundle is unpacked and imported: make room, or name another "
        "place by TMPDIR. Nothing is said about the bundle by that."
    )


@contextmanager
def _child(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def _checks(folder: Path, work: Path) -> Iterator[dict[str, Any]]:
    """Yield the checks of a process of its own, which knows no profile but the one it makes.

    :raises ValueError: it ended before it was through.
    """
    home = work / "aiida"
    home.mkdir()
    environment = {**os.environ, "AIIDA_PATH": str(home), "TMPDIR": str(work), "MPLBACKEND": "agg"}
    # No settings of this user's matplotlib, and no caches left in his home.
    environment |= dict.fromkeys(("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(work / "caches"))
    environment["PYTHONWARNINGS"] = "ignore:Creating AiiDA configuration folder"
    command = [sys.executable, "-m", "aiida_seireact.cli.verifying", str(folder.absolute()), str(work)]
    with _child(command, environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        if (status := child.wait()) == NO_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work))
        if status:
            raise ValueError(
                f"The look into the archive ended with {status} before it was through; its words are above."
            )


def _unpacked(bundle: Path, work: Path) -> Path:
    """Return the folder of a bundle; of a zip, what it holds.

    :raises ValueError: a file that is no zip, or holds no folder of a bundle.
    :raises OSError: the disk is full.
    """
    if bundle.is_dir():
        return bundle
    try:
        with zipfile.ZipFile(bundle) as archive:
            tops = {name.split("/")[0] for name in archive.namelist()}
            if len(tops) != 1:
                raise ValueError(f"{bundle} is not the zip of one folder, so no bundle that `publish --zip` wrote.")
            (work / "unpacked").mkdir()
            archive.extractall(work / "unpacked")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ValueError(f"{bundle} can't be unpacked ({error}): get it again from where it is deposited.") from None
    return work / "unpacked" / tops.pop()

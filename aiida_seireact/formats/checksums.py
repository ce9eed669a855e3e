"""``SHA256SUMS`` of a folder, as ``sha256sum --check`` reads it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from aiida_seireact.formats.atomic import write_atomically

FILE = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Differences:
    """What is not as its list of checksums says; paths relative to the folder, sorted."""

    altered: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return a sentence for each file."""
        return [
            *(f"{name} is not the file that was published: its checksum differs" for name in self.altered),
            *(f"{name} is missing" for name in self.missing),
            *(f"{name} was not published: no checksum is listed for it" for name in self.extra),
        ]


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_in(folder: Path) -> list[str]:
    """Return the files under a folder by path relative to it, sorted, without the list of checksums; links too."""
    found = []
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(name for name in found if name != FILE)


def write_checksums(folder: Path) -> int:
    """Write the list of all files of a folder into it; return their number."""
    names = files_in(folder)
    with write_atomically(folder / FILE) as path:
        path.write_text("".join(f"{sha256_of(folder / name)}  {name}\n" for name in names), encoding="utf-8")
    return len(names)


def compare_checksums(folder: Path) -> Differences:
    """Return what is not as the list in a folder says.

    :raises ValueError: there is no such list, or it is not one; the message says so.
    """
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / FILE} is not readable ({error}): nothing tells what was published.") from None
    listed = {}
    for number, line in enumerate(lines, 1):
        if (found := _LINE.fullmatch(line)) is None:
            raise ValueError(f"Line {number} of {folder / FILE} is no checksum: {line[:80]!r}.")
        listed[found[2]] = found[1]
    here = files_in(folder)
    # A link may point anywhere, so it is none of the files that were published.
    real = {name for name in here if not (folder / name).is_symlink()}
    return Differences(
        altered=tuple(name for name in sorted(real & set(listed)) if sha256_of(folder / name) != listed[name]),
        missing=tuple(sorted(set(listed) - real)),
        extra=tuple(name for name in here if name not in listed or name not in real),
    )

"""Whether a file is a POTCAR, or holds one: VASP's licence lets nobody pass them on.

A POTCAR is known by its name, and by its bytes under any other: alone, inside gzip, bzip2, xz, zstd, tar and zip, and
in the midst of another text. What VASP prints of it (the head of each potential in OUTCAR, its title in vasprun.xml) is
no potential, and is let pass.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import IO, cast

import zstandard

NAME = "POTCAR"
CHUNK = 1 << 20
OVERLAP = 256
DEPTH = 4
"""Layers of packing that are opened."""

# The first line of a potential: its kind, its symbol and, for kinds that other texts begin with too, its date.
_TITLE = re.compile(
    rb"\s*(?:PAW_[A-Z0-9]+\s+[A-Z][a-z]?|(?:PAW|US|NC)\s+[A-Z][a-z]?[\w.]*\s+\d{1,2}[A-Z][a-z]{2}\d{4})"
)
# The head, which OUTCAR repeats.
_HEAD = re.compile(rb"VRHFIN\s*=|TITEL\s*=")
# What comes after the head is in no output.
_BODY = re.compile(rb"END of PSCTR")
_OUTCAR = re.compile(rb"\s*vasp\.\d")
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
               zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError)  # fmt: skip


def is_potcar_name(name: str) -> bool:
    """Whether a file of this name, or path, is a POTCAR: ``POTCAR``, ``POTCAR_Li``, ``potcar.gz``."""
    return PurePosixPath(name).name.upper().startswith(NAME)


def why_text_is_potcar(text: str) -> str:
    """Return why a text is a POTCAR, or holds one; empty if it is none."""
    return _why_bytes(iter((text.encode("utf-8", "replace"),)))


def why_file_is_potcar(stream: IO[bytes], depth: int = DEPTH) -> str:
    """Return why an open file is a POTCAR, or holds one; empty if it is none.

    :param stream: at its beginning; read to its end.
    :param depth: layers of packing to open.
    """
    head = stream.read(512)
    rest = _Joined(head, stream)
    if depth and head:
        # A file that is torn is read as it is.
        with suppress(*_UNREADABLE):
            if (inside := _why_packed(head, rest, depth)) is not None:
                return inside
    return _why_bytes(iter(lambda: rest.read(CHUNK), b""))


def _why_packed(head: bytes, stream: _Joined, depth: int) -> str | None:
    """Return the same of what is packed in a file; None of a file that is not packed."""
    if head.startswith(b"\x1f\x8b"):
        return _unpacked(gzip.GzipFile(fileobj=cast(IO[bytes], stream)), "gzip", depth)
    if head.startswith(b"BZh"):
        return _unpacked(bz2.BZ2File(cast(IO[bytes], stream)), "bzip2", depth)
    if head.startswith(b"\xfd7zXZ\x00"):
        return _unpacked(lzma.LZMAFile(cast(IO[bytes], stream)), "xz", depth)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], stream), read_across_frames=True)
        return _unpacked(cast(IO[bytes], reader), "zstd", depth)
    if head.startswith(b"PK\x03\x04"):
        with tempfile.SpooledTemporaryFile(max_size=64 * CHUNK) as whole:
            while piece := stream.read(CHUNK):
                whole.write(piece)
            whole.seek(0)
            with suppress(zipfile.BadZipFile), zipfile.ZipFile(whole) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
                return _first(((info.filename, _opened(archive, info)) for info in members), depth)
            # Torn: members that are stored as they are can be read still.
            whole.seek(0)
            return _why_bytes(iter(lambda: whole.read(CHUNK), b""))
    if head[257:262] == b"ustar":
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
            return _first(((item.name, archive.extractfile(item)) for item in archive if item.isfile()), depth)
    return None


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes] | None:
    """Open a member; None of one that is encrypted or packed in an unknown way, which must not hide those after it."""
    try:
        return archive.open(info)
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None


def _unpacked(stream: IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, packer: str, depth: int) -> str:
    why = why_file_is_potcar(cast(IO[bytes], stream), depth - 1)
    return f"{why}, inside {packer}" if why else ""


def _first(members: Iterator[tuple[str, IO[bytes] | None]], depth: int) -> str:
    for name, stream in members:
        if is_potcar_name(name):
            return f"it packs a file {name}"
        if stream is not None and (why := why_file_is_potcar(stream, depth - 1)):
            return f"{why}, in its member {name}"
    return ""


def _why_bytes(chunks: Iterator[bytes]) -> str:
    """Return why a text that comes in chunks is a POTCAR."""
    tail, is_first, is_outcar = b"", True, False
    for chunk in chunks:
        # A text in UTF-16 or UTF-32, as numpy keeps strings, has zeros between its letters.
        text = tail + chunk.replace(b"\0", b"")
        if is_first:
            is_first, is_outcar = False, bool(_OUTCAR.match(text))
            if found := _TITLE.match(text):
                return f"it begins as one: {_told(found[0])}"
        # Looking for plain words first is ten times as fast as for patterns, and nearly all files have none.
        if b"PSCTR" in text and (found := _BODY.search(text)):
            return f"it holds what follows the head of one: {_told(found[0])}"
        if (b"VRHFIN" in text or b"TITEL" in text) and not is_outcar and (found := _HEAD.search(text)):
            return f"it holds the head of one: {_told(text[found.start() : found.start() + 40])}"
        tail = text[-OVERLAP:]
    return ""


def _told(line: bytes) -> str:
    return repr(line.strip().splitlines()[0].decode("ascii", "replace"))


class _Joined:
    """A stream with its first bytes, which were looked at, put back."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._stream.read(size)
        if size < 0:
            whole, self._head = self._head + self._stream.read(), b""
            return whole
        piece, self._head = self._head[:size], self._head[size:]
        return piece

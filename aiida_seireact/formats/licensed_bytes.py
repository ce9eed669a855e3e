"""Whether a file is a POTCAR or an entry of the ICSD, or holds one: their licences let nobody pass them on.

A POTCAR is known by its name, and by its bytes under any other: alone, inside gzip, bzip2, xz, lzma, zstd, tar and zip
(behind other bytes too), and in the midst of another text. What VASP prints of it (the head of each potential in
OUTCAR, its title in vasprun.xml) is no potential, and is let pass. An entry of the ICSD is a CIF that gives its number
there; atoms that came from one are let pass. What can't be looked into is told.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, cast

from aiida_seireact.formats.unpacking import UNKNOWN, Unpacked, packer_of

NAME = "POTCAR"
CHUNK = 1 << 20
OVERLAP = 256
DEPTH = 4
"""Layers of packing that are opened."""

# As a word of its own in any part of a path; a folder POTCARS or a file NOTPOTCAR is looked at by its bytes alone.
_WORD = re.compile(r"(?<![A-Z])POTCAR(?![A-Z])")
# The first line of a potential: its kind, its symbol and, for kinds that other texts begin with too, its date.
_TITLE = re.compile(
    rb"\s*(?:PAW_[A-Z0-9]+\s+[A-Z][a-z]?|(?:PAW|US|NC)\s+[A-Z][a-z]?[\w.]*\s+\d{1,2}[A-Z][a-z]{2}\d{4})"
)
# The head, which OUTCAR repeats.
_HEAD = re.compile(rb"VRHFIN\s*=|TITEL\s*=")
# What comes after the head is in no output.
_BODY = re.compile(rb"END of PSCTR")
_ICSD = re.compile(rb"_database_code_ICSD\s+['\"]?\d+")
_OUTCAR = re.compile(rb"\s*vasp\.\d")
_ZIP = b"PK\x03\x04"
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile,
               tarfile.TarError)  # fmt: skip


def is_potcar_name(name: str) -> bool:
    """Whether a file of this name, or path, is a POTCAR.

    ``POTCAR``, ``potcar.gz``, ``POTCARLi``, ``Li_POTCAR``, ``my.potcar``, ``POTCAR/Li``: its name begins so, or a part
    of its path has the word.
    """
    path = PurePosixPath(name.upper())
    return path.name.startswith(NAME) or any(_WORD.search(part) for part in path.parts)


def why_text_is_licensed(text: str) -> str:
    """Return why a text may not be passed on: it is or holds a POTCAR or an entry of the ICSD; empty if it may."""
    return _why_bytes(iter((text.encode("utf-8", "replace"),)))


def why_file_is_licensed(stream: IO[bytes], depth: int = DEPTH, unread: list[str] | None = None) -> str:
    """Return why an open file may not be passed on: it is or holds a POTCAR or an entry of the ICSD; empty if it may.

    :param stream: at its beginning; read to its end, unless it is a POTCAR.
    :param depth: layers of packing to open.
    :param unread: is given a sentence of each packed part that could not be looked into. One that is merely cut short
        was: all that is in it.
    """
    unread = [] if unread is None else unread
    if not (head := stream.read(512)):
        return ""
    rest = cast(IO[bytes], _Joined(head, stream))
    packer = packer_of(head)
    other = next((name for name, magic in UNKNOWN.items() if head.startswith(magic)), "")
    is_tar = _is_tar(head)
    if depth == 0 and (packer or is_tar or head.startswith(_ZIP)):
        unread.append(f"it is packed more than {DEPTH} times over")
    elif other:
        unread.append(f"it is packed by {other}, which is not read here")
    elif packer:
        return _why_packed(rest, packer, depth, unread)
    elif is_tar:
        return _why_tar(rest, depth, unread)
    return _why_plain(rest, depth, unread, is_zip=head.startswith(_ZIP))


def _why_packed(stream: IO[bytes], packer: str, depth: int, unread: list[str]) -> str:
    inside, so_far = Unpacked(stream, packer), len(unread)
    why = why_file_is_licensed(cast(IO[bytes], inside), depth - 1, unread)
    _add_place(unread, so_far, f"inside {packer}")
    if why:
        return f"{why}, inside {packer}"
    if inside.damage:
        unread.append(f"it is packed by {packer} and damaged ({inside.damage})")
    # What lies behind, or from where it is damaged on.
    return why_file_is_licensed(cast(IO[bytes], _Joined(inside.after, stream)), depth - 1, unread)


def _why_tar(stream: IO[bytes], depth: int, unread: list[str]) -> str:
    """Look into the members of a tar, behind broken heads and ends of parts too."""
    padded = _Padded(stream)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], padded), mode="r|", ignore_zeros=True) as archive:
            while item := archive.next():
                if is_potcar_name(item.name):
                    return f"it packs a file {item.name}"
                if not item.isfile() or (member := archive.extractfile(item)) is None:
                    continue
                so_far = len(unread)
                if why := _why_member(member, item.name, depth, unread):
                    return why
                if padded.is_over and item.offset_data + item.size > padded.n_bytes:
                    del unread[so_far:]  # cut short: what there is was seen
    except _UNREADABLE as error:
        if not padded.is_over:
            unread.append(f"it is a tar that can't be read to its end ({error})")
    while padded.read(CHUNK):
        pass
    return padded.found


def _is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar, of any kind: by the checksum of its first head."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _why_zip(archive: zipfile.ZipFile, depth: int, unread: list[str]) -> str:
    for info in archive.infolist():
        if is_potcar_name(info.filename):
            return f"it packs a file {info.filename}"
        # A wrong checksum would keep the last bytes back.
        info.CRC = None  # type: ignore[assignment]
        try:
            member = archive.open(info)
        except _UNREADABLE as error:
            unread.append(f"it can't be opened ({error}), in its member {info.filename}")
            continue
        if why := _why_member(member, info.filename, depth, unread):
            return why
    return ""


def _why_member(member: IO[bytes], name: str, depth: int, unread: list[str]) -> str:
    """Look into a member; one that can't be read must not hide those after it."""
    so_far, why = len(unread), ""
    try:
        why = why_file_is_licensed(member, depth - 1, unread)
    except _UNREADABLE as error:
        unread.append(f"it can't be read to its end ({error})")
    _add_place(unread, so_far, f"in its member {name}")
    return f"{why}, in its member {name}" if why else ""


def _add_place(unread: list[str], start: int, place: str) -> None:
    unread[start:] = [f"{sentence}, {place}" for sentence in unread[start:]]


def _why_plain(stream: IO[bytes], depth: int, unread: list[str], *, is_zip: bool) -> str:
    """Look at bytes as they are, and into the zip that begins with or among them."""
    with tempfile.SpooledTemporaryFile(max_size=64 * CHUNK) as spool:
        why = "" if is_zip else _why_bytes(_until_zip(stream, spool))
        while piece := stream.read(CHUNK) if is_zip else b"":
            spool.write(piece)
        if why or not spool.tell():
            return why
        whole = cast(IO[bytes], spool)
        if depth:
            try:
                with zipfile.ZipFile(whole) as archive:
                    return _why_zip(archive, depth, unread)
            except _UNREADABLE as error:
                if is_zip:
                    unread.append(f"it is a zip and can't be opened ({error})")
        # Torn: members that are stored as they are can be read still.
        whole.seek(0)
        return _why_bytes(iter(lambda: whole.read(CHUNK), b""))


def _until_zip(stream: IO[bytes], spool: IO[bytes]) -> Iterator[bytes]:
    """Yield what comes before a zip among the bytes of a stream; write the zip, and all behind it, into ``spool``."""
    tail = b""
    while piece := stream.read(CHUNK):
        joined = tail + piece
        if (start := joined.find(_ZIP)) >= 0:
            yield joined[:start]
            spool.write(joined[start:])
            while piece := stream.read(CHUNK):
                spool.write(piece)
            return
        # The magic may be cut by the end of a chunk.
        keep = min(len(_ZIP) - 1, len(joined))
        yield joined[:-keep]
        tail = joined[-keep:]
    yield tail


def _why_bytes(chunks: Iterator[bytes]) -> str:
    """Return why a text that comes in chunks may not be passed on."""
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
        if b"_code_ICSD" in text and (found := _ICSD.search(text)):
            return f"it holds an entry of the ICSD: {_told(found[0])}"
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


class _Padded:
    """The bytes of a tar, zeros for as long as a chunk behind them, and what they hold outside of their members.

    The reader of a member that is cut short would keep back what there is of it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left, self._tail = stream, CHUNK + (1 << 16), b""
        self.n_bytes, self.is_over, self.found = 0, False, ""

    def read(self, size: int) -> bytes:
        if not self.is_over and (piece := self._stream.read(size)):
            self.n_bytes += len(piece)
            if b"PSCTR" in (text := self._tail + piece) and (found := _BODY.search(text)):
                self.found = f"it holds what follows the head of one: {_told(found[0])}"
            self._tail = text[-OVERLAP:]
            return piece
        self.is_over = True
        zeros = bytes(min(size, self._left))
        self._left -= len(zeros)
        return zeros

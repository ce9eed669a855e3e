"""What a packed stream holds, as far as it can be read: one that is torn or damaged gives what comes before."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any

import zstandard

_PIECE = 4096  # packed bytes at a time: what they unpack to is held whole, and may be many thousand times as much
_MAGIC = 6  # bytes, of the longest magic

PACKERS: dict[str, tuple[bytes, Callable[[], Any]]] = {
    "gzip": (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    "bzip2": (b"BZh", bz2.BZ2Decompressor),
    "xz": (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
    "zstd": (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj()),
    # It has no magic, but all that write it begin so: usual properties, and a dictionary of whole 64 kB.
    "lzma": (b"\x5d\x00\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
}
"""Name, how the file begins, and what makes its decoder."""
UNKNOWN: dict[str, bytes] = {
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07",
    "compress": b"\x1f\x9d\x90",
    "lz4": b"\x04\x22\x4d\x18",
    "lzip": b"LZIP",
}
"""How files begin that are packed in a way that is not read here."""
_DAMAGED = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError, EOFError)


def packer_of(head: bytes) -> str:
    """Return the name of what packed a file that begins so; empty if none of ``PACKERS`` did.

    :param head: some hundred bytes.
    """
    for name, (magic, make) in PACKERS.items():
        if head.startswith(magic):
            if name == "lzma":
                try:
                    make().decompress(head)
                except _DAMAGED:
                    return ""
            return name
    return ""


class Unpacked:
    """A stream of what a packed stream holds, over all its parts (gzip files may be joined).

    It never fails: ``damage`` tells after its end why that came early. A file that is cut short is not damaged: all
    that is in it was given. ``after`` holds the first bytes of what comes behind the last part.

    :param stream: at its beginning.
    :param packer: a name of ``PACKERS``.
    """

    def __init__(self, stream: IO[bytes], packer: str) -> None:
        self._stream, (self._magic, self._make) = stream, PACKERS[packer]
        self._decoder = self._make()
        self._unpacked, self._is_over = b"", False
        self.damage, self.after = "", b""

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, or what there is up to the end; all without it."""
        pieces, n_bytes = [self._unpacked], len(self._unpacked)
        while not self._is_over and (size < 0 or n_bytes < size):
            pieces.append(self._more())
            n_bytes += len(pieces[-1])
        whole = b"".join(pieces)
        end = len(whole) if size < 0 else size
        self._unpacked = whole[end:]
        return whole[:end]

    def _more(self) -> bytes:
        packed = self._next_part() if self._decoder.eof else self._stream.read(_PIECE)
        if not packed:
            self._is_over = True
            return b""
        try:
            return bytes(self._decoder.decompress(packed))
        except _DAMAGED as error:
            self._is_over, self.damage = True, str(error)
            return b""

    def _next_part(self) -> bytes:
        """Return the beginning of the next part; nothing if there is none. Parts may have zeros behind them."""
        rest = bytes(self._decoder.unused_data).lstrip(b"\0")
        while len(rest) < _MAGIC and (piece := self._stream.read(_PIECE)):
            rest = (rest + piece).lstrip(b"\0")
        if not rest.startswith(self._magic):
            self.after = rest
            return b""
        self._decoder = self._make()
        return rest

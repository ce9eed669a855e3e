"""Lines of a file as blocks of bytes, plain or compressed: counted and handed on without a Python object for each."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
ROOM = 32
"""Line feeds before the first line of a block, so that a number's places may be looked up before it begins."""
BLOCK = 1 << 18
"""Bytes read at once: a block and the arrays made of it stay in the processor's cache."""
LONGEST = 1 << 20
"""Bytes after which a line without a line feed is taken for cut: a file of something else must not fill the memory."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_NEWLINE = 10


class CutStreamError(ValueError):
    """A compressed file that ends before its content does, or is damaged."""


class ByteLines:
    """Lines of a file, in pieces of bounded size; use as a context manager.

    :param path: plain, gzip or zstd, told by its first bytes.
    :param watch: gets the bytes of the file as they are read, compressed ones as they are.
    :ivar taken: if set, gets the plain bytes of the lines that are taken.
    :raises FileNotFoundError: there is no such file.
    :raises ModuleNotFoundError: the file is zstd and the package zstandard is missing.
    """

    def __init__(self, path: Path, *, watch: Callable[[memoryview], None] | None = None) -> None:
        self.path = path
        self.packed = packing(path)
        self.taken: Callable[[memoryview], object] | None = None
        self._file = _Watched(path, watch)
        keep_freed_memory()
        self._stream: Any = self._file
        if self.packed == "gz":
            self._stream = gzip.GzipFile(fileobj=self._file)
        elif self.packed == "zst":
            self._stream = _Zstd(self._file)
        self._bytes = bytearray(b"\n" * ROOM + bytes(BLOCK))
        self._buffer = np.frombuffer(self._bytes, dtype=np.uint8)
        self._start = self._end = ROOM
        self._base = -ROOM
        self._line_bytes = 64.0
        self._done = False
        self._cut: Exception | None = None

    def __enter__(self) -> ByteLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def offset(self) -> int:
        """Place of the next line in the plain content, bytes."""
        return self._base + self._start

    def line(self) -> bytes:
        """Return the next line with its line feed; without one, or empty, at the end of the file.

        :raises CutStreamError: the end is not that of the content.
        """
        while not (stop := self._bytes.find(b"\n", self._start, self._end) + 1):
            if not self._fill():
                self._refuse_cut()
                stop = self._end
                break
        return bytes(self._take(stop))

    def blocks(self, count: int) -> Iterator[tuple[Bytes, int]]:
        """Yield up to ``count`` lines as blocks of whole lines, each after ``ROOM`` bytes, with its number of lines.

        The arrays are views that hold until the next is asked for. Fewer lines come only at the end of the file;
        a last one without a line feed does not come at all.

        :raises CutStreamError: the end is not that of the content.
        """
        left = count
        while left:
            # No further than the lines wanted reach, if they are as long as those before: small frames share a block.
            stop = min(self._end, self._start + 64 + int(1.1 * left * self._line_bytes))
            is_end = self._buffer[self._start : stop] == _NEWLINE
            n_lines = int(np.count_nonzero(is_end))
            if n_lines == 0:
                if stop < self._end:
                    self._line_bytes *= 2.0
                elif not self._fill():
                    break
                continue
            if n_lines > left:
                size, n_lines = int(np.flatnonzero(is_end)[left - 1]) + 1, left
            else:
                size = self._bytes.rfind(b"\n", self._start, stop) + 1 - self._start
            begin = self._start
            self._take(begin + size)
            self._line_bytes = size / n_lines
            left -= n_lines
            yield self._buffer[begin - ROOM : begin + size], n_lines
        if left:
            self._refuse_cut()

    def pass_over(self, count: int) -> int:
        """Pass over up to ``count`` lines and return how many there were."""
        return sum(n_lines for _, n_lines in self.blocks(count))

    def _take(self, stop: int) -> memoryview:
        text = memoryview(self._bytes)[self._start : stop]
        if self.taken is not None:
            self.taken(text)
        self._start = stop
        return text

    def _fill(self) -> bool:
        """Read on, keeping what is not used yet; False at the end."""
        kept = self._end - self._start
        if self._done or kept > LONGEST:
            return False
        if kept > (len(self._buffer) - ROOM) // 2:  # a line longer than a block
            self._bytes = self._bytes + bytes(len(self._bytes))
            self._buffer = np.frombuffer(self._bytes, dtype=np.uint8)
        self._buffer[ROOM : ROOM + kept] = self._buffer[self._start : self._end]
        # Before a line is a line feed, so that the line's first number is seen to start there.
        self._buffer[ROOM - 1] = _NEWLINE
        self._base += self._start - ROOM
        self._start, self._end = ROOM, ROOM + kept
        try:
            got = self._into(memoryview(self._bytes)[self._end :])
        except (EOFError, zlib.error, gzip.BadGzipFile, CutStreamError) as error:
            self._cut, got = error, 0
        self._end += got
        self._done = got == 0
        return got > 0

    def _into(self, room: memoryview) -> int:
        if not self.packed:
            return self._file.readinto(room)
        # read1 gives what a cut stream still holds before it complains.
        piece = self._stream.read1(len(room))
        room[: len(piece)] = piece
        return len(piece)

    def _refuse_cut(self) -> None:
        if self._cut is not None:
            raise CutStreamError(str(self._cut)) from self._cut


def packing(path: Path) -> str:
    """Return ``gz``, ``zst`` or, for a plain file, an empty string, by the first bytes of the file."""
    with path.open("rb") as probe:
        first = probe.read(4)
    return "gz" if first[:2] == GZIP else "zst" if first == ZSTD else ""


def keep_freed_memory() -> None:
    """Have the C library keep memory that is freed, up to 32 MB, instead of giving it to the kernel each time.

    The arrays of a block are made anew for every block; pages that the kernel clears again each time cost as much as
    the reading. glibc raises its threshold to the largest piece it has seen freed (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(1 << 24, dtype=np.uint8)


def zstandard() -> Any:
    """Return the package zstandard.

    :raises ModuleNotFoundError: it is not installed.
    """
    try:
        import zstandard as package
    except ModuleNotFoundError:
        raise ModuleNotFoundError("Files .zst need the package zstandard: pip install zstandard.") from None
    return package


class _Watched(io.RawIOBase):
    """A file whose bytes are seen by somebody as they pass, so that a dump of a hundred gigabytes is read once."""

    def __init__(self, path: Path, watch: Callable[[memoryview], None] | None) -> None:
        self._raw = path.open("rb", buffering=0)
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = int(self._raw.readinto(buffer) or 0)
        if self._watch is not None and size:
            self._watch(memoryview(buffer)[:size])
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Zstd:
    """The content of a zstd file; zstandard's own reader of streams does not tell a cut file from a whole one."""

    def __init__(self, raw: _Watched) -> None:
        self._raw = raw
        self._package = zstandard()
        self._frame: Any = None
        self._rest = b""
        self._ready = memoryview(b"")

    def read1(self, size: int) -> memoryview:
        """Return at most ``size`` bytes; none at the end.

        :raises CutStreamError: the file ends inside a frame, or is damaged.
        """
        while not self._ready:
            piece = self._rest or self._raw.read(1 << 16)
            self._rest = b""
            if not piece:
                if self._frame is not None:
                    raise CutStreamError("the file ends inside a frame of zstd")
                return self._ready
            if self._frame is None:
                self._frame = self._package.ZstdDecompressor().decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(piece))
            except self._package.ZstdError as error:
                raise CutStreamError(str(error)) from error
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        head, self._ready = self._ready[:size], self._ready[size:]
        return head

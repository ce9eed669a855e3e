"""Files that are whole or absent and know their sha256 and size: counted as they are written, never read again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from aiida_seireact.formats.atomic import write_atomically


@dataclass(frozen=True)
class Written:
    """One file by its content.

    :param file: name only.
    """

    file: str
    sha256: str
    bytes: int

    def facts(self) -> dict[str, Any]:
        """Return it for a result file."""
        return {"file": self.file, "sha256": self.sha256, "bytes": self.bytes}


class HashedStream(io.RawIOBase):
    """A stream to write to that can't be rewound, so that what was hashed is what lies there.

    :param path: the temporary file it writes to.
    """

    def __init__(self, raw: IO[bytes], path: Path, name: str) -> None:
        super().__init__()
        self.path = path
        self._raw, self._name = raw, name
        self._digest, self._size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        """Write all of it.

        :raises OSError: the disk is full.
        """
        count = self._raw.write(content)
        self._digest.update(content)
        self._size += count
        return count

    def flush(self) -> None:
        if not self._raw.closed:
            self._raw.flush()

    def written(self) -> Written:
        """Describe what has been written so far."""
        return Written(self._name, self._digest.hexdigest(), self._size)


@contextmanager
def hashed_file(path: str | Path) -> Iterator[HashedStream]:
    """Give a stream to a file that appears under ``path`` only if all goes well (see `write_atomically`).

    :raises OSError: the disk is full or the folder is not writable.
    """
    with write_atomically(path) as temporary, temporary.open("wb", buffering=1 << 20) as raw:
        yield HashedStream(raw, temporary, Path(path).name)

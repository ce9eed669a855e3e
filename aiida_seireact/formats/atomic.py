"""Files that are whole or absent: write under a temporary name, fsync, rename."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it is synced to disk and renamed onto ``path``.

    A killed or failed writer leaves ``path`` untouched (absent, or the old file), never half-written.

    :raises OSError: the disk is full or the folder is not writable.
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files private; others on the machine read results as they read any other file.
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as JSON, sorted and indented, atomically.

    :raises ValueError: the content holds NaN or infinity, which JSON does not know.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")

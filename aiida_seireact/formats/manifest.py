"""The manifest of a trajectory: what each chunk of a dump holds, and whether a copy of it is whole."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from aiida_seireact.formats.atomic import write_json

SCHEMA = "seireact-manifest/1"


class ManifestError(ValueError):
    """A chunk that is not what its manifest says, or not a whole dump; the message names file and reason."""


def chunk(path: str | Path) -> dict[str, Any]:
    """Read one dump of LAMMPS (style custom or atom, plain or gzipped) once and describe it.

    Returns ``file`` (name only), ``sha256``, ``bytes``, ``first_step``, ``last_step``, ``n_frames``,
    ``n_atoms`` (of every frame) and ``columns``.

    :raises ManifestError: missing, cut or foreign file, or frames whose atoms or columns change.
    """
    source = Path(path)
    digest = hashlib.sha256()
    try:
        with source.open("rb") as raw:
            tee = _Hashing(raw, digest)
            packed = source.suffix == ".gz"
            with gzip.GzipFile(fileobj=tee) if packed else io.BufferedReader(tee) as stream:
                steps, n_atoms, columns = _scan(stream, source)
                while not packed and stream.read(1 << 20):
                    pass
            size = source.stat().st_size
    except FileNotFoundError:
        raise ManifestError(f"There is no dump {source.name}.") from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise ManifestError(f"{source.name} is not a whole gzip file ({error}): it was cut short.") from error
    return {
        "file": source.name,
        "sha256": digest.hexdigest(),
        "bytes": size,
        "first_step": steps[0],
        "last_step": steps[-1],
        "n_frames": len(steps),
        "n_atoms": n_atoms,
        "columns": columns,
    }


def drop_broken_end(path: str | Path) -> None:
    """Cut a plain dump before its first frame that is not whole or has lost atoms, as a run leaves it that flew apart.

    :raises ManifestError: not even its first frame is whole.
    """
    good, expected = 0, None
    with Path(path).open("rb") as stream:
        while (line := stream.readline()).startswith(b"ITEM: TIMESTEP"):
            stream.readline(), stream.readline()
            count = stream.readline().strip()
            expected = count if expected is None else expected
            if not count.isdigit() or count != expected:
                break
            lines = [stream.readline() for _ in range(5 + int(count))]
            if not lines[-1].endswith(b"\n"):
                break
            good = stream.tell()
        is_whole = not line
    if not good:
        raise ManifestError(f"{Path(path).name} holds no whole frame.")
    if not is_whole:
        os.truncate(path, good)


def copy_until(source: str | Path, target: str | Path, step: int) -> tuple[int, int]:
    """Copy the whole frames of a plain dump up to a step; return their number and the last one's step (-1: none)."""
    count, last = 0, -1
    with Path(source).open("rb") as stream, Path(target).open("wb") as copy:
        while (line := stream.readline()).startswith(b"ITEM: TIMESTEP"):
            head = [line, *(stream.readline() for _ in range(3))]
            if not head[3].strip().isdigit():
                break
            rows = [stream.readline() for _ in range(5 + int(head[3]))]
            if not rows[-1].endswith(b"\n") or int(head[1]) > step:
                break
            copy.writelines([*head, *rows])
            count, last = count + 1, int(head[1])
    return count, last


def write_manifest(path: str | Path, chunks: Iterable[Mapping[str, Any]]) -> None:
    """Write chunks as a manifest file."""
    write_json(path, {"schema": SCHEMA, "chunks": [dict(item) for item in chunks]})


def read_manifest(path: str | Path) -> list[dict[str, Any]]:
    """Return the chunks of a manifest file.

    :raises ManifestError: missing or foreign file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"There is no manifest {path}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} is not a manifest ({error}).") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ManifestError(f"{path} is not a manifest of schema {SCHEMA}.")
    return list(content["chunks"])


def verify(folder: str | Path, chunks: Iterable[Mapping[str, Any]]) -> None:
    """Check size and sha256 of each chunk in ``folder``.

    :raises ManifestError: the first chunk that is missing or differs.
    """
    for item in chunks:
        path = Path(folder) / item["file"]
        if not path.is_file():
            raise ManifestError(f"{item['file']} of the manifest is not in {folder}.")
        if path.stat().st_size != item["bytes"]:
            raise ManifestError(
                f"{item['file']} has {path.stat().st_size} bytes, its manifest says {item['bytes']}: copy it again."
            )
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != item["sha256"]:
            raise ManifestError(f"{item['file']} is not the file its manifest names (sha256 differs): copy it again.")


def compress(path: str | Path) -> Path:
    """Gzip a file and remove it; equal content gives equal bytes, because no name or date is written.

    :raises OSError: the disk is full; the plain file then stays.
    """
    source = Path(path)
    target = source.with_name(source.name + ".gz")
    temporary = target.with_name(f".{target.name}")
    with (
        source.open("rb") as plain,
        temporary.open("wb") as packed,
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=6, mtime=0) as stream,
    ):
        while block := plain.read(1 << 20):
            stream.write(block)
    temporary.replace(target)
    source.unlink()
    return target


class _Hashing(io.RawIOBase):
    """Hashes what passes, so that a dump of a hundred gigabytes is read once."""

    def __init__(self, raw: BinaryIO, digest: Any) -> None:
        self._raw = raw
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._raw.read(len(buffer))
        self._digest.update(block)
        buffer[: len(block)] = block
        return len(block)


def _scan(lines: Iterable[bytes], source: Path) -> tuple[list[int], int, list[str]]:
    steps: list[int] = []
    shapes: set[tuple[int, tuple[str, ...]]] = set()
    stream = iter(lines)
    try:
        for line in stream:
            if not line.startswith(b"ITEM: TIMESTEP"):
                if line.startswith((b"ITEM: UNITS", b"ITEM: TIME")):
                    next(stream)
                    continue
                raise ManifestError(f"{source.name} is not a text dump of LAMMPS: a frame starts with {line[:40]!r}.")
            step = int(next(stream))
            if not next(stream).startswith(b"ITEM: NUMBER OF ATOMS"):
                raise ValueError(f"no number of atoms at step {step}")
            n_atoms = int(next(stream))
            for _ in range(4):
                next(stream)
            header = next(stream)
            for _ in range(n_atoms):
                last = next(stream)
            if not header.startswith(b"ITEM: ATOMS") or (n_atoms and not last.endswith(b"\n")):
                raise ValueError("a line is cut")
            steps.append(step)
            shapes.add((n_atoms, tuple(header.decode().split()[2:])))
    except (StopIteration, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, ManifestError):
            raise
        after = f"after step {steps[-1]}" if steps else "in its first frame"
        raise ManifestError(f"{source.name} is cut short {after}: the run was killed or the disk is full.") from error
    if not steps:
        raise ManifestError(f"{source.name} holds no frame.")
    if len(shapes) > 1:
        raise ManifestError(f"{source.name} has frames of different numbers of atoms or columns.")
    n_atoms, columns = shapes.pop()
    return steps, n_atoms, list(columns)

"""The manifest of a trajectory: what each chunk of a dump holds, and whether a copy of it is whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from aiida_seireact.formats.atomic import write_atomically, write_json
from aiida_seireact.formats.dump_binary import BinaryFrames, is_binary
from aiida_seireact.formats.dump_bytes import CutStreamError, packing, zstandard
from aiida_seireact.formats.dump_header import DumpError, ForeignFileError, TruncatedDumpError
from aiida_seireact.formats.dump_text import TextFrames

SCHEMA = "seireact-manifest/1"
SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}
"""What each method of compression adds to a name."""


class ManifestError(ValueError):
    """A chunk that is not what its manifest says, or not a whole dump; the message names file and reason."""


def chunk(path: str | Path) -> dict[str, Any]:
    """Read one dump of LAMMPS once and describe it: text, plain, gzip or zstd, or binary.

    Returns ``file`` (name only), ``sha256``, ``bytes``, ``first_step``, ``last_step``, ``n_frames``,
    ``n_atoms`` (of every frame) and ``columns``.

    :raises ManifestError: missing, cut or foreign file, or frames whose atoms or columns change.
    """
    source = Path(path)
    digest = hashlib.sha256()
    steps: list[int] = []
    shapes: set[tuple[int, tuple[str, ...]]] = set()
    try:
        frames: TextFrames | BinaryFrames
        frames = BinaryFrames(source) if is_binary(source) else TextFrames(source, watch=digest.update)
        with closing(frames):
            while (header := frames.header()) is not None:
                frames.pass_over(header)
                steps.append(header.step)
                shapes.add((header.n_atoms, header.columns))
        if isinstance(frames, BinaryFrames):
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, lambda: digest)
    except FileNotFoundError:
        raise ManifestError(f"There is no dump {source.name}.") from None
    except DumpError as error:
        raise _complaint(error, source, steps) from error
    if not steps:
        raise ManifestError(f"{source.name} holds no frame.")
    if len(shapes) > 1:
        raise ManifestError(f"{source.name} has frames of different numbers of atoms or columns.")
    n_atoms, columns = shapes.pop()
    return {
        "file": source.name,
        "sha256": digest.hexdigest(),
        "bytes": source.stat().st_size,
        "first_step": steps[0],
        "last_step": steps[-1],
        "n_frames": len(steps),
        "n_atoms": n_atoms,
        "columns": list(columns),
    }


def drop_broken_end(path: str | Path) -> None:
    """Cut a dump before its first frame that is not whole or has lost atoms, as a run leaves it that flew apart.

    :raises ManifestError: not even its first frame is whole, or it is compressed, so that it can't be cut.
    """
    source = Path(path)
    if packing(source):
        raise ManifestError(f"{source.name} is compressed, so its broken end can't be cut: unpack it first.")
    good, expected, is_whole = 0, None, False
    frames = BinaryFrames(source) if is_binary(source) else TextFrames(source)
    with closing(frames), suppress(DumpError):
        while (header := frames.header()) is not None:
            expected = header.n_atoms if expected is None else expected
            if header.n_atoms != expected:
                break
            frames.pass_over(header)
            good = frames.offset
        else:
            is_whole = True
    if not good:
        raise ManifestError(f"{source.name} holds no whole frame.")
    if not is_whole:
        os.truncate(source, good)


def copy_until(source: str | Path, target: str | Path, step: int) -> tuple[int, int]:
    """Copy the whole frames of a text dump up to a step, as plain text, and return how many and the last one's step.

    It stops before a torn end, or what else is no frame, so that what a killed run left is copied up to a restart
    file's step: whether all frames are there is for the caller to see, from their number. ``target`` appears
    whole or not at all; equal frames give equal bytes, however ``source`` is packed. Without a frame the step is -1.

    :param source: plain, gzip or zstd.
    :param step: last step wanted; frames after it are left out.
    :raises ManifestError: missing file, or not a text dump.
    :raises OSError: the disk is full.
    """
    with write_atomically(target) as temporary, temporary.open("wb") as stream:
        n_frames, last, good = 0, -1, 0
        for frame in _frames_until(Path(source), step, stream.write):
            if frame is None:
                stream.seek(good)
                stream.truncate()
                continue
            n_frames, last, good = n_frames + 1, frame, stream.tell()
    return n_frames, last


def verify_copy(source: str | Path, target: str | Path, step: int) -> None:
    """Check that ``target`` holds exactly the whole frames of ``source`` up to a step, whichever way each is packed.

    :raises ManifestError: it does not, or one of them can't be read.
    """
    wanted, found = _digest_until(Path(source), step), _digest_until(Path(target), None)
    if wanted != found:
        raise ManifestError(
            f"{Path(target).name} holds {found[1]} frames that are not the {wanted[1]} whole frames of "
            f"{Path(source).name} up to step {step}: copy it again."
        )


def write_manifest(
    path: str | Path,
    chunks: Iterable[Mapping[str, Any]],
    further: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> None:
    """Write chunks as a manifest file.

    :param further: chunks of other dumps of the same run, by the name of the dump.
    """
    others = {name: [dict(item) for item in items] for name, items in (further or {}).items()}
    content = {"schema": SCHEMA, "chunks": [dict(item) for item in chunks]}
    write_json(path, {**content, "dumps": others} if others else content)


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


def compress(path: str | Path, method: str = "gzip", *, level: int | None = None) -> Path:
    """Compress a file and remove it; return the compressed one, which appears whole or not at all.

    A file that is compressed already stays, and is returned.

    Equal content gives equal bytes with the same version of the library: no name or date is written.

    :param method: ``gzip`` (``.gz``, level 6) or ``zstd`` (``.zst``, level 1, with a checksum). On dumps, level 1 of
        zstd is more than twice as fast as level 3 and no larger: their digits repeat nothing that a search could find.
    :param level: another level of the method.
    :raises ValueError: an unknown method.
    :raises ModuleNotFoundError: zstd without the package zstandard.
    :raises OSError: the disk is full; the plain file then stays.
    """
    if method not in SUFFIXES:
        raise ValueError(f"There is no compression {method!r}: {' or '.join(SUFFIXES)}.")
    source = Path(path)
    if packing(source):
        return source
    target = source.with_name(source.name + SUFFIXES[method])
    with write_atomically(target) as temporary, source.open("rb") as plain, temporary.open("wb") as packed:
        if method == "zstd":
            compressor = zstandard().ZstdCompressor(level=1 if level is None else level, write_checksum=True)
            compressor.copy_stream(plain, packed, size=source.stat().st_size)
        else:
            depth = 6 if level is None else level
            with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=depth, mtime=0) as stream:
                shutil.copyfileobj(plain, stream, 1 << 20)
    source.unlink()
    return target


def _frames_until(source: Path, step: int | None, take: Callable[[memoryview], object]) -> Iterator[int | None]:
    """Go through a text dump, giving ``take`` its bytes, and yield the step of each whole frame up to ``step``.

    After a frame that is not wanted or not whole, None is yielded: what was taken since the last step is to be undone.
    """
    steps: list[int] = []
    try:
        with closing(TextFrames(source)) as frames:
            frames.lines.taken = take
            while (header := frames.header()) is not None:
                is_wanted = step is None or header.step <= step
                if not is_wanted:
                    frames.lines.taken = None
                frames.pass_over(header)
                frames.lines.taken = take
                if is_wanted:
                    steps.append(header.step)
                yield header.step if is_wanted else None
    except FileNotFoundError:
        raise ManifestError(f"There is no dump {source.name}.") from None
    except DumpError as error:
        # A machine that died may leave a torn frame, or what its file system made of one.
        if step is None or not (steps or isinstance(error, TruncatedDumpError)):
            raise _complaint(error, source, steps) from error
        yield None


def _digest_until(path: Path, step: int | None) -> tuple[str, int]:
    """Return the sha256 of the whole frames up to a step, of all without one, and their number."""
    good = hashlib.sha256()
    digest = good.copy()
    n_frames = 0

    def take(text: memoryview) -> None:
        digest.update(text)

    for frame in _frames_until(path, step, take):
        if frame is None:
            digest = good.copy()
            continue
        good = digest.copy()
        n_frames += 1
    return good.hexdigest(), n_frames


def _complaint(error: DumpError, source: Path, steps: Sequence[int]) -> ManifestError:
    """Return what to say of a dump that can't be gone through."""
    if isinstance(error.__cause__, CutStreamError):
        kind = {"gz": "gzip", "zst": "zstd"}[packing(source)]
        return ManifestError(f"{source.name} is not a whole {kind} file ({error.__cause__}): it was cut short.")
    if isinstance(error, ForeignFileError):
        return ManifestError(f"{source.name} is not a text dump of LAMMPS: {error}")
    if isinstance(error, TruncatedDumpError):
        after = f"after step {steps[-1]}" if steps else "in its first frame"
        return ManifestError(f"{source.name} is cut short {after}: the run was killed or the disk is full.")
    return ManifestError(str(error))

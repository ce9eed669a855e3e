"""Where a training can go on from: one zip of the last and the best checkpoint, errors by epoch, and which it is of.

lightning's checkpoints are pickles and only nequip-train loads them; here they are looked at without running anything.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickletools
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically

LAST, BEST, CURVE, ORIGIN = "last.ckpt", "best.ckpt", "curve.json", "origin.json"
MEMBERS = (LAST, BEST, CURVE, ORIGIN)
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)

Curve = dict[str, NDArray[np.float64]]


class CheckpointError(ValueError):
    """A checkpoint that is torn, foreign or not there; the message says which."""


@dataclass(frozen=True)
class CheckpointCard:
    """What a checkpoint is, told without loading it.

    :param epoch: the last epoch that is done, counted from 0.
    :param best_epoch: the epoch with the smallest validation error so far.
    :param best_total: that error, in the units of ``val_total``.
    :param state_hash: sha256 of all weights, averages and optimiser states, of curve and origin; of no path or date.
    """

    epoch: int
    best_epoch: int
    best_total: float
    state_hash: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain types for JSON."""
        return asdict(self)


def write_checkpoint(
    target: str | Path,
    last: Path,
    best: Path,
    curve: Mapping[str, NDArray[np.float64]],
    origin: Mapping[str, Any],
) -> None:
    """Put two of lightning's checkpoints and a curve into one file, atomically.

    :param curve: of all epochs since the training began (`training_log.read_curve`); what lies beyond the last
        checkpoint is left out, since it will be done again.
    :param origin: plain types that tell which training it is of (`read_origin`).
    :raises CheckpointError: a checkpoint that is missing or torn, or a curve that does not reach it.
    """
    # Each read once: nequip may put the next one in its place at any time.
    contents = {LAST: _content(last), BEST: _content(best)}
    epoch = _epoch(contents[LAST], last.name)
    _epoch(contents[BEST], best.name)
    kept = curve["epoch"] <= epoch
    if not kept.any() or int(curve["epoch"][kept][-1]) != epoch:
        raise CheckpointError(f"The curve does not reach epoch {epoch}, where {last.name} was written.")
    columns = columns_of({name: values[kept] for name, values in curve.items()})
    with write_atomically(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in (
            *contents.items(),
            (CURVE, json.dumps(columns, sort_keys=True).encode()),
            (ORIGIN, json.dumps(dict(origin), sort_keys=True).encode()),
        ):
            archive.writestr(zipfile.ZipInfo(name, date_time=_FIXED_DATE), content)


def read_checkpoint_card(path: str | Path) -> CheckpointCard:
    """Return what a checkpoint is; every byte of it is checked.

    :raises CheckpointError: missing, torn, or something else.
    """
    members = _members(path)
    curve = _curve(members[CURVE], path)
    digest = hashlib.sha256(members[CURVE] + members[ORIGIN])
    for name in (LAST, BEST):
        for part, content in sorted(_tensors(members[name], f"{name} in {path}").items()):
            digest.update(f"{name}/{part}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    best = int(np.argmin(curve["val_total"]))
    return CheckpointCard(
        epoch=_epoch(members[LAST], f"{LAST} in {path}"),
        best_epoch=int(curve["epoch"][best]),
        best_total=float(curve["val_total"][best]),
        state_hash=digest.hexdigest(),
    )


def unpack_checkpoint(path: str | Path, folder: Path) -> Curve:
    """Write `LAST` and `BEST` into ``folder`` and return the curve up to there.

    :raises CheckpointError: missing, torn, or something else.
    """
    members = _members(path)
    curve = _curve(members[CURVE], path)
    for name in (LAST, BEST):
        _tensors(members[name], f"{name} in {path}")
        (folder / name).write_bytes(members[name])
    return curve


def read_origin(path: str | Path) -> dict[str, Any]:
    """Return which training a checkpoint is of: whatever was given to `write_checkpoint`.

    :raises CheckpointError: missing, torn, or something else.
    """
    try:
        content = json.loads(_members(path)[ORIGIN])
    except ValueError as error:
        raise CheckpointError(f"The origin in {path} is not readable: {error}.") from error
    return dict(content)


def frames_mark(frame_ids: Iterable[str]) -> str:
    """Return a short hash of a set of frames, for the origin of a checkpoint; their order is no part of it."""
    return hashlib.sha256("\n".join(sorted(frame_ids)).encode()).hexdigest()[:12]


def complaint_of_origin(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return why a checkpoint is of another training, None if it is of this one.

    :param before: the checkpoint's origin; what it tells beyond ``now`` is not looked at.
    :param now: what is asked for, or a part of it.
    """
    asked = json.loads(json.dumps(dict(now)))  # as the checkpoint's
    others = [
        f"{name} was {before.get(name)} and is {asked[name]}" for name in asked if before.get(name) != asked[name]
    ]
    if not others:
        return None
    return (
        f"The checkpoint is of another training ({'; '.join(others)}) and would keep its own: leave it out, or start "
        "from its package (`parent`)."
    )


def columns_of(curve: Mapping[str, NDArray[np.float64]]) -> dict[str, list[float | None]]:
    """Return a curve as plain types. JSON knows no NaN: an unknown learning rate is null."""
    return {name: [float(value) if np.isfinite(value) else None for value in values] for name, values in curve.items()}


def joined(before: Mapping[str, NDArray[np.float64]], after: Mapping[str, NDArray[np.float64]]) -> Curve:
    """Return two curves of one training as one, each epoch once; where both have it, the later run's."""
    kept = ~np.isin(before["epoch"], after["epoch"])
    return {name: np.concatenate([before[name][kept], after[name]]) for name in after}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"There is no {path.name} ({error.strerror}).") from None


def _epoch(content: bytes, name: str) -> int:
    """Read the first entry of the pickled dict, ``epoch``, without unpickling it."""
    pickled = next((part for key, part in _archive(content, name).items() if key.endswith("data.pkl")), None)
    if pickled is not None:
        asked = False
        for opcode, argument, _ in pickletools.genops(pickled):
            if asked and isinstance(argument, int) and opcode.name.startswith(("BININT", "INT", "LONG")):
                return argument
            asked = asked or argument == "epoch"
    raise CheckpointError(f"{name} is not a checkpoint of lightning.")


def _tensors(content: bytes, name: str) -> dict[str, bytes]:
    parts = {key: part for key, part in _archive(content, name).items() if key.startswith("data/")}
    if not parts:
        raise CheckpointError(f"{name} is not a checkpoint of lightning: it holds no weights.")
    return parts


def _archive(content: bytes, name: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {
                PurePosixPath(*PurePosixPath(key).parts[1:]).as_posix(): archive.read(key) for key in archive.namelist()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f"{name} is torn: {error}.") from error


def _members(path: str | Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        raise CheckpointError(f"There is no checkpoint {path}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f"The checkpoint {path} is torn: {error}.") from error
    missing = [name for name in MEMBERS if name not in members]
    if missing:
        raise CheckpointError(f"{path} is no checkpoint of seireact-train: it lacks {', '.join(missing)}.")
    return members


def _curve(content: bytes, path: str | Path) -> Curve:
    try:
        columns = {
            str(name): np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            for name, values in json.loads(content).items()
        }
        if not len(columns["epoch"]) or len({len(values) for values in columns.values()}) != 1:
            raise ValueError("columns of different lengths, or empty")
        columns["val_total"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"The curve in {path} is not readable: {error!r}.") from error
    return columns

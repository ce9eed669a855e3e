"""Arrays and files of many nodes at once: their keys by one query, their bytes by one pass over the repository."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from aiida import orm
from aiida.manage import get_manager
from numpy.typing import NDArray

Array = NDArray[Any]
SUFFIX = ".npy"
VERSION_1 = b"\x01\x00"
"""Of the format that numpy writes unless a header is very long."""


def arrays_of(pks: Iterable[int], names: Iterable[str] | None = None) -> dict[int, dict[str, Array]]:
    """Return by PK the arrays of ArrayData nodes, those of these names that a node has; all if None.

    Equal arrays of two nodes are one file in the repository, and are one array here: don't write into them.
    """
    wanted = None if names is None else {f"{name}{SUFFIX}" for name in names}
    keys: dict[int, dict[str, str]] = {}
    for pk, files in keys_of(pks).items():
        keys[pk] = {
            file.removesuffix(SUFFIX): key
            for file, key in files.items()
            if file.endswith(SUFFIX) and (wanted is None or file in wanted)
        }
    found = read_all({key for held in keys.values() for key in held.values()}, _array)
    return {pk: {name: found[key] for name, key in held.items()} for pk, held in keys.items()}


def contents_of(pks: Iterable[int], file: str) -> dict[int, bytes]:
    """Return by PK the content of a file, of those nodes that have it."""
    keys = {pk: files[file] for pk, files in keys_of(pks).items() if file in files}
    found = read_all(set(keys.values()), lambda stream: stream.read())
    return {pk: found[key] for pk, key in keys.items()}


def keys_of(pks: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return by PK the repository keys of the files that lie at the top of a node, by their names."""
    wanted = sorted(set(pks))
    if not wanted:
        return {}
    query = orm.QueryBuilder().append(orm.Data, filters={"id": {"in": wanted}}, project=["id", "repository_metadata"])
    return {
        pk: {name: one["k"] for name, one in (metadata or {}).get("o", {}).items() if "k" in one}
        for pk, metadata in query.all()
    }


def read_all(keys: set[str], read: Callable[[BinaryIO], Any]) -> dict[str, Any]:
    """Return what ``read`` makes of each object of the repository, by key."""
    if not keys:
        return {}
    repository = get_manager().get_profile_storage().get_repository()
    return {key: read(stream) for key, stream in repository.iter_object_streams(sorted(keys))}


def _array(stream: BinaryIO) -> Array:
    """Return the array of an ``.npy`` file, not to be written into."""
    content = stream.read()
    begin = 10 + int.from_bytes(content[8:10], "little")
    if content[6:8] != VERSION_1:
        found: Array = np.load(io.BytesIO(content), allow_pickle=False)
        return found
    shape, is_fortran, dtype = _header(content[8:begin])
    if dtype.hasobject:
        raise ValueError("an array of objects is not read: it could run code")
    return np.frombuffer(content, dtype=dtype, offset=begin).reshape(shape, order="F" if is_fortran else "C")


# A thousand shards have few headers, and to read one takes longer than to read the numbers.
@lru_cache(maxsize=4096)
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read: Any = np.lib.format.read_array_header_1_0
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = read(io.BytesIO(text))
    return found

"""What a bundle is: its files and folders, and what is wrong with one, in a sentence."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

SCHEMA = "seireact-bundle/1"

INDEX = "bundle.json"
README = "README.md"
ARCHIVE = "archive.aiida"
CITATIONS = "CITATIONS.bib"
LICENCES = "LICENSES.md"
DATACITE = "datacite.json"
LOCK = "environment/requirements.txt"
VERSIONS = "environment/versions.json"
DATASETS = "datasets"
MODELS = "models"
TRAJECTORIES = "trajectories"
FIGURES = "figures"
REPORT = "report"
PART = "index.json"
"""In each folder of data: what its files are, and which nodes they come from."""

FIELDS: dict[str, type] = {"title": str, "created": str, "aiida_seireact": str, "processes": list, "counts": dict}
"""What the index is read for."""

Progress = Callable[[str], None]


class BundleError(ValueError):
    """Something can't be published, or is no bundle; the message says what, where and what to do."""


FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
    """Whether the disk is full, or the quota: by its number, or by the word of SQLite."""
    return (isinstance(error, OSError) and error.errno in FULL) or "database or disk is full" in str(error)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of a bundle.

    :raises BundleError: it is not there or not readable.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name} of the bundle is not readable ({error}): get the bundle again.") from error


def read_index(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself.

    :raises BundleError: the folder is no bundle of ours.
    """
    if not (folder / INDEX).is_file():
        raise BundleError(
            f"{folder} is no bundle: it has no {INDEX}. Give the folder (or zip) that `aiida-seireact publish` wrote."
        )
    index = read_json(folder / INDEX)
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        raise BundleError(f"{folder / INDEX} is not of the form {SCHEMA}: another version of aiida-seireact wrote it.")
    if lacks := [name for name, kind in FIELDS.items() if not isinstance(index.get(name), kind)]:
        raise BundleError(f"{folder / INDEX} does not tell {', '.join(lacks)}: it is not as it was published.")
    return index


def read_part(folder: Path, part: str) -> Any:
    """Return the index of a folder of a bundle.

    :raises BundleError: it is not readable, or names a file that is not in the bundle: what a stranger wrote is to lead
        nowhere else on this machine.
    """
    told = read_json(folder / part / PART)
    for name in _files_named(told):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{part}/{PART} names {name!r}, which is not in the bundle: nothing of it is read.")
    return told


def _files_named(told: Any) -> Iterator[str]:
    """Yield what an index names under ``file``, ``card`` and ``files``."""
    if isinstance(told, list):
        for entry in told:
            yield from _files_named(entry)
    elif isinstance(told, dict):
        of_kinds = told.get("files")
        named = [told.get("file"), told.get("card"), *(of_kinds.values() if isinstance(of_kinds, dict) else ())]
        yield from (name for name in named if isinstance(name, str))
        for entry in told.values():
            yield from _files_named(entry if isinstance(entry, list) else None)

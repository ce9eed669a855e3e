"""Frames with labels that were made elsewhere enter the graph: the source, or its hash, is an input."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.importing import files_of, read_source, sha256_of
from aiida_seireact.formats.jobs.imports import ImportSettings

WHERE = "seireact_source"
"""Extra of a source that is too large to be kept: where it lies. Extras are not part of a node's content."""
FAILURES_TOLD = 1000


@calcfunction
def import_frames(source: orm.SinglefileData | orm.FolderData | orm.Dict, parameters: orm.Dict) -> dict[str, Any]:
    """Return the frames of a source whose labels are taken (``frames``), and why the others are not (``report``).

    Where the source tells the split of each frame, as an export of a dataset does, ``dataset`` is that dataset.

    :param source: a file, a folder, or of one too large to be kept `sha256` and `bytes` of each file by name
        (:func:`source_by_hash`): what is read must fit them.
    :param parameters: fields of `formats.jobs.imports.ImportSettings`.
    :raises FramesError: a source that is unreadable or not what its hashes say, labels without a level of theory or of
        two, or not one frame is taken.
    :raises ValueError: a source that has a group in two splits.
    """
    settings = ImportSettings.model_validate(parameters.get_dict())
    with on_disk(source, settings.format) as path:
        imported = read_source(path, settings)
    level = settings.level
    report = {
        "n_frames": len(imported.frames),
        "config_types": dict(sorted(Counter(imported.frames.config_type.tolist()).items())),
        "settings_hash": imported.frames.settings_hash,
        "level": None if level is None else level.model_dump(),
        "n_failures": len(imported.failures),
        "failures": imported.failures[:FAILURES_TOLD],
        "convergence": "each ionic step tells it" if settings.format == "vasp" else "vouched for by who imported",
    }
    made: dict[str, Any] = {"frames": FramesData(imported.frames), "report": orm.Dict(report)}
    if imported.split is not None:
        made["dataset"] = DatasetData([imported.frames], [imported.split])
    return made


@contextmanager
def on_disk(source: orm.SinglefileData | orm.FolderData | orm.Dict, source_format: str) -> Iterator[Path]:
    """Give the path of the source: a copy of what a node keeps, or where a large one lies.

    :raises FramesError: a large source that is not there, or not what its hashes say.
    """
    if isinstance(source, orm.Dict):
        path = Path(source.base.extras.get(WHERE, "/nowhere"))
        told = source.get_dict()["files"]
        found = files_of(path, source_format)
        changed = sorted(set(told) ^ set(found)) or [
            name for name, file in found.items() if sha256_of(file) != told[name]["sha256"]
        ]
        if changed:
            raise FramesError(f"{path} is not what was hashed: {changed[0]} differs. Import it again.")
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(source, orm.SinglefileData):
            path = Path(folder) / source.filename
            with source.open(mode="rb") as stream:
                path.write_bytes(stream.read())
            yield path
        else:
            source.base.repository.copy_tree(Path(folder))
            yield Path(folder)


def source_kept(path: Path, source_format: str) -> orm.SinglefileData | orm.FolderData:
    """Return a node that keeps the files of a source that are read.

    :raises FramesError: there is no such source.
    """
    files = files_of(path, source_format)
    if path.is_file():
        return orm.SinglefileData(path.resolve())
    folder = orm.FolderData()
    for name, file in files.items():
        folder.base.repository.put_object_from_file(str(file.resolve()), name)
    return folder


def source_by_hash(path: Path, source_format: str) -> orm.Dict:
    """Return a stored node with sha256 and size of each file of a source, and its place as an extra.

    :raises FramesError: there is no such source.
    """
    files = files_of(path, source_format)
    hashes = {name: {"sha256": sha256_of(file), "bytes": file.stat().st_size} for name, file in files.items()}
    source = orm.Dict({"files": hashes}).store()
    source.base.extras.set(WHERE, str(path.resolve()))
    return source

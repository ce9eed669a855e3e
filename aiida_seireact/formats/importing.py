"""From a source on disk to frames: which reader reads what, and at which level of theory its labels are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ase.db

from aiida_seireact.formats.deepmd import read_deepmd
from aiida_seireact.formats.extxyz import check_ids, images_of, level_of
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.imports import ImportSettings
from aiida_seireact.formats.outside import Found, Imported, Run, joined_runs, label_of, runs_of
from aiida_seireact.formats.vasp_folder import NAMES, read_vasp

NO_LEVEL = (
    "The labels of {} have no level of theory: name it (--level NAME), since labels of two levels must not meet in a "
    "dataset."
)
KEPT_KEYS = ("config_type", "group", "parent_id", "md_step", "split")


def read_source(path: Path, settings: ImportSettings) -> Imported:
    """Return the frames of a source whose labels are taken.

    :param path: a file (extxyz, ase-db) or a folder (vasp, deepmd).
    :raises FramesError: unreadable, no level of theory, two of them, or not one frame is taken.
    """
    given = "" if settings.level is None else settings.level.settings_hash
    if settings.format == "extxyz":
        return _extxyz(path, settings, given)
    if not given:
        raise FramesError(NO_LEVEL.format(path.name))
    runs = {"ase-db": _ase_db, "vasp": read_vasp, "deepmd": read_deepmd}[settings.format](path)
    return joined_runs(runs, settings, given)


def _extxyz(path: Path, settings: ImportSettings, given: str) -> Imported:
    images = images_of(path)
    settings_hash = level_of(images, path.name, given)
    found = [Found(atoms, label_of(atoms)) for atoms in images]
    if not settings_hash and not all(isinstance(item.label, str) for item in found):
        raise FramesError(NO_LEVEL.format(path.name))
    if all("frame_id" in atoms.info for atoms in images):
        check_ids(Frames.from_atoms(images, settings_hash=settings_hash), images, path.name)
    return joined_runs(runs_of(path.name, found), settings, settings_hash)


def _ase_db(path: Path) -> list[Run]:
    """Return the rows of an ASE database as runs; key-value pairs tell config_type, group and so on."""
    kind = "json" if path.read_bytes()[:1] in (b"{", b"[") else "db"
    found = []
    try:
        with ase.db.connect(path, type=kind, append=True) as database:
            for row in database.select(sort="id"):
                atoms = row.toatoms()
                atoms.info.update({key: value for key, value in row.key_value_pairs.items() if key in KEPT_KEYS})
                found.append(Found(atoms, label_of(atoms)))
    except Exception as error:  # sqlite3, json and ASE each have their own
        raise FramesError(f"{path.name} is not readable as an ASE database ({error}).") from error
    if not found:
        raise FramesError(f"{path.name} holds no row.")
    return runs_of(path.name, found)


def files_of(path: Path, source_format: str) -> dict[str, Path]:
    """Return the files of a source that are read, by their name within it.

    :raises FramesError: there is no such file or folder, or none of the files is in it.
    """
    if not path.exists():
        raise FramesError(f"There is no {path}.")
    if source_format in ("extxyz", "ase-db"):
        if not path.is_file():
            raise FramesError(f"{path} is a folder; an import of {source_format} reads one file.")
        return {path.name: path}
    if not path.is_dir():
        raise FramesError(f"{path} is a file; an import of {source_format} reads a folder.")
    patterns = NAMES if source_format == "vasp" else ("type.raw", "type_map.raw", "nopbc", "set.*/*.npy")
    found = sorted({file for pattern in patterns for file in path.rglob(pattern)})
    if not found:
        raise FramesError(f"Nothing that {source_format} reads is under {path}: it looks for {', '.join(patterns)}.")
    return {str(file.relative_to(path)): file for file in found}


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

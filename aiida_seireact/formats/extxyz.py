"""Extended XYZ that keeps every bit: numbers in full, and identity, origin, split and units in the header of a frame.

ASE's own writer prints positions and forces with eight decimals, and has no option for more, so this file has a writer
of its own; ASE and nequip read it as any other. The reader takes every extended XYZ that ASE does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read as ase_read
from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

from aiida_seireact.formats.atomic import write_atomically

if TYPE_CHECKING:
    from aiida_seireact.formats.frames import Frames

UNITS = "energy:eV forces:eV/Ang stress:eV/Ang^3 (ASE's sign) length:Ang"
ORIGIN = ("config_type", "group", "parent_id")


def write_extxyz(
    path: str | Path,
    frames: Frames,
    split: Sequence[str] | None = None,
    tags: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Write frames, atomically.

    :param split: for each frame its part of a dataset, written as the key ``split``.
    :param tags: for each frame further keys of its header, such as a seed, for people: they are not read back.
    """
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for index in range(len(frames)):
            part, further = None if split is None else split[index], {} if tags is None else tags[index]
            stream.writelines(_frame(frames, index, part, further))


def _frame(frames: Frames, index: int, split: str | None, tags: Mapping[str, Any]) -> Iterator[str]:
    first, last = int(frames.offsets[index]), int(frames.offsets[index + 1])
    columns = [frames.positions[first:last]]
    properties = "species:S:1:pos:R:3"
    info: dict[str, Any] = dict(tags)
    if frames.energy is not None and frames.forces is not None:
        columns.append(frames.forces[first:last])
        properties += ":forces:R:3"
        info["energy"] = float(frames.energy[index])
        if frames.stress is not None:
            xx, yy, zz, yz, xz, xy = frames.stress[index]
            info["stress"] = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        if frames.energy_e0 is not None:
            info["energy_e0"] = float(frames.energy_e0[index])
    info["pbc"] = frames.pbc[index]
    info |= {name: str(getattr(frames, name)[index]) for name in ORIGIN if getattr(frames, name)[index]}
    if frames.md_step[index] >= 0:
        info["md_step"] = int(frames.md_step[index])
    if split:
        info["split"] = split
    info["frame_id"] = frames.frame_ids[index]
    if frames.settings_hash:
        info["settings_hash"] = frames.settings_hash
    info["units"] = UNITS
    cell = frames.cells[index]
    # ASE takes a frame without a Lattice for one without a cell.
    lattice = f'Lattice="{" ".join(map(repr, cell.ravel().tolist()))}" ' if cell.any() else ""
    yield f"{last - first}\n"
    yield f"{lattice}Properties={properties} {key_val_dict_to_str({key: _told(key, info[key]) for key in info})}\n"
    symbols = [chemical_symbols[number] for number in frames.numbers[first:last].tolist()]
    for symbol, row in zip(symbols, np.concatenate(columns, axis=1).tolist(), strict=True):
        yield f"{symbol:<2} {' '.join(map(repr, row))}\n"


def _told(key: str, value: Any) -> Any:
    """Return a value that ASE reads as what it is: text such as 007 or T would come back as a number or True."""
    if isinstance(value, str):
        try:
            understood = key_val_str_to_dict(key_val_dict_to_str({key: value})).get(key)
        except ValueError:
            understood = None
        if not (isinstance(understood, str) and understood == value):
            return "_JSON " + json.dumps(value)
    return value


def read_extxyz(path: str | Path, *, settings_hash: str = "") -> tuple[Frames, list[str] | None]:
    """Read extended XYZ with or without labels; return frames, and their splits where each has one.

    :param settings_hash: of the level of theory, for a file that does not tell it.
    :raises FramesError: not readable, only some frames labelled, two levels of theory, or a frame that was changed
        since it was written with its id.
    """
    from aiida_seireact.formats.frames import Frames

    images = images_of(path)
    frames = Frames.from_atoms(images, settings_hash=level_of(images, path, settings_hash))
    check_ids(frames, images, path)
    return frames, splits_of(images)


def images_of(path: str | Path) -> list[Atoms]:
    """Return the images of a file as ASE reads them.

    :raises FramesError: there is none, or the file is not extended XYZ.
    """
    from aiida_seireact.formats.frames import FramesError

    try:
        images = cast(list[Atoms], ase_read(path, index=":", format="extxyz"))
    except Exception as error:  # ASE raises whatever its parser met
        raise FramesError(f"{path} is not readable as extxyz ({error}): check that it is complete.") from error
    if not images:
        raise FramesError(f"{path} holds no frame: check that it is complete.")
    return images


def level_of(images: Sequence[Atoms], path: str | Path, settings_hash: str = "") -> str:
    """Return the hash of the level of theory that the headers tell, else the one given.

    :raises FramesError: the headers tell two, or another than the one given.
    """
    from aiida_seireact.formats.frames import FramesError

    told = sorted({str(atoms.info.get("settings_hash", "")) for atoms in images})
    if len(told) > 1:
        raise FramesError(
            f"{path} holds frames of {len(told)} levels of theory ({', '.join(name[:12] or 'none' for name in told)}): "
            "write a file for each."
        )
    if told[0] and settings_hash and told[0] != settings_hash:
        raise FramesError(
            f"{path} tells the level of theory of its labels ({told[0][:12]}), which is not the one given "
            f"({settings_hash[:12]}): give none, or remove settings_hash and frame_id from its headers."
        )
    return told[0] or settings_hash


def check_ids(frames: Frames, images: Sequence[Atoms], path: str | Path) -> None:
    """Refuse frames that are not what their frame id says.

    :raises FramesError: naming the first.
    """
    from aiida_seireact.formats.frames import FramesError

    for index, (frame_id, atoms) in enumerate(zip(frames.frame_ids, images, strict=True)):
        if atoms.info.get("frame_id", frame_id) != frame_id:
            raise FramesError(
                f"Frame {index} of {path} is not what its frame_id says: it was changed, or written with fewer digits. "
                "Remove settings_hash and frame_id from the headers if that was meant."
            )


def splits_of(images: Sequence[Atoms]) -> list[str] | None:
    """Return the part of a dataset of each image, None if not all of them tell one."""
    splits = [str(atoms.info.get("split", "")) for atoms in images]
    return splits if all(splits) else None

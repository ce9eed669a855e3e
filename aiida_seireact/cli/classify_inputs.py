"""What ``aiida-seireact classify`` is given on the command line, as a job of ``seireact-classify``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from aiida_seireact.formats import files
from aiida_seireact.formats.dump import DumpError
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames, FramesError

READ_BY_ASE = (".extxyz", ".xyz", ".cif", ".traj", ".vasp", ".xml")
DUMPS = (".dump", ".lammpstrj", ".lammpsdump", ".bin")
PACKED = (".gz", ".zst")


def phase_of(path: Path) -> str:
    """Return the name a file gives to its phase: without ``.dump.gz`` and the like."""
    name = path.name
    for end in PACKED:
        name = name.removesuffix(end)
    for end in (*DUMPS, *READ_BY_ASE, ".npz"):
        name = name.removesuffix(end)
    return name


def reference_files(words: Sequence[str]) -> dict[str, list[Path]]:
    """Return the files of each reference phase.

    :param words: ``NAME=PATH``, or a path alone: a file is a phase of its name; of a folder each file and each folder
        within is one.
    :raises click.ClickException: no such file, or nothing in a folder.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        path = Path(text if equals else word)
        if not path.exists():
            raise click.ClickException(
                f"--reference {word}: there is no file or folder {path}. Give a file of frames of a pure phase "
                "(NAME=PATH names it), or a folder of such files."
            )
        if equals or path.is_file():
            found.setdefault(name if equals else phase_of(path), []).extend(_within(path))
            continue
        inside = sorted(item for item in path.iterdir() if not item.name.startswith(".") and _is_frames(item))
        if not inside:
            raise click.ClickException(f"--reference {word}: the folder {path} holds no files of frames.")
        for item in inside:
            found.setdefault(phase_of(item), []).extend(_within(item))
    return found


def _is_frames(path: Path) -> bool:
    name = path.name
    for end in PACKED:
        name = name.removesuffix(end)
    return path.is_dir() or name.endswith((*DUMPS, *READ_BY_ASE, ".npz"))


def _within(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(item for item in path.iterdir() if item.is_file() and _is_frames(item))
    if not found:
        raise click.ClickException(f"--reference: the folder {path} holds no files of frames.")
    return found


def readable(path: Path, folder: Path) -> Path:
    """Return a file the program reads: dumps and ``.npz`` as they are, what ASE reads as frames in ``folder``.

    :raises click.ClickException: ASE can't read it.
    """
    if path.suffix not in READ_BY_ASE:
        return path.absolute()
    from ase.io import read

    target = folder / f"{path.stem}.npz"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}_{number}.npz"
    try:
        Frames.from_atoms(read(path, index=":"), labels="ignore").save(target)
    except Exception as error:  # whatever a reader of ASE met
        reason = " ".join(str(error).split()) or type(error).__name__
        raise click.ClickException(f"{path} can't be read ({reason}): is it whole, and of a known form?") from None
    return target.absolute()


def species_of(*groups: Sequence[Path]) -> list[str]:
    """Return the elements of the first frame of each group of files, in the order of the default descriptors.

    :raises click.ClickException: an unreadable file.
    """
    from ase.data import chemical_symbols

    from aiida_seireact.science.descriptors import usual_order

    numbers: set[int] = set()
    for paths in groups:
        for path in paths:
            try:
                numbers |= set(next(iter(FrameStream([path]))).numbers.tolist())
            except (DumpError, FramesError) as error:
                raise click.ClickException(str(error)) from None
    return usual_order(chemical_symbols[number] for number in numbers)


def spec_of_classifier(path: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the descriptors a classifier was made with.

    :param asked: keys of the spec that the user named.
    :raises click.ClickException: no classifier, or one made with others than were asked for.
    """
    from aiida_seireact.formats.phases import PhasesError, load_classifier
    from aiida_seireact.programs._classify_known import spec_complaint

    try:
        spec = load_classifier(path)[1]
    except PhasesError as error:
        raise click.ClickException(str(error)) from None
    if message := spec_complaint(asked, spec, str(path)):
        raise click.ClickException(message)
    return spec.to_dict()


def classifier_file(path: Path) -> Path:
    """Return ``phases.npz`` of a folder, or the file itself."""
    return path / files.PHASES if path.is_dir() else path


def make_job(
    trajectory: Sequence[Path],
    references: Mapping[str, Sequence[Path]],
    *,
    skip_first: int,
    stride: int,
    reference_skip: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the job of the program."""
    return {
        **settings,
        "trajectory": {"files": [str(path) for path in trajectory], "skip_first": skip_first, "stride": stride},
        "references": {
            name: {"files": [str(path) for path in paths], "skip_first": reference_skip}
            for name, paths in references.items()
        },
    }

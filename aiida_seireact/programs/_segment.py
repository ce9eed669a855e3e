"""What surrounds the run of a segment, whichever LAMMPS runs it: what it begins with, and what it leaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from aiida_seireact.formats import files
from aiida_seireact.formats.compute_tables import TableError, joined_tables, load_tables, read_table, save_tables
from aiida_seireact.formats.dump_bytes import packing
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.lmp import CheckedFile, LmpJob
from aiida_seireact.formats.killed_segment import Past, take_over
from aiida_seireact.formats.lammps_input import FINAL_RESTART_FILE, START_RESTART_FILE
from aiida_seireact.formats.manifest import (
    ManifestError,
    chunk,
    compress,
    drop_broken_end,
    verify,
    write_manifest,
)
from aiida_seireact.formats.restart_file import RestartError, restart_step
from aiida_seireact.formats.thermo import ThermoError, joined, load_thermo, read_thermo, save_thermo
from aiida_seireact.programs._lammps_run import open_lammps
from aiida_seireact.programs._program import Progress


def take_over_killed(job: LmpJob, folder: Path, progress: Progress) -> Past | None:
    """Go on from where a killed try of the same segment came to, if there was one that left something."""
    if job.resume is None:
        return None
    past = take_over(
        folder / job.resume,
        folder,
        first_step=job.first_step,
        dumps=job.dumps,
        tables=job.tables,
        refusal=unreadable,
        say=progress,
    )
    if past is not None:
        progress(f"goes on from step {past.step}, where the killed try wrote its last good restart file")
    return past


def unreadable(restart: Path) -> str:
    """Return why LAMMPS does not read a restart file, an empty string if it does."""
    try:
        lmp = open_lammps("none")
    except MissingPackage:
        return ""  # the LAMMPS that runs it is another one: its marks must do
    try:
        lmp.command(f"read_restart {restart}")
    except Exception as error:  # the library raises a bare Exception
        return f"LAMMPS does not read it ({str(error).splitlines()[0]})"
    finally:
        lmp.close()
    return ""


def with_reference_volume(job: LmpJob, past: Past | None, folder: Path) -> LmpJob:
    """Return the job with the volume of the segment's first step, where the first try has seen it."""
    if past is None or job.reference_volume_ang3 is not None:
        return job
    volume = float(load_thermo(folder / past.pieces[0].thermo)["Volume"][0])
    return job.model_copy(update={"reference_volume_ang3": volume})


def counted(outputs: dict[str, Any], job: LmpJob, past: Past | None) -> dict[str, Any]:
    """Return the outputs with steps counted over all tries of the segment."""
    if past is None:
        return outputs
    before = past.step - job.first_step
    return {
        **outputs,
        "first_step": job.first_step,
        "steps_done": outputs["steps_done"] + before,
        "steps_asked": outputs["steps_asked"] + before,
    }


def conclude(
    dumps: Sequence[str], folder: Path, log: str, past: Past | None, job: LmpJob, *, mend: bool
) -> dict[str, Any]:
    """Bring the output of all tries into one table and one manifest.

    :param dumps: names of the dumps that this try wrote.
    :param mend: frames at the end that are cut or have lost atoms are dropped.
    :raises ProgramFailed: a dump or a table that is not whole.
    """
    pieces = past.pieces if past else ()
    own = set(job.further.values())

    def chunks_of(names: Sequence[str], *, of: Callable[[str], bool]) -> list[dict[str, Any]]:
        earlier = [piece.dumps[name] for piece in pieces for name in piece.dumps if of(name)]
        return manifest([*earlier, *names], folder, job.compress, mend=mend)

    main = chunks_of([name for name in dumps if name not in own], of=lambda name: name not in own)
    further = {key: chunks_of([file] if file in dumps else [], of=file.__eq__) for key, file in job.further.items()}
    if main or any(further.values()):
        write_manifest(folder / files.MANIFEST, main, further)
    return {
        "manifest": main,
        **({"dumps": further} if further else {}),
        "computed": _computed(folder, past, job.tables),
        "n_tries": 1 if past is None else 1 + len(past.pieces),
        "thermo": _thermo(folder, log, past),
    }


def restart_of(folder: Path, last_step: int) -> dict[str, Any] | None:
    """Describe the restart file of the end of the run; None if it has written none.

    :raises ProgramFailed: it is torn.
    """
    path = folder / FINAL_RESTART_FILE
    if not path.is_file():
        return None
    try:
        step = restart_step(path)
    except RestartError as error:
        raise ProgramFailed(str(error)) from error
    if step != last_step:
        return None  # of another run in this folder
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": path.name, "sha256": digest, "bytes": path.stat().st_size, "step": step}


def _thermo(folder: Path, log: str, past: Past | None) -> str | None:
    """Write the thermo table of all tries; None where the input of somebody else has none that can be read.

    :raises ProgramFailed: earlier tries have one, and this one none that goes on from it.
    """
    try:
        own = read_thermo(folder / log)
        tables = [load_thermo(folder / piece.thermo) for piece in past.pieces] if past else []
        save_thermo(folder / files.THERMO, joined([*tables, own]))
    except ThermoError as error:
        if past is not None:
            raise ProgramFailed(str(error)) from error
        return None
    return files.THERMO


def _computed(folder: Path, past: Past | None, names: Iterable[str]) -> str | None:
    """Write what was computed in all tries by the name of the quantity; None where nothing was asked for.

    :raises ProgramFailed: a file is missing or damaged.
    """
    tables = {}
    try:
        for name in names:
            earlier = [load_tables(folder / piece.tables[name])[name] for piece in past.pieces] if past else []
            tables[Path(name).stem] = joined_tables([*earlier, read_table(folder / name)])
    except TableError as error:
        raise ProgramFailed(str(error)) from error
    if not tables:
        return None
    save_tables(folder / files.COMPUTED, tables)
    return files.COMPUTED


def check_start(start: CheckedFile, folder: Path) -> None:
    """Refuse a cell that is not the one that was built: MD of another would be taken for MD of this one.

    :raises InvalidInput: it is missing, cut or another.
    """
    try:
        verify(folder, [start.model_dump()])
    except ManifestError as error:
        if start.file == START_RESTART_FILE:
            raise InvalidInput(
                f"The restart file to go on from can't be used: {error} If scratch was purged, run the segment before "
                "again with caching off, and retrieve or stash restart files from then on."
            ) from error
        raise InvalidInput(
            f"The cell to start from can't be used: {error} If its folder was cleaned, build it again: the same recipe "
            "gives the same bytes."
        ) from error


def manifest(dumps: list[str], folder: Path, pack: str, *, mend: bool = False) -> list[dict[str, Any]]:
    """Compress and describe the dump files; `*` in a name stands for one file a frame.

    :param mend: frames at the end that are cut or have lost atoms are dropped.
    """
    dumped = [path for name in dumps for path in sorted(folder.glob(name.replace("%", "*")), key=_by_number)]
    chunks = []
    for path in dumped:
        if not path.stat().st_size:
            continue  # a segment shorter than the dump's interval
        try:
            if mend and not packing(path):
                try:
                    drop_broken_end(path)
                except ManifestError:
                    continue  # it flew apart before its first frame was whole
            packed = path if pack == "none" else compress(path, pack)
            chunks.append(chunk(packed))
        except ManifestError as error:
            raise ProgramFailed(str(error)) from error
    return chunks


def _by_number(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]

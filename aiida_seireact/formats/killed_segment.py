"""What a killed MD segment has left: where it can go on from, and what of its output was before that.

A killed run leaves restart files written in turn, of which the newest may be torn, and dumps and a log that end
somewhere after it, perhaps within a line. What lies after the restart is run again, so it is dropped; what lies before
is copied to the folder of the next try, with a note of it that is written last.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.compute_tables import TableError, missing_steps, read_table, save_tables
from aiida_seireact.formats.halt import STOP_FILE
from aiida_seireact.formats.lammps_input import FINAL_RESTART_FILE, TURN_RESTART_FILES
from aiida_seireact.formats.manifest import ManifestError, copy_until
from aiida_seireact.formats.restart_file import RestartError, restart_step
from aiida_seireact.formats.thermo import ThermoError, read_thermo, save_thermo, up_to

NOTE = "past.json"
RESUME_RESTART_FILE = "resume.restart"
PACKED = ("", ".gz", ".zst")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Piece:
    """The output of one try up to the restart file that the next one went on from.

    :param until_step: the step of that restart file.
    :param thermo: file of its thermo table, see `save_thermo`.
    :param dumps: by the name of the dump, the file that holds its frames; without those that have none.
    :param tables: by the file of a computed quantity, the one that holds its rows, see `save_tables`.
    """

    until_step: int
    thermo: str
    dumps: dict[str, str]
    tables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Past:
    """All that earlier tries of a segment have done.

    :param pieces: in order, one a try.
    """

    pieces: tuple[Piece, ...]

    @property
    def step(self) -> int:
        """The step to go on from."""
        return self.pieces[-1].until_step


def read_past(folder: Path) -> Past | None:
    """Return what the earlier tries of the segment in ``folder`` have done, None if it is the first one."""
    try:
        content = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return Past(tuple(Piece(**piece) for piece in content["pieces"]))


def take_over(
    killed: Path,
    folder: Path,
    *,
    first_step: int,
    dumps: Mapping[str, int],
    refusal: Callable[[Path], str],
    say: Say,
    tables: Mapping[str, int] | None = None,
) -> Past | None:
    """Bring what a killed try has done to ``folder``, and the newest restart file that can be used.

    A restart file can be used if it is whole, LAMMPS reads it, and all frames and thermo rows up to it are there.

    :param killed: working folder of the killed try; in there, under the same name, that of the try before, if it was
        a resumption.
    :param first_step: where the segment began.
    :param dumps: steps from frame to frame of each dump.
    :param refusal: returns why LAMMPS does not read a restart file; an empty string if it does.
    :param say: told which files are passed over, and why.
    :param tables: steps from row to row of each file of computed quantities.
    :returns: None if there is nothing to go on from: the segment then starts over.
    :raises OSError: the disk is full.
    """
    if not killed.is_dir():
        say("the folder of the killed try is gone, so the segment starts over")
        return None
    earlier = read_past(killed)
    pieces = earlier.pieces if earlier else ()
    begun = earlier.step if earlier else first_step
    for step, source in _restarts(killed, begun, say):
        if reason := refusal(source):
            say(f"{source.name} of the killed try is passed over: {reason}")
            continue
        try:
            newest = _piece(killed, folder, len(pieces), begun, step, dumps, tables or {})
        except (ManifestError, TableError, ThermoError) as error:
            say(f"{source.name} of the killed try is passed over: {error}")
            continue
        return _settled(killed, folder, source, (*pieces, newest))
    if earlier is not None and not refusal(killed / RESUME_RESTART_FILE):
        return _settled(killed, folder, killed / RESUME_RESTART_FILE, pieces)
    # A try that was killed before it had taken over (a node that fails at once) still links the one before it.
    if (killed / killed.name).is_dir():
        say("the killed try has not come so far as to go on itself; what the one before it has left is looked at")
        return take_over(
            killed / killed.name, folder, first_step=first_step, dumps=dumps, refusal=refusal, say=say, tables=tables
        )
    say("the killed try has left no restart file to go on from, so the segment starts over")
    return None


def _restarts(killed: Path, begun: int, say: Say) -> list[tuple[int, Path]]:
    """Return the restart files that the try itself has written, whole ones, newest first."""
    found = []
    for name in (*TURN_RESTART_FILES, FINAL_RESTART_FILE):
        path = killed / name
        if not path.is_file():
            continue
        try:
            step = restart_step(path)
        except RestartError as error:
            say(f"a restart file of the killed try is passed over: {error}")
            continue
        if step > begun:
            found.append((step, path))
    return sorted(found, key=lambda pair: -pair[0])


def _piece(
    killed: Path,
    folder: Path,
    number: int,
    begun: int,
    step: int,
    dumps: Mapping[str, int],
    tables: Mapping[str, int],
) -> Piece:
    """Copy what the try has written up to ``step``.

    :raises ManifestError, TableError, ThermoError: frames or rows up to there are missing: the machine died before
        they were on disk.
    """
    table = up_to(read_thermo(killed / files.LAMMPS_LOG), step)
    if not len(table["Step"]) or table["Step"][-1] < step:
        raise ThermoError(f"{files.LAMMPS_LOG} ends before step {step}.")
    taken = {}
    for name, every in dumps.items():
        source = next((killed / f"{name}{suffix}" for suffix in PACKED if (killed / f"{name}{suffix}").is_file()), None)
        # The first segment of a run dumps its first step too.
        expected = step // every - begun // every + (1 if begun == 0 else 0)
        target = folder / f"past_{number:02d}_{name}"
        n_frames = 0 if source is None else copy_until(source, target, step)[0]
        if n_frames != expected:
            raise ManifestError(f"{name} holds {n_frames} of the {expected} frames up to step {step}.")
        if n_frames:
            taken[name] = target.name
        else:
            target.unlink(missing_ok=True)
    thermo = f"past_{number:02d}_{files.THERMO}"
    save_thermo(folder / thermo, table)
    computed = {name: _table(killed, folder, name, number, begun, step, every) for name, every in tables.items()}
    return Piece(step, thermo, taken, computed)


def _table(killed: Path, folder: Path, name: str, number: int, begun: int, step: int, every: int) -> str:
    table = read_table(killed / name).up_to(step)
    if lacking := missing_steps(table, begun=begun, until=step, every=every):
        raise TableError(f"{name} lacks step {lacking[0]}.")
    target = f"past_{number:02d}_{name}.npz"
    save_tables(folder / target, {name: table})
    return target


def _settled(killed: Path, folder: Path, restart: Path, pieces: Sequence[Piece]) -> Past:
    """Bring the rest, and write down what is there, last."""
    brought = []
    for piece in pieces:
        for name in (piece.thermo, *piece.tables.values()):
            if not (folder / name).exists():
                _bring(killed / name, folder / name)
        dumps = {name: _bring_dump(file, killed, folder) for name, file in piece.dumps.items()}
        brought.append(Piece(piece.until_step, piece.thermo, dumps, piece.tables))
    # Copied: where the old LAMMPS still runs on a lost node, it writes to the same file again.
    shutil.copyfile(restart, folder / RESUME_RESTART_FILE)
    if restart.name == FINAL_RESTART_FILE and (killed / STOP_FILE).is_file():
        # It was ended softly, and killed while it packed what it had written: the wish still holds.
        shutil.copyfile(killed / STOP_FILE, folder / STOP_FILE)
    past = Past(tuple(brought))
    write_json(folder / NOTE, asdict(past))
    return past


def _bring_dump(file: str, killed: Path, folder: Path) -> str:
    """Bring the frames of an earlier try, and return their file: a kill while dumps are packed leaves some packed."""
    if (folder / file).exists():
        return file
    found = next(name for name in (f"{file}{suffix}" for suffix in PACKED) if (killed / name).is_file())
    _bring(killed / found, folder / found)
    return found


def _bring(source: Path, target: Path) -> None:
    """Link a file that nobody writes any more, or copy it where links can't be."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

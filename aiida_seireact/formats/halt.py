"""How a running segment is ended softly: by a file that anybody may put into its folder, or by a disk almost full.

LAMMPS itself looks for both every few steps (``fix halt``), ends its run and writes its restart file: the same
holds for whichever LAMMPS runs, and for a person, a monitor and a full disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

STOP_FILE = "STOP"
HEALTH, ASKED, DISK = "health", "asked", "disk"
# Of these, what is there is sound, and can be gone on with.
SOUND = (ASKED, DISK)
CHECK_EVERY = 10
# Room for what is written at the end: restart file and final cell, about 200 bytes an atom.
DISK_FREE_MIN_MB = 200
ATOMS_PER_MB = 5000

_HALT = re.compile(r"^Fix halt condition for fix-id (\S+) met on step (\d+)", re.MULTILINE)


def halt_lines() -> list[str]:
    """Return the lines of an input that make LAMMPS look."""
    return [
        f"variable        {ASKED} equal is_file({STOP_FILE})",
        f"fix             {ASKED} all halt {CHECK_EVERY} v_{ASKED} != 0 error soft",
        f"fix             {DISK} all halt {CHECK_EVERY} diskfree < $({DISK_FREE_MIN_MB}+atoms/{ATOMS_PER_MB}) "
        "error soft path .",
    ]


def stop_request(sentence: str, *, unhealthy: bool = False) -> str:
    """Return the content of a stop file.

    :param unhealthy: the run has left what its model knows: the end is a result of the run, not a wish.
    """
    return f"{HEALTH if unhealthy else ASKED}: {sentence}\n"


def read_halt(folder: Path, log: str) -> dict[str, Any] | None:
    """Return why a run was halted: ``reason`` (one of the three), ``step`` and ``message``; None if it was not."""
    try:
        text = (folder / log).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    found = [match for match in _HALT.finditer(text) if match[1] in (ASKED, DISK)]
    if not found:
        return None
    name, step = found[-1][1], int(found[-1][2])
    if name == DISK:
        message = f"{DISK}: less than {DISK_FREE_MIN_MB} MB and 200 bytes an atom are free on its disk"
        return {"reason": DISK, "step": step, "message": message}
    message = _wish(folder / STOP_FILE)
    return {"reason": HEALTH if message.startswith(HEALTH) else ASKED, "step": step, "message": message}


def _wish(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    sentence = lines[0][:300] if lines else f"somebody put a file {STOP_FILE} into its folder"
    return sentence if sentence.startswith((HEALTH, ASKED)) else f"{ASKED}: {sentence}"

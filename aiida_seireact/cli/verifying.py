"""``python -m aiida_seireact.cli.verifying FOLDER WORK``: the part of `verify` that runs in a process of its own.

AIIDA_PATH is to be an empty folder. Each check is a line of JSON on stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

NO_ROOM = 28
"""Exit status where the disk is full, or the quota."""


def main(folder: Path, work: Path) -> None:
    """Make a profile, and look at a bundle in it."""
    from aiida_seireact.publishing.bundle import is_full
    from aiida_seireact.publishing.verify import make_profile, verify_graph

    try:
        make_profile()
        for check in verify_graph(folder, work, write_reports, say):
            print(json.dumps({"name": check.name, "wrong": check.wrong, "said": check.said}), flush=True)
    except Exception as error:
        if is_full(error):
            sys.exit(NO_ROOM)
        raise


def write_reports(tops: Sequence[ProcessNode], folder: Path) -> None:
    """Write the report of processes into a folder, without pictures: those of a bundle are beside it."""
    from aiida_seireact.cli.report import write_reports

    write_reports(tops, folder, ())


def say(line: str) -> None:
    """Write a line of progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

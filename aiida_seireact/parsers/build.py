"""The report of ``seireact-build`` as a node; the cell stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.parsers.base import ProgramParser


class BuildParser(ProgramParser):
    """Output ``report``: what the cell is, and the sha256 by which a job that reads it knows it."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        if not result["files"] or not all(len(told["sha256"]) == 64 for told in result["files"].values()):
            raise ValueError("a file of the cell has no sha256")
        self.out("report", orm.Dict(result))
        return None

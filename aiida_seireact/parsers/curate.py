"""Verdicts of ``seireact-curate`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.formats import files
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class CurateParser(ProgramParser):
    """Outputs ``verdicts`` (a row for each frame) and ``report`` (counts, and who is unusual)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("verdicts", arrays_of(folder / files.CURATION))
        self.out("report", orm.Dict(result))
        return None

"""Numbers and series of ``seireact-analyse`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.formats import files
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class AnalyseParser(ProgramParser):
    """Outputs ``analysis`` (numbers) and ``analysis_arrays`` (series)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("analysis_arrays", arrays_of(folder / files.ANALYSIS))
        self.out("analysis", orm.Dict(result))
        return None

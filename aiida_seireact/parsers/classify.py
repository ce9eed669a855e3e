"""Classifier and labels of ``seireact-classify`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.calculations.classify import LABELS_FILE
from aiida_seireact.data.phases import PHASES_FILE, PhasesData
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class ClassifyParser(ProgramParser):
    """Outputs ``phases`` (the classifier), ``classification`` (numbers) and ``labels`` (every environment)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("phases", PhasesData(folder / PHASES_FILE))
        self.out("labels", arrays_of(folder / LABELS_FILE))
        self.out("classification", orm.Dict(result))
        return None

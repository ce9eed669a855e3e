"""Classifier and labels of ``seireact-classify`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.phases import PhasesData
from aiida_seireact.formats import files
from aiida_seireact.parsers.base import ProgramParser
from aiida_seireact.parsers.classify_parts import attach_discovery, labels_of


class ClassifyParser(ProgramParser):
    """Outputs ``phases`` (the classifier), ``classification`` (numbers), ``labels``, and what unknown clusters are."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("phases", PhasesData(folder / files.PHASES))
        self.out("labels", labels_of(folder / files.LABELS, result["labels"]["chunks"]))
        attach_discovery(self, result, folder)
        self.out("classification", orm.Dict(result))
        return None

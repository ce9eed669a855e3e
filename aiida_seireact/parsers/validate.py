"""Scores and predictions of ``seireact-validate`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.formats import files
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class ValidateParser(ProgramParser):
    """Outputs ``scores`` (the numbers of each line) and ``predictions``; what the clock said stays in the file."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        for name in ("files", "timing"):
            result.pop(name)
        inputs = self.node.inputs
        result["model_hash"] = inputs.potential.model_hash
        result["dataset_hash"] = inputs.dataset.content_hash if "dataset" in inputs else ""
        self.out("predictions", arrays_of(folder / files.VALIDATION))
        self.out("scores", orm.Dict(result))
        return None

"""Frames of ``seireact-select`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class SelectParser(ProgramParser):
    """Outputs ``frames`` (to label), ``selection`` (a row for each frame seen) and ``choice`` (rule and numbers)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("frames", FramesData(Frames.load(folder / files.SELECTED)))
        self.out("selection", arrays_of(folder / files.SELECTION))
        self.out("choice", orm.Dict(result))
        return None

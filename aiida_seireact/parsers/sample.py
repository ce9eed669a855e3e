"""Frames of ``seireact-sample`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser, arrays_of


class SampleParser(ProgramParser):
    """Outputs ``frames`` and ``atoms`` (to label), ``selection`` (a row for each frame drawn), ``choice`` and
    ``coverage``."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        self.out("frames", FramesData(Frames.load(folder / files.SAMPLED)))
        if "atoms" in result["files"]:
            self.out("atoms", FramesData(Frames.load(folder / files.ISOLATED_ATOMS)))
        self.out("selection", arrays_of(folder / files.SELECTION))
        self.out("choice", orm.Dict(result["choice"]))
        self.out("coverage", orm.Dict(result["coverage"]))
        return None

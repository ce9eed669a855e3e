"""Labelled frames of ``seireact-label`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.calculations.ase import LABELLED_FILE
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser


class AseParser(ProgramParser):
    """Output ``frames`` holds what could be labelled, ``failures`` says what could not and why."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        failures = result["failures"]
        self.out("failures", orm.Dict({"failures": failures}))
        if not result["n_labelled"]:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(message=failures[0]["reason"])
        self.out("frames", FramesData(Frames.load(folder / LABELLED_FILE)))
        return None

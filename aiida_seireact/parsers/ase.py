"""Labelled frames of ``seireact-label`` as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser


class AseParser(ProgramParser):
    """Output ``frames`` holds what could be labelled, ``failures`` says what could not and why."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        if "isolated_atoms_ev" in result:
            source = f"isolated atoms of the labeller {result['calculator']['calculator']}"
            self.out("isolated_atoms", orm.Dict({"energies_ev": result["isolated_atoms_ev"], "source": source}))
            return None
        self.out("failures", orm.Dict({"failures": result["failures"], "reports": result.get("reports", [])}))
        self.out("frames", FramesData(Frames.load(folder / files.LABELLED)))
        return None

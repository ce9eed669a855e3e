"""Labelled frames of ``seireact-label`` as nodes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.finished import read_finished, write_finished
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser


class AseParser(ProgramParser):
    """Output ``frames`` holds what could be labelled, ``failures`` says what could not and why."""

    CACHE_VERSION = 2

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        self.out("labeller", orm.Dict({**result["calculator"], "settings_hash": result["settings_hash"]}))
        if "isolated_atoms_ev" in result:
            source = f"isolated atoms of the labeller {result['calculator']['calculator']}"
            self.out("isolated_atoms", orm.Dict({"energies_ev": result["isolated_atoms_ev"], "source": source}))
            return None
        self.out("failures", orm.Dict({"failures": result["failures"], "reports": result.get("reports", [])}))
        self.out("frames", FramesData(Frames.load(folder / files.LABELLED)))
        return None

    def rescue(self, folder: Path) -> None:
        """Output ``partial``: the whole records of what was finished, in an order of their own."""
        records = read_finished(folder / files.FINISHED)
        if not records:
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / files.FINISHED
            write_finished(path, records)
            self.out("partial", orm.SinglefileData(path))

"""Frames of a REFTRAJ run of CP2K become arrays, each with its mark of convergence."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser
from ase.data import atomic_numbers

from aiida_seireact.formats.cp2k_output import Cp2kOutput, read_output


class Cp2kLabelParser(Parser):
    """Parses ``cp2k`` of aiida-cp2k: whole frames are outputs, whatever became of the run after them.

    ``output_parameters`` holds version, end of the run and number of whole frames; ``output_labels``, missing if there
    is none, the arrays ``converged`` (n,), ``energy`` (n,), ``forces`` and ``positions`` (n, n_atoms, 3), ``cells``
    (n, 3, 3), ``numbers`` (n, n_atoms) and, where asked for, ``stress`` (n, 6); eV and Å, signs of ASE.
    """

    CACHE_VERSION = 1

    def parse(self, **_: Any) -> ExitCode | None:
        name, process = self.node.get_option("output_filename"), self.node.process_class
        stdout = self._content(name)
        if stdout is None:
            return self._scheduler_said() or self.exit_codes.ERROR_OUTPUT_MISSING
        output = read_output(
            stdout,
            self._content(process._DEFAULT_TRAJECT_XYZ_FILE_NAME) or "",
            self._content(process._DEFAULT_TRAJECT_CELL_FILE_NAME) or "",
        )
        self.out(
            "output_parameters",
            orm.Dict(
                {
                    "version": output.version,
                    "frames": len(output.frames),
                    "abort": output.abort,
                    "finished": output.finished,
                }
            ),
        )
        if output.frames:
            self.out("output_labels", arrays_of(output))
        if scheduler := self._scheduler_said():
            return scheduler
        if output.abort is not None:
            return self.exit_codes.ERROR_OUTPUT_CONTAINS_ABORT
        if not output.finished:
            return self.exit_codes.ERROR_OUTPUT_INCOMPLETE
        return None

    def _content(self, name: str) -> str | None:
        if name not in self.retrieved.base.repository.list_object_names():
            return None
        # A killed run may end within anything.
        return self.retrieved.base.repository.get_object_content(name, mode="rb").decode(errors="replace")

    def _scheduler_said(self) -> ExitCode | None:
        """Return what the scheduler said (out of time, out of memory): it knows better than half an output."""
        if self.node.exit_status is None:
            return None
        return ExitCode(self.node.exit_status, self.node.exit_message)


def arrays_of(output: Cp2kOutput) -> orm.ArrayData:
    """Return the frames of a run, of which there is at least one, as arrays."""
    frames = output.frames
    node = orm.ArrayData()
    node.set_array("converged", np.array([frame.converged for frame in frames]))
    node.set_array("energy", np.array([frame.energy for frame in frames]))
    node.set_array("forces", np.array([frame.forces for frame in frames]))
    node.set_array("positions", np.array([frame.positions for frame in frames]))
    node.set_array("cells", np.array([frame.cell for frame in frames]))
    node.set_array("numbers", np.array([[atomic_numbers[symbol] for symbol in frame.symbols] for frame in frames]))
    stress = [frame.stress for frame in frames if frame.stress is not None]
    if len(stress) == len(frames):
        node.set_array("stress", np.array(stress))
    return node

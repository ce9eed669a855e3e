"""Labels of CP2K as nodes: what the parsers of aiida-cp2k leave out, stress and convergence of each frame."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser
from ase.data import atomic_numbers
from ase.units import Bohr, GPa, Hartree
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.formats.cp2k_output import Cp2kFrame, Cp2kOutput, read_cells, read_output, read_positions

XX_YY_ZZ_YZ_XZ_XY = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
# Exit codes of the plugin `cp2k` (aiida-cp2k 2.1.1).
OUTPUT_MISSING, OUTPUT_INCOMPLETE, ABORTED = 210, 303, 304
POSITIONS, CELLS = "aiida-pos-1.xyz", "aiida-1.cell"
STANDARD_ERROR = "_scheduler-stderr.txt"


class Cp2kParser(Parser):
    """Parser of the plugin `cp2k` for jobs of many frames.

    ``output_parameters`` says how far the job came, ``labels`` holds the frames that are whole, in the order sent, in
    the units and signs of ASE: ``energy`` ``(n,)``, ``forces`` ``(n, n_atoms, 3)``, ``stress`` ``(n, 6)``, not a number
    where CP2K printed none, ``positions``, ``cells``, ``numbers`` ``(n_atoms,)``, and ``scf_steps`` ``(n,)``, 0 where
    the SCF did not converge. A frame that did not converge is no failure of the job.
    """

    CACHE_VERSION = 1

    def parse(self, **_: object) -> ExitCode | None:
        output = read_output(self.text(self.node.get_option("output_filename")))
        symbols, positions = read_positions(self.text(POSITIONS))
        cells = read_cells(self.text(CELLS))
        whole = whole_frames(output.frames)[: min(len(positions), len(cells))]
        self.out(
            "output_parameters",
            orm.Dict(
                {
                    "version": output.version,
                    "frames_begun": len(output.frames),
                    "frames_whole": len(whole),
                    "abort": output.abort,
                    "kinds_sha256": output.kinds_sha256,
                }
            ),
        )
        if whole:
            self.out("labels", labels_of(whole, symbols, positions[: len(whole)], cells[: len(whole)]))
        return self.verdict(output)

    def verdict(self, output: Cp2kOutput) -> ExitCode | None:
        """Return how the job failed, None if it came to its end."""
        # 0 is no verdict: a worker killed while it stored the outputs leaves it, and the job is parsed again.
        if self.node.exit_status:
            # The scheduler has spoken (out of time, out of memory); it knows better than half an output.
            return ExitCode(self.node.exit_status, self.node.exit_message)
        if output.abort:
            return ExitCode(ABORTED, f"CP2K stopped: {output.abort}")
        if output.ended:
            return None
        words = self.text(STANDARD_ERROR).strip().splitlines()
        last = f"the job's last words: {words[-1].strip()}" if words else "it left no word why"
        if not output.version:
            return ExitCode(OUTPUT_MISSING, f"CP2K left no output; {last}")
        return ExitCode(OUTPUT_INCOMPLETE, f"CP2K was killed at its frame {len(output.frames)}; {last}")

    def text(self, name: str) -> str:
        """Return a retrieved file, an empty string if there is none."""
        repository = self.retrieved.base.repository
        return str(repository.get_object_content(name)) if name in repository.list_object_names() else ""


def whole_frames(frames: list[Cp2kFrame]) -> list[Cp2kFrame]:
    """Return the frames up to the first that has no energy or no forces."""
    torn = [index for index, frame in enumerate(frames) if frame.energy_ha is None or frame.forces_au is None]
    return frames[: torn[0]] if torn else frames


def labels_of(
    frames: list[Cp2kFrame], symbols: list[str], positions: NDArray[np.float64], cells: NDArray[np.float64]
) -> orm.ArrayData:
    """Return whole frames in eV and Å."""
    arrays = {
        "energy": np.array([frame.energy_ha for frame in frames], dtype=np.float64) * Hartree,
        "forces": np.array([frame.forces_au for frame in frames], dtype=np.float64) * (Hartree / Bohr),
        "stress": np.array([stress_from_gpa(frame.stress_gpa) for frame in frames]),
        "scf_steps": np.array([frame.scf_steps if frame.converged else 0 for frame in frames]),
        "positions": positions,
        "cells": cells,
        "numbers": np.array([atomic_numbers[symbol] for symbol in symbols]),
    }
    node = orm.ArrayData()
    for name, array in arrays.items():
        node.set_array(name, array)
    return node


def stress_from_gpa(stress: ArrayLike | None) -> NDArray[np.float64]:
    """Return a stress of CP2K, ``(3, 3)`` in GPa and positive where the cell is compressed, as in ASE.

    :returns: ``(6,)`` xx yy zz yz xz xy, eV/Å³, negative where the cell is compressed; not a number for none.
    """
    if stress is None:
        return np.full(6, np.nan)
    return -np.asarray(stress, dtype=np.float64)[XX_YY_ZZ_YZ_XZ_XY] * GPa

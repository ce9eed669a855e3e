"""The trajectory of a LAMMPS segment as a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida.engine import ExitCode

from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.cell_files import species_of
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.thermo import read_thermo
from aiida_seireact.parsers.base import ProgramParser

# LAMMPS heads its tables with other words than its input takes; we keep those of the input.
KEYWORDS = {"PotEng": "pe", "KinEng": "ke", "TotEng": "etotal", "Volume": "vol"}


class LammpsParser(ProgramParser):
    """Output ``trajectory``; a run that the stop rule ended is a result, told by its ``stopped_by``."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        settings = SegmentSettings.model_validate(self.node.inputs.parameters.get_dict())
        thermo = read_thermo(folder / files.LAMMPS_LOG)
        inputs = self.node.inputs
        if "structure" in inputs:
            species = inputs.structure.base.attributes.get("species")
        else:
            species = species_of(inputs.cell.report["counts"])
        facts = {
            "n_atoms": result["n_atoms"],
            "species": species,
            "timestep_fs": settings.md.timestep_fs,
            "dump_every": settings.md.dump_every,
            "steps": result["steps_done"],
            "steps_asked": result["steps_asked"],
            "done": result["done"],
            "stopped_by": result["stopped_by"],
        }
        columns = {KEYWORDS.get(name, name.lower()): column for name, column in thermo.items()}
        self.out("trajectory", TrajectoryData(columns, manifest=result["manifest"], facts=facts))
        return None

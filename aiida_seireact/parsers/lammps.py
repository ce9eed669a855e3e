"""The trajectory of a LAMMPS segment as a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.cell_files import species_of
from aiida_seireact.formats.compute_tables import load_tables
from aiida_seireact.formats.halt import ASKED, DISK
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.manifest_rows import in_order
from aiida_seireact.formats.thermo import INPUT_WORDS, load_thermo
from aiida_seireact.parsers.base import ProgramParser


class LammpsParser(ProgramParser):
    """Outputs ``trajectory``, ``restart`` and ``performance``.

    A run that the stop rule or a time limit ended is a result, told by its ``stopped_by`` and ``done``.
    """

    CACHE_VERSION = 2

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        settings = SegmentSettings.model_validate(self.node.inputs.parameters.get_dict())
        facts = {
            "n_atoms": result["n_atoms"],
            "species": self._species(),
            "timestep_fs": settings.md.timestep_fs,
            "dump_every": settings.md.dump_every,
            "first_step": result["first_step"],
            "last_step": result["last_step"],
            "steps": result["steps_done"],
            "steps_asked": result["steps_asked"],
            "done": result["done"],
            "stopped_by": result["stopped_by"],
        }
        thermo = load_thermo(folder / files.THERMO)
        columns = {INPUT_WORDS.get(name, name.lower()): column for name, column in thermo.items()}
        if result.get("dumps"):
            facts["dumps"] = result["dumps"]
        computed = load_tables(folder / files.COMPUTED) if result.get("computed") else None
        trajectory = TrajectoryData(columns, manifest=result["manifest"], facts=facts, computed=computed)
        self.out("trajectory", trajectory)
        if result["restart"] is not None:
            where = {
                "n_atoms": result["n_atoms"],
                "species": self._types(),
                "reference_volume_ang3": result["reference_volume_ang3"],
            }
            if facts["species"] != in_order(where["species"]):
                where["present"] = facts["species"]  # types that a file counts, without an atom
            self.out("restart", RestartData({**result["restart"], **where}))
        counts = {name: result[name] for name in ("first_step", "last_step", "n_tries")}
        self.out("performance", orm.Dict({**result["performance"], **counts}))
        return self._ended_early(result["stopped_by"])

    def _ended_early(self, stopped: dict[str, Any] | None) -> ExitCode | None:
        """Return the exit code of a segment that is whole as far as it came, but no answer to the same question."""
        message = "" if stopped is None else stopped["message"].partition(": ")[2]
        if stopped is not None and stopped["reason"] == ASKED:
            return self.exit_codes.ERROR_STOPPED_ON_REQUEST.format(step=stopped["step"], message=message)
        if stopped is not None and stopped["reason"] == DISK:
            # The folder is told here only: in the outputs it would be content, and part of their hash.
            where = self.node.get_remote_workdir()
            return self.exit_codes.ERROR_DISK_FULL.format(
                message=f"{message} ({where}): make room and go on from there."
            )
        return None

    def _species(self) -> list[str]:
        """Return the elements of the run, by atomic number."""
        inputs = self.node.inputs
        if "structure" in inputs:
            return list(inputs.structure.base.attributes.get("species"))
        if "restart" in inputs:
            return list(inputs.restart.present)
        return species_of(inputs.cell.report["counts"])

    def _types(self) -> list[str]:
        """Return the element of each atom type, as the input was written."""
        inputs = self.node.inputs
        if "structure" in inputs:
            pair = SegmentSettings.model_validate(inputs.parameters.get_dict()).md.pair
            return pair.types_of(inputs.potential.species, inputs.structure.base.attributes.get("species"))
        return list(inputs.restart.species if "restart" in inputs else inputs.cell.report["species"])

"""What a safe start left, as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.jobs.start import StartSettings
from aiida_seireact.formats.lammps_start import tried_shifts
from aiida_seireact.formats.start_record import last_frame, read_record
from aiida_seireact.parsers.base import ProgramParser


class StartParser(ProgramParser):
    """Outputs ``frames``, ``record`` and ``thermo``; a start that its bounds ended is a result, told in ``record``."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        inputs = self.node.inputs
        settings = StartSettings.model_validate(inputs.parameters.get_dict())
        md = SegmentSettings.model_validate(inputs.production.get_dict()).md
        given = inputs.structure.to_ase()
        record, thermo = read_record(
            folder,
            files.LAMMPS_LOG,
            settings,
            md,
            n_atoms=len(given),
            shifts=tried_shifts(given, settings),
            stopped_by=result["stopped_by"],
        )
        atoms = last_frame(folder, record)
        # It stays the frame it was for who counts errors by type, or keeps a group together.
        atoms.info.update({key: given.info[key] for key in ("config_type", "group") if key in given.info})
        atoms.info.update(parent_id=inputs.structure.frames.frame_ids[0], md_step=result["last_step"])
        self.out("frames", FramesData.from_ase([atoms]))
        self.out("record", orm.Dict(record))
        table = orm.ArrayData()
        for name, column in thermo.items():
            table.set_array(name.lower(), column)
        self.out("thermo", table)
        return None

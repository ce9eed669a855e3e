"""``seireact.start``: bring a built cell to the temperature and pressure of a run, step by step (``seireact-lmp``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec
from pydantic import ValidationError

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.lammps import (
    refuse_contacts,
    validate_parameters,
    validate_potential,
    validate_species,
    validate_structure,
)
from aiida_seireact.calculations.md_checks import validate_start_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.jobs.start import StartSettings
from aiida_seireact.formats.lammps_input import DATA_FILE, write_data
from aiida_seireact.formats.lammps_start import height_of, stage_file, start_input, tried_shifts


class StartCalculation(ProgramCalculation):
    """Gap, minimisation, steps of limited length, ramp and hold, in one script; what each did is told by stage."""

    PARSER = "seireact.start"
    RETRIEVE = (files.LAMMPS_INPUT,)
    RETRIEVE_TEMPORARY = (files.LAMMPS_LOG, stage_file("*"))
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("structure", valid_type=FramesData, validator=validate_structure, help="One frame, as it was built.")
        spec.input("potential", valid_type=PotentialData, validator=validate_potential, help="The compiled model.")
        spec.input(
            "production",
            valid_type=orm.Dict,
            validator=validate_parameters,
            help="`parameters` of the production run that follows: its ensemble, target, damping times and time step "
            "are those of the ramp.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=validate_start,
            help="The stages: `gap`, `height`, `minimise`, `limited`, `ramp_steps`, `hold_steps`; `contacts`: how near "
            "atoms may be in `structure`.",
        )
        spec.inputs.validator = validate_cell
        spec.output(
            "frames",
            valid_type=FramesData,
            help="The cell at the end, in the orientation of LAMMPS (a along x, b in the xy plane); no velocities.",
        )
        spec.output("record", valid_type=orm.Dict, help="Energies, forces, volumes, moves by stage; means of the end.")
        spec.output("thermo", valid_type=orm.ArrayData, help="Thermo table in LAMMPS's units; `stage` counts stages.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        settings = StartSettings.model_validate(self.inputs.parameters.get_dict())
        md = SegmentSettings.model_validate(self.inputs.production.get_dict()).md
        atoms = self.inputs.structure.to_ase()
        present = set(atoms.get_chemical_symbols())
        species = [symbol for symbol in self.inputs.potential.species if symbol in present]
        write_data(folder / DATA_FILE, atoms, species)
        text = start_input(
            settings,
            md,
            species=species,
            model=files.COMPILED,
            height_ang=height_of(atoms),
            shifts=tried_shifts(atoms, settings),
        )
        (folder / files.LAMMPS_INPUT).write_text(text, encoding="utf-8")
        with self.inputs.potential.open(mode="rb") as source:
            (folder / files.COMPILED).write_bytes(source.read())
        job: dict[str, Any] = settings.engine.model_dump(mode="json")
        return job

    def arguments(self) -> list[str]:
        return ["-in", files.LAMMPS_INPUT, "-log", files.LAMMPS_LOG, "-job", files.JOB]


def validate_start(parameters: orm.Dict, _: Any) -> str | None:
    """Refuse settings that make no start."""
    try:
        StartSettings.model_validate(parameters.get_dict())
    except ValidationError as error:
        return f"These settings of a start don't fit: {readable(error)}."
    return None


def validate_cell(inputs: Any, port: Any) -> str | None:
    """Refuse a model that does not know the structure, atoms nearer than their species allow, and held ones."""
    if "production" in inputs and (refused := validate_start_of(inputs["production"])) is not None:
        return refused
    if (refused := validate_species(inputs, port)) is not None or not {"structure", "parameters"} <= set(inputs):
        return refused
    return contacts_of_start(inputs["structure"], inputs["parameters"])


def contacts_of_start(structure: FramesData, parameters: orm.Dict) -> str | None:
    """Return the sentence that names the nearest pair below the limit of a start, None if there is none."""
    return refuse_contacts(structure, StartSettings.model_validate(parameters.get_dict()).contacts)

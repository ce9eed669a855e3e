"""``seireact.lammps``: one MD segment of a trained model (``seireact-lmp``, the same input as a native ``lmp``)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from pydantic import ValidationError

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.md_checks import validate_loadable, validate_md
from aiida_seireact.calculations.native_lammps import (
    add_native_codes,
    asks_for_check,
    define_native,
    is_embedded,
    native_job,
    validate_native,
)
from aiida_seireact.calculations.remote_cell import define_cell, place_cell, validate_cell
from aiida_seireact.calculations.restarts import place_restart
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.cell_files import LAMMPS
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.lmp import ContactSettings, SegmentSettings
from aiida_seireact.formats.killed_segment import RESUME_RESTART_FILE
from aiida_seireact.formats.lammps_input import (
    DATA_FILE,
    FINAL_DATA_FILE,
    FINAL_RESTART_FILE,
    START_RESTART_FILE,
    check_input,
    lammps_input,
    write_data,
)
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.science.contacts import refusal, too_close

KILLED = "killed"
# Left of the walltime for what comes before and after LAMMPS: loading the model, compressing the dump.
WALLTIME_SHARE, WALLTIME_LEFT_S = 0.05, 60.0


class LammpsCalculation(ProgramCalculation):
    """A segment of MD: a structure or a restart, and a compiled model in; a trajectory and a restart out.

    The structure is a node, or the file that `seireact.build` has left on the computer: that one is linked, never
    copied through the daemon, and its sha256 is checked before anything runs. A restart that was not retrieved is
    linked and checked in the same way.
    """

    PARSER = "seireact.lammps"
    RETRIEVE = (files.LAMMPS_INPUT, files.MANIFEST)
    RETRIEVE_TEMPORARY = (files.THERMO,)
    # Where the cell lies is not what it is: that is said by its report. A killed try only saves steps.
    UNHASHED = ("cell__folder", "resume", "companion", "devices")
    CACHE_VERSION = 2

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "structure",
            valid_type=FramesData,
            required=False,
            validator=validate_structure,
            help="One frame to start from; in its place, for large cells, `cell`; to go on with a run, `restart`.",
        )
        define_cell(spec)
        spec.input(
            "restart",
            valid_type=RestartData,
            required=False,
            help="Where the segment before ended; velocities, thermostat, barostat and step come from it.",
        )
        spec.input(
            "resume",
            valid_type=orm.RemoteData,
            required=False,
            help="Folder of a killed try of this same segment: what it has done is kept, up to its last good restart "
            "file. With or without it the segment is the same to the cache.",
        )
        spec.input(
            "potential",
            valid_type=PotentialData,
            validator=validate_loadable,
            help="The compiled model; of another pair style than allegro, its file.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=validate_parameters,
            help="`md`: ensemble, temperature_k, pressure_gpa, steps, timestep_fs, dump_every, …; `engine`: `stop` ("
            "bounds of volume, hole and distance that end the run) and `check_every`; `segment_steps`, "
            "`retrieve_dump`, `retrieve_restart`.",
        )
        define_native(spec)
        spec.inputs.validator = validate_segment
        spec.output("trajectory", valid_type=TrajectoryData, help="Thermo table and manifest of the dump.")
        spec.output("restart", valid_type=RestartData, required=False, help="Where the next segment goes on.")
        spec.exit_code(
            427,
            "ERROR_STOPPED_ON_REQUEST",
            message="Stopped at step {step} on request: {message}",
            invalidates_cache=True,
        )
        spec.output("performance", valid_type=orm.Dict, help="Steps, seconds, cores and GPUs, for the ledger.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        settings = SegmentSettings.model_validate(self.inputs.parameters.get_dict())
        job: dict[str, Any] = settings.engine.model_dump(mode="json")
        species = self._place_start(folder, links, job, settings.md)
        first = self.inputs.restart.step if "restart" in self.inputs else 0
        job |= {"first_step": first, **settings.md.written()}
        script = partial(
            lammps_input,
            settings.md,
            species=species,
            model=settings.md.pair.model_file,
            end_step=settings.end_step(first),
            seconds_max=self.seconds_max(settings),
        )
        data = "structure" in self.inputs or bool(self.inputs.get("cell"))
        begins: dict[str, Any] = {"start": "data", "start_file": DATA_FILE}
        if not data:
            begins = {"start": "restart", "start_file": START_RESTART_FILE}
        (folder / files.LAMMPS_INPUT).write_text(script(**begins), encoding="utf-8")
        if not is_embedded(self.inputs.code):
            job |= native_job(self.inputs, end_step=settings.end_step(first), timestep_fs=settings.md.timestep_fs)
            job["dumps"] = settings.md.strides
            text = check_input(settings.md, species=species, model=settings.md.pair.model_file, **begins)
            (folder / files.LAMMPS_CHECK_INPUT).write_text(text, encoding="utf-8")
        if "resume" in self.inputs:
            job |= {"resume": KILLED, "dumps": settings.md.strides}
            killed = self.inputs.resume
            links.remote_symlink.append((killed.computer.uuid, killed.get_remote_path(), KILLED))
            text = script(start="restart", start_file=RESUME_RESTART_FILE)
            (folder / files.LAMMPS_RESUME_INPUT).write_text(text, encoding="utf-8")
        with self.inputs.potential.open(mode="rb") as source:
            (folder / settings.md.pair.model_file).write_bytes(source.read())
        return job

    def _place_start(self, folder: Path, links: Links, job: dict[str, Any], md: MdSettings) -> list[str]:
        """Bring what the segment begins with; return the element of each atom type."""
        if "restart" in self.inputs:
            restart = self.inputs.restart
            job["start_file"] = place_restart(restart, self.inputs.code.computer, START_RESTART_FILE, links)
            if job["reference_volume_ang3"] is None:
                job["reference_volume_ang3"] = restart.base.attributes.get("reference_volume_ang3")
            return restart.species
        if "structure" in self.inputs:
            atoms = self.inputs.structure.to_ase()
            species = md.pair.types_of(self.inputs.potential.species, atoms.get_chemical_symbols())
            write_data(folder / DATA_FILE, atoms, species)
            return species
        job["start_file"] = place_cell(self.inputs.cell, self.inputs.code.computer, LAMMPS, DATA_FILE, links)
        return list(self.inputs.cell.report["species"])

    def seconds_max(self, settings: SegmentSettings) -> float | None:
        """Return when LAMMPS ends by itself: as asked, else before the scheduler would end it."""
        if settings.seconds_max is not None:
            return settings.seconds_max
        walltime = self.inputs.metadata.options.get("max_wallclock_seconds")
        if walltime is None:
            return None
        return max(walltime * (1 - WALLTIME_SHARE) - WALLTIME_LEFT_S, walltime / 2)

    def arguments(self) -> list[str]:
        return ["-in", files.LAMMPS_INPUT, "-log", files.LAMMPS_LOG, "-job", files.JOB]

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        settings = SegmentSettings.model_validate(self.inputs.parameters.get_dict())
        if settings.md.computes:
            info.retrieve_temporary_list.append(files.COMPUTED)
        if settings.retrieve_dump:
            info.retrieve_list.append(FINAL_DATA_FILE)
        # What was taken over from a killed try lies beside the dump under names of its own.
        names = settings.retrieved_dumps()
        info.retrieve_list += [(f"*{name}{settings.packed_suffix}", ".", 0) for name in names]
        if settings.retrieve_restart:
            info.retrieve_list.append(FINAL_RESTART_FILE)
        if not is_embedded(self.inputs.code):
            add_native_codes(info, self.inputs, check=asks_for_check(self.inputs, n_atoms_of(self.inputs)))
        return info


def validate_parameters(parameters: orm.Dict, _: Any) -> str | None:
    """Refuse settings that the program would refuse."""
    try:
        settings = SegmentSettings.model_validate(parameters.get_dict())
    except ValidationError as error:
        return f"These parameters don't fit: {readable(error)}."
    for name in ("start_file", "first_step", "resume", "dumps", "further", "tables"):
        if getattr(settings.engine, name):
            return f"engine.{name} is filled in by the calculation: remove it from the parameters."
    return None


def validate_structure(structure: FramesData, _: Any) -> str | None:
    """Refuse several frames, and frames that are not periodic."""
    if len(structure) != 1:
        return f"A segment starts from one frame; this shard holds {len(structure)}."
    if not structure.frames.pbc.all():
        return "The structure is not periodic in all directions: set pbc=True and give a cell."
    return None


def validate_potential(potential: PotentialData, _: Any) -> str | None:
    """Refuse what LAMMPS can't load."""
    if potential.kind != "allegro-compiled":
        return f"LAMMPS loads compiled models; this is of kind {potential.kind}: compile it (`seireact.compile`)."
    target = potential.card["target"]
    return None if target == "pair_allegro" else f"This model was compiled for {target}: compile it for `pair_allegro`."


def validate_segment(inputs: Any, port: Any) -> str | None:
    """Refuse what can't be started from, and atoms of a frame nearer than their species allow."""
    if (refused := validate_start(inputs, port)) is not None or "parameters" not in inputs or "structure" not in inputs:
        return refused
    return contacts_of(inputs["structure"], inputs["parameters"])


def contacts_of(structure: FramesData, parameters: orm.Dict) -> str | None:
    """Return the sentence that names the nearest pair below the limit of a run, None if there is none.

    :param parameters: settings of the run.
    """
    return refuse_contacts(structure, SegmentSettings.model_validate(parameters.get_dict()).contacts)


def refuse_contacts(structure: FramesData, settings: ContactSettings) -> str | None:
    """Return the sentence that names the nearest pair below its limit, None if there is none."""
    atoms = structure.to_ase()
    found = too_close(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, settings.limits())
    return f"The structure can't be started from: {refusal(found)}" if found else None


def validate_start(inputs: Any, context: Any) -> str | None:
    """Refuse no or two structures to start from, half a cell, and a model that does not know every species."""
    if "potential" not in inputs:
        return None
    if sum((("structure" in inputs), bool(inputs.get("cell")), ("restart" in inputs))) != 1:
        return (
            "MD starts from one structure: give `structure`, a frame, or `cell`, the remote folder and the report of a "
            "`seireact.build`, or `restart`, where a run ended."
        )
    computer = inputs["code"].computer if "code" in inputs else None
    if computer is not None and "resume" in inputs and inputs["resume"].computer.uuid != computer.uuid:
        return (
            f"`resume` is a folder of {inputs['resume'].computer.label}, this job runs on {computer.label}: run it "
            "there, or leave `resume` out."
        )
    complaint = validate_cell(inputs["cell"], computer, LAMMPS) if inputs.get("cell") else None
    return (
        complaint
        or validate_species(inputs, context)
        or validate_md(inputs)
        or validate_step(inputs)
        or validate_native(inputs, n_atoms_of(inputs))
    )


def n_atoms_of(inputs: Any) -> int:
    """Return the number of atoms of a segment, wherever it begins."""
    if "structure" in inputs:
        return int(inputs["structure"].base.attributes.get("n_atoms"))
    if "restart" in inputs:
        return int(inputs["restart"].base.attributes.get("n_atoms"))
    return sum(inputs["cell"]["report"]["counts"].values())


def validate_species(inputs: Any, _: Any) -> str | None:
    """Refuse a model that does not know every species of the structure."""
    if "potential" not in inputs or not ("structure" in inputs or inputs.get("cell") or "restart" in inputs):
        return None
    if "structure" in inputs:
        species = inputs["structure"].base.attributes.get("species")
    elif "restart" in inputs:
        species = inputs["restart"].species
    else:
        species = inputs["cell"]["report"]["species"]
    known = inputs["potential"].species
    unknown = [symbol for symbol in species if symbol not in known]
    if unknown:
        return (
            f"The model knows {', '.join(known)}, but the structure holds {', '.join(unknown)}: train on frames with "
            "these species, or take another model."
        )
    return None


def validate_step(inputs: Any) -> str | None:
    """Refuse to go on with a run that is done."""
    if "restart" not in inputs or "parameters" not in inputs:
        return None
    steps, done = SegmentSettings.model_validate(inputs["parameters"].get_dict()).md.steps, inputs["restart"].step
    if steps > done:
        return None
    return f"The run is done: md.steps is {steps}, and the restart is of step {done}. To extend it, ask for more steps."

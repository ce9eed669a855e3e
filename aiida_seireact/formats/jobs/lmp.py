"""The optional job file of ``seireact-lmp``: what an input of LAMMPS can't say."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.lammps_command import BYTES_AN_ATOM
from aiida_seireact.formats.lammps_settings import DUMP_FILE, MdSettings
from aiida_seireact.formats.manifest import SUFFIXES
from aiida_seireact.formats.md_outputs import dump_file
from aiida_seireact.science.contacts import FACTOR, ContactLimits
from aiida_seireact.science.health import StopRule


class StopSettings(Job):
    """Fields of :class:`aiida_seireact.science.health.StopRule`."""

    volume_ratio_min: float = Field(StopRule.volume_ratio_min, gt=0, lt=1)
    volume_ratio_max: float = Field(StopRule.volume_ratio_max, gt=1)
    hole_radius_max_ang: float = Field(StopRule.hole_radius_max_ang, gt=0)
    distance_min_ang: float = Field(StopRule.distance_min_ang, gt=0)

    def rule(self) -> StopRule:
        """Return the rule itself."""
        return StopRule(**self.model_dump())


class CheckedFile(Job):
    """A file that another job has left, and what it must be."""

    file: str = Field(description="name in the working folder")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of its content")
    bytes: int = Field(ge=0, description="its size")


class LmpJob(Job):
    """Stop rule, what happens to the dump, and the file to start from where it comes from another job."""

    stop: StopSettings | None = Field(None, description="end the segment when the run leaves these bounds; null: never")
    check_every: int = Field(50, ge=1, description="steps between checks; a multiple of the dump's interval is best")
    reference_volume_ang3: float | None = Field(None, gt=0, description="volume of ratio 1; default: at the first step")
    compress: Literal["gzip", "zstd", "none"] = Field(
        "gzip", description="how the dump is packed after the run; zstd is thirty times as fast, and as small"
    )
    start_file: CheckedFile | None = Field(
        None, description="data or restart file that must be this one before anything runs; null: whatever is read"
    )
    first_step: int = Field(0, ge=0, description="step at which the segment begins")
    resume: str | None = Field(None, description="folder of a killed try of the same segment, to go on from")
    dumps: dict[str, int] = Field({}, description="stride of each dump in steps, to count the frames of a killed try")
    further: dict[str, str] = Field(
        {}, description="by name, dumps that get a manifest of their own beside the main one"
    )
    tables: dict[str, int] = Field({}, description="stride in steps of each file that `fix ave/time` writes")


class NativeJob(LmpJob):
    """What seireact-lmp must know of a segment that another LAMMPS runs."""

    end_step: int = Field(ge=0, description="step at which the segment ends")
    timestep_fs: float = Field(gt=0, description="time step, fs")
    nodes: int = Field(1, ge=1, description="machines")
    ranks: int = Field(1, ge=1, description="MPI ranks of all nodes")
    gpus: int = Field(0, ge=0, description="GPUs, or slices of GPUs, of all nodes")
    sliced: bool = Field(False, description="they are slices (MIG)")


# Of LAMMPS's command line: variables, styles, inputs, and what is written where.
CHANGE_RESULTS = frozenset(
    f"-{word}"
    for word in (
        *("var", "v", "suffix", "sf", "in", "i", "log", "l", "partition", "p", "reorder", "ro", "skiprun", "sr"),
        *("restart2data", "r2data", "restart2dump", "r2dump", "restart2info", "r2info", "plog", "pl"),
    )
)


class DeviceSettings(Job):
    """What a LAMMPS that is not seireact-lmp computes on; nothing here changes a result."""

    gpus_per_node: int = Field(0, ge=0, description="GPUs, or slices of GPUs, of each node; one rank each; 0: none")
    sliced: bool = Field(False, description="they are slices of GPUs (MIG)")
    kokkos: bool = Field(False, description="LAMMPS is one with Kokkos for GPUs: `-k on g … -sf kk` is added")
    gpu_aware: bool = Field(True, description="the MPI library sends from GPU memory; no: `gpu/aware off` is added")
    gpu_memory_gb: float | None = Field(
        None, gt=0, description="memory of a GPU or slice: refuses a cell that will not fit; null: not looked at"
    )
    megabytes_per_atom: float = Field(
        BYTES_AN_ATOM / 1e6, gt=0, description="GPU memory an atom takes by this model, as a run has shown"
    )
    check_ranks: bool = Field(
        True, description="compare the first energy of one rank with that of all, up to `check_atoms_max` atoms"
    )
    check_atoms_max: int = Field(100_000, ge=1, description="atoms that one rank is trusted to hold")
    arguments: list[str] = Field([], description="further arguments of `lmp` that change no result")

    @field_validator("arguments")
    @classmethod
    def _change_no_result(cls, arguments: list[str]) -> list[str]:
        if found := [word for word in arguments if word in CHANGE_RESULTS]:
            raise ValueError(f"{found[0]} changes what is computed or where it goes: use md.user_block for that")
        return arguments


class ContactSettings(Job):
    """Fields of :class:`aiida_seireact.science.contacts.ContactLimits`."""

    factor: float = Field(FACTOR, ge=0, description="smallest distance over the sum of the covalent radii; 0: any")
    pairs: dict[str, float] = Field({}, description="limits in Å of pairs with one of their own, as {'Li-S': 1.5}")

    @model_validator(mode="after")
    def _pairs_exist(self) -> Self:
        self.limits()
        return self

    def limits(self) -> ContactLimits:
        """Return the limits themselves."""
        return ContactLimits(**self.model_dump())


class SegmentSettings(Job):
    """What is decided about an MD run and its segments: what LAMMPS is told, and what seireact-lmp adds."""

    md: MdSettings = Field(description="ensemble, temperature, steps, dumps: what LAMMPS is told")
    engine: LmpJob = Field(LmpJob(), description="stop rule and how often it is checked: what seireact-lmp adds")
    segment_steps: int | None = Field(None, ge=1, description="steps of a segment, a job each; null: one for the run")
    seconds_max: float | None = Field(
        None,
        ge=1,
        description="end a segment cleanly after so many seconds of LAMMPS; null: shortly before the job's walltime",
    )
    retrieve_dump: bool = Field(
        True, description="bring dump and final cell into the repository; no: they stay on the computer"
    )
    retrieve_restart: bool = Field(
        True, description="bring the restart file into the repository; no: it stays on the computer, or is stashed"
    )
    contacts: ContactSettings = Field(ContactSettings(), description="how near atoms may be at the first step")

    def retrieved_dumps(self) -> list[str]:
        """Return the names, as they are written, of the dumps that come into the repository."""
        asked = {DUMP_FILE: None} | {dump_file(name): one.retrieve for name, one in self.md.dumps.items()}
        return [name for name, own in asked.items() if (self.retrieve_dump if own is None else own)]

    @property
    def packed_suffix(self) -> str:
        """What the name of a packed dump ends in."""
        return SUFFIXES.get(self.engine.compress, "")

    def end_step(self, first_step: int) -> int:
        """Return the step at which the segment that begins at ``first_step`` ends."""
        if self.segment_steps is None:
            return self.md.steps
        return min(self.md.steps, first_step + self.segment_steps)

"""The job file of ``seireact-analyse``."""

from __future__ import annotations

from ase.data import atomic_numbers
from pydantic import Field, field_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.frame_files import FrameFiles


def _known(symbols: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no element symbol")
    return symbols


class RdfSettings(Job):
    """Partial radial distribution functions, averaged over the last part of the run."""

    pairs: tuple[tuple[str, str], ...] | None = Field(
        None, description="pairs of elements; null: all pairs of those present"
    )
    r_max_ang: float = Field(8.0, gt=0)
    n_bins: int = Field(160, ge=1)
    last_fraction: float = Field(0.5, gt=0, le=1, description="part of the frames, at the end, that is averaged")
    centres_label: str | None = Field(
        None, description="only environments of this label are the first of a pair, of any other the second"
    )

    @field_validator("pairs")
    @classmethod
    def _pairs_known(cls, pairs: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...] | None:
        for pair in pairs or ():
            _known(pair)
        return pairs


class MsdSettings(Job):
    """Mean squared displacements over all time origins."""

    species: tuple[str, ...] | None = Field(None, description="elements; null: all present")
    remove_drift: bool = Field(True, description="subtract the path of the centre of mass of the whole cell")

    @field_validator("species")
    @classmethod
    def _species_known(cls, species: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if species is None else _known(species)


class ThicknessSettings(Job):
    """Intact PS4, and the thickness from the outermost of them to the outermost S, P or Cl."""

    ps4_cutoff_ang: float = Field(2.6, gt=0, description="longest P–S of an intact PS4")
    min_metal_ang: float = Field(4.0, gt=0, description="narrowest stretch without S, P, Cl that is Li metal")


class CompositionSettings(Job):
    """Atoms of each element in slabs along z, with time."""

    bin_width_ang: float = Field(2.0, gt=0, description="slabs along z")
    n_times: int = Field(200, ge=1, description="windows of time, at most; the frames of a window are averaged")
    charges: dict[str, float] | None = Field(
        None, description="formal charge of each element, in e, for the charge of each slab; null: none"
    )


class PhasesSettings(Job):
    """Phases in slabs along z, and the thickness by their profile."""

    bin_width_ang: float = Field(2.0, gt=0, description="slabs along z")
    n_times: int = Field(200, ge=1, description="windows of time, at most; the frames of a window are averaged")
    metal: str = Field("Li", description="label of Li metal in the labels file")
    electrolyte: str = Field("Li6PS5Cl", description="label of the electrolyte in the labels file")
    profile_threshold: float = Field(
        0.5, gt=0, lt=1, description="a slab is interphase if neither metal nor electrolyte fill so much"
    )


class HealthSettings(Job):
    """Volume, smallest distance, largest hole."""

    hole_every: int = Field(1, ge=1, description="frames between two searches of the largest hole")


class PathSettings(Job):
    """Unwrapped paths of all atoms, which time correlations share; on disk, 13 bytes an atom and frame."""

    max_frames: int = Field(4000, ge=2, description="more frames are decimated evenly to at most this number")


class AnalyseJob(Job):
    """What is followed along a run. A section that is null is left out."""

    trajectory: FrameFiles = Field(description="frames to analyse, chunks of one run")
    labels: str | None = Field(
        None,
        description="labels.npz of seireact-classify for this run, or labels.json of a large one with its chunks "
        "beside it; gives what is told by phase",
    )
    timestep_fs: float | None = Field(
        None, gt=0, description="time of one MD step; without it times are given in steps only"
    )
    workers: int = Field(1, ge=1, description="processes that read side by side; the same bytes for any number")
    paths: PathSettings = Field(default_factory=PathSettings, description="paths that time correlations share")
    thickness: ThicknessSettings | None = Field(
        default_factory=ThicknessSettings, description="intact PS4 and the interphase beyond them"
    )
    health: HealthSettings | None = Field(
        default_factory=HealthSettings, description="volume, smallest distance, largest hole"
    )
    composition: CompositionSettings | None = Field(
        default_factory=CompositionSettings, description="atoms of each element, and formal charge, along z"
    )
    phases: PhasesSettings | None = Field(
        default_factory=PhasesSettings,
        description="phases along z and thickness by their profile; needs labels, and is left out without any",
    )
    rdf: RdfSettings | None = Field(default_factory=RdfSettings, description="partial radial distribution functions")
    msd: MsdSettings | None = Field(
        default_factory=MsdSettings, description="displacements; needs unwrapped positions, evenly spaced"
    )

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

    @field_validator("pairs")
    @classmethod
    def _pairs_known(cls, pairs: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...] | None:
        for pair in pairs or ():
            _known(pair)
        return pairs


class MsdSettings(Job):
    """Mean squared displacements over all time origins."""

    species: tuple[str, ...] | None = Field(None, description="elements; null: all present")
    max_frames: int = Field(1000, ge=2, description="more frames are decimated evenly to at most this number")
    max_memory_gb: float = Field(
        1.0, gt=0, description="positions held at once (float32); more frames are decimated evenly"
    )
    remove_drift: bool = Field(True, description="subtract the path of the centre of mass of the whole cell")

    @field_validator("species")
    @classmethod
    def _species_known(cls, species: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if species is None else _known(species)


class ThicknessSettings(Job):
    """Thresholds of the two definitions of the interphase's thickness."""

    ps4_cutoff_ang: float = Field(2.6, gt=0, description="longest P–S of an intact PS4")
    min_metal_ang: float = Field(4.0, gt=0, description="narrowest stretch without S, P, Cl that is Li metal")
    profile_threshold: float = Field(
        0.5, gt=0, lt=1, description="a slab is interphase if neither metal nor electrolyte fill so much"
    )
    bin_width_ang: float = Field(2.0, gt=0, description="slabs of the profile")
    metal: str = Field("Li", description="label of Li metal in the labels file")
    electrolyte: str = Field("Li6PS5Cl", description="label of the electrolyte in the labels file")


class AnalyseJob(Job):
    """What is followed along a run."""

    trajectory: FrameFiles = Field(description="frames to analyse, chunks of one run")
    labels: str | None = Field(
        None, description="labels.npz of seireact-classify for this run; gives the thickness by profile"
    )
    timestep_fs: float | None = Field(
        None, gt=0, description="time of one MD step; without it times are given in steps only"
    )
    thickness: ThicknessSettings = Field(default_factory=ThicknessSettings)
    hole_every: int = Field(1, ge=1, description="frames between two searches of the largest hole")
    rdf: RdfSettings | None = Field(default_factory=RdfSettings, description="null: none")
    msd: MsdSettings | None = Field(
        default_factory=MsdSettings, description="null: none; needs unwrapped positions, evenly spaced"
    )

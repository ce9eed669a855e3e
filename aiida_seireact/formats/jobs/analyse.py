"""The job file of ``seireact-analyse``."""

from __future__ import annotations

from ase.data import atomic_numbers
from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.formats.jobs.transport import DiffusionSettings, JumpSettings, OnsagerSettings, WindowSettings
from aiida_seireact.science.template_limit import RMSD_MAX


def _known(symbols: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no element symbol")
    return symbols


def _one_known(symbol: str) -> str:
    return _known((symbol,))[0]


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

    @field_validator("charges")
    @classmethod
    def _charges_known(cls, charges: dict[str, float] | None) -> dict[str, float] | None:
        _known(tuple(charges or ()))
        return charges


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


class PtmSettings(Job):
    """Polyhedral template matching by OVITO."""

    species: str = Field("Li", description="element whose atoms are told; atoms of any element are neighbours")
    rmsd_max: float = Field(
        RMSD_MAX, ge=0, description="largest deviation from a template, over the neighbour distance; 0: any"
    )
    every: int = Field(1, ge=1, description="frames between two that are looked at")
    bin_width_ang: float = Field(2.0, gt=0, description="slabs along z")
    n_times: int = Field(200, ge=1, description="windows of time of the profile, at most")

    _species = field_validator("species")(_one_known)


class ClusterSettings(Job):
    """Clusters of bonded atoms and their percolation."""

    species: tuple[str, ...] = Field(min_length=1, description="elements whose atoms bond, such as In, or Li and In")
    cutoff_ang: float = Field(gt=0, description="longest bond: the first minimum of their g(r)")
    label: str | None = Field(None, description="only atoms whose environment has this label")
    every: int = Field(1, ge=1, description="frames between two that are looked at")

    _species = field_validator("species")(_known)


class VoidSettings(Job):
    """Volume that empty spheres can sweep."""

    probe_radius_ang: float = Field(2.5, gt=0, description="radius of the spheres, to atom centres")
    spacing_ang: float = Field(0.5, gt=0, description="boxes of the grid")
    every: int = Field(10, ge=1, description="frames between two that are looked at")


class OrderSettings(Job):
    """Crystalline share of a sublattice by coherence of bond directions."""

    species: tuple[str, ...] = Field(min_length=1, description="elements of one sublattice, such as S, or S, P and Cl")
    cutoff_ang: float = Field(gt=0, description="where their neighbours end: the minimum of their g(r)")
    alike: float = Field(0.5, gt=-1, lt=1, description="q6(i)·q6(j) of neighbours that are alike")
    share: float = Field(0.5, ge=0, lt=1, description="an atom with more neighbours alike is crystalline")
    every: int = Field(1, ge=1, description="frames between two that are looked at")
    bin_width_ang: float = Field(2.0, gt=0, description="slabs along z")
    n_times: int = Field(200, ge=1, description="windows of time of the profile, at most")

    _species = field_validator("species")(_known)


class LayerSettings(Job):
    """Distance between layers along z."""

    species: str = Field("Li", description="element whose layers are looked at")
    shortest_ang: float = Field(1.0, gt=0, description="shortest distance looked for")
    longest_ang: float = Field(6.0, gt=0, description="longest distance looked for")
    from_fraction: float = Field(0.0, ge=0, lt=1, description="part of the cell along z that is looked at: from here")
    to_fraction: float = Field(1.0, gt=0, le=1, description="to here")
    n_times: int = Field(20, ge=1, description="windows of time, at most; the frames of a window are averaged")

    _species = field_validator("species")(_one_known)

    @model_validator(mode="after")
    def _ends_in_order(self) -> LayerSettings:
        if self.from_fraction >= self.to_fraction or self.shortest_ang >= self.longest_ang:
            raise ValueError("from_fraction must be below to_fraction, and shortest_ang below longest_ang")
        return self


class XrdSettings(Job):
    """Powder diffraction, Cu Kα."""

    label: str | None = Field(
        None, description="only environments of this label, and of the atoms around them their share; null: all atoms"
    )
    neighbour_ang: float = Field(3.2, gt=0, description="which atoms are around an environment's centre")
    from_deg: float = Field(10.0, gt=0, description="first angle 2θ")
    to_deg: float = Field(70.0, lt=170, description="last angle 2θ")
    step_deg: float = Field(0.05, gt=0)
    fwhm_deg: float = Field(0.6, gt=0, description="width of a peak at half its height")
    last_fraction: float = Field(0.5, gt=0, le=1, description="part of the frames, at the end, that is averaged")
    every: int = Field(1, ge=1, description="frames between two of them")

    @model_validator(mode="after")
    def _ends_in_order(self) -> XrdSettings:
        if self.to_deg < self.from_deg + 2 * self.step_deg:
            raise ValueError("from_deg must be below to_deg, with a few steps between them")
        return self


class ThermoSettings(Job):
    """Energies, volume, temperature and pressure of the thermo table; nothing to set."""


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
    thermo_log: str | None = Field(
        None, description="log of the run by LAMMPS (thermo_modify line yaml), or .npz of its columns with step"
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
    ptm: PtmSettings | None = Field(None, description="bcc, hcp, fcc or other around each Li; needs the extra ovito")
    clusters: ClusterSettings | None = Field(
        None, description="clusters of bonded atoms, such as reduced In, and whether they percolate"
    )
    voids: VoidSettings | None = Field(None, description="volume of voids")
    order: OrderSettings | None = Field(None, description="crystalline and amorphous share of a sublattice")
    layers: LayerSettings | None = Field(None, description="distance between layers along z")
    xrd: XrdSettings | None = Field(None, description="powder diffraction of all atoms or of one label")
    thermo: ThermoSettings | None = Field(
        default_factory=ThermoSettings,
        description="energies, volume, temperature, pressure and their drift; left out without thermo_log",
    )
    rdf: RdfSettings | None = Field(default_factory=RdfSettings, description="partial radial distribution functions")
    msd: MsdSettings | None = Field(
        default_factory=MsdSettings, description="displacements; needs unwrapped positions, evenly spaced"
    )
    diffusion: DiffusionSettings | None = Field(
        None, description="self-diffusion of each element with 95 % intervals; needs timestep_fs, as do those below"
    )
    windows: WindowSettings | None = Field(
        None, description="displacements after chosen times by phase and slab at that time, and residence"
    )
    jumps: JumpSettings | None = Field(None, description="atoms that go far within a time")
    onsager: OnsagerSettings | None = Field(
        None, description="Onsager coefficients with cross terms; conductivity and Haven ratio by formal charges"
    )

"""The job file of ``seireact-classify``."""

from __future__ import annotations

from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Gates

# Label of the codes of a seireact-classify whose environment holds python-ace. It must not begin with
# seireact-classify-, as those of the usual one do.
PYACE_CODE = "classify-pyace"


class SpecSettings(Job):
    """Fields of :class:`aiida_seireact.science.descriptors.DescriptorSpec`."""

    species: tuple[str, ...] = DescriptorSpec.species
    cutoff_ang: float = DescriptorSpec.cutoff_ang
    n_max: int = DescriptorSpec.n_max
    l_max: int = DescriptorSpec.l_max
    centre: str = DescriptorSpec.centre
    source: str = Field(DescriptorSpec.source, description="ace, built in; soap, by dscribe; pyace, by python-ace")
    radial: str | None = Field(
        DescriptorSpec.radial,
        description="chebyshev or bessel (ace, pyace), gto or polynomial (soap); null: the first of them",
    )
    cutoffs_ang: tuple[float, ...] = Field(
        DescriptorSpec.cutoffs_ang, description="ace: cutoff of the neighbours of each species; empty: cutoff_ang"
    )
    b1: bool = Field(DescriptorSpec.b1, description="ace: prepend B1")
    b3_n_max: int = Field(DescriptorSpec.b3_n_max, description="ace: append B3 of so many radial functions")
    b3_l_max: int = Field(DescriptorSpec.b3_l_max, description="ace: highest angular momentum in B3")
    sigma_ang: float = Field(DescriptorSpec.sigma_ang, description="soap: width of the Gaussians")
    source_version: str | None = Field(
        DescriptorSpec.source_version, description="version of dscribe or python-ace; null: the one installed"
    )

    @model_validator(mode="after")
    def _is_possible(self) -> SpecSettings:
        self.spec()
        return self

    def spec(self) -> DescriptorSpec:
        """Return the spec itself."""
        return DescriptorSpec(**self.model_dump())


class GateSettings(Job):
    """Fields of :class:`aiida_seireact.science.labelling.Gates`."""

    accept: float = Field(Gates.accept, gt=0)
    majority: float = Field(Gates.majority, ge=0, le=1)
    point: float | None = Field(Gates.point, gt=0)

    def gates(self) -> Gates:
        """Return the gates themselves."""
        return Gates(**self.model_dump())


class ClassifyJob(Job):
    """What is classified, by which references, and how finely."""

    trajectory: FrameFiles = Field(description="frames to classify, chunks of one run")
    references: dict[str, FrameFiles] = Field(
        default_factory=dict, description="frames of each known phase; each file is a run of its own"
    )
    classifier: str | None = Field(
        None, description="phases.npz of an earlier run: label by it, without clustering again"
    )
    spec: SpecSettings = Field(default_factory=SpecSettings, description="descriptors of the environments")
    n_landmarks: int = Field(20_000, ge=100, description="environments clustered; a fixed number keeps z comparable")
    n_references: int = Field(1_000, ge=20, description="environments kept of each reference phase")
    maxk: int = Field(100, ge=5, description="neighbours known to the density estimate")
    alpha: float = Field(1e-6, gt=0, lt=1, description="quantile of the test that ends a neighbourhood")
    z: float = Field(3.0, gt=0, description="peaks less significant than this are merged; 2 for 10,000 landmarks")
    gates: GateSettings = Field(default_factory=GateSettings, description="conditions for a name")
    keep_variance: float | None = Field(
        None, gt=0, le=1, description="variance the principal components keep; null: no reduction"
    )
    seed: int = Field(0, ge=0, description="of the draws of landmarks and references")
    bin_width_ang: float = Field(2.0, gt=0, description="slabs of the profile along z")

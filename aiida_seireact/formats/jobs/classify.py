"""The job file of ``seireact-classify``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Gates, require_name

Part = Literal["all", "draw", "gather", "cluster", "assign", "discover"]
Normalisation = Literal["none", "standard", "row"]

KEYS_OF_PART: dict[Part, frozenset[str]] = {
    "draw": frozenset({"trajectory", "spec", "n_landmarks", "landmark_slab_ang", "seed"}),
    "gather": frozenset(),
    "cluster": frozenset(
        {
            *("references", "spec", "n_landmarks", "n_references", "normalisation", "keep_variance", "engine"),
            *("neighbours", "maxk", "alpha", "z", "sensitivity", "gates", "seed"),
        }
    ),
    "assign": frozenset({"trajectory", "spec", "bin_width_ang", "most_in_one_file", "chunk_environments"}),
    "discover": frozenset({"trajectory", "references", "spec", "discover", "metal", "electrolyte"}),
}
"""Settings that each part reads, besides the files it is given: another `z` changes nothing of what is drawn."""

SETTLED = KEYS_OF_PART["cluster"] - {"references", "spec", "n_references", "seed"} | {"landmark_slab_ang"}
"""Settings that make a clustering: a classifier has settled them."""
UNTOLD = frozenset({"landmark_slab_ang", "n_landmarks", "neighbours", "sensitivity"})
"""Settled ones that a classifier can't tell: of `n_landmarks` it knows how many there were, not how many were asked."""


def beside_classifier(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a graph without those that a classifier has settled and nobody need have meant.

    A graph always holds them, from its protocol or from the run that the classifier was made of: so defaults are left
    out, and what a classifier can't tell. What remains is compared with the classifier.

    :param given: keys of the job, as plain values.
    """
    defaults = ClassifyJob.model_construct().model_dump()
    kept = {name: value for name, value in given.items() if name not in UNTOLD}
    if "gates" in kept:
        kept["gates"] = {name: value for name, value in kept["gates"].items() if value != defaults["gates"][name]}
    return {
        name: value
        for name, value in kept.items()
        if name not in SETTLED or not (value == defaults[name] or (name == "gates" and not value))
    }


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
    source: Literal["ace", "soap", "pyace"] = Field(
        "ace", description="ace, built in; soap, by dscribe; pyace, by python-ace"
    )
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
    support: float = Field(Gates.support, ge=0, le=1)
    majority: float = Field(Gates.majority, ge=0, le=1)
    point: float | None = Field(Gates.point, gt=0)
    reach: float | None = Field(Gates.reach, gt=0)
    second_pass: float | None = Field(Gates.second_pass, gt=0)

    def gates(self) -> Gates:
        """Return the gates themselves."""
        return Gates(**self.model_dump())


class ClassifyJob(Job):
    """What is classified, by which references, and how finely."""

    part: Part = Field(
        "all",
        description="of the work: all, or one job of many side by side: draw (landmarks of a share of the frames), "
        "gather (draws become one), cluster (draws become a classifier), assign (labels of a share of the frames), "
        "discover (what unknown clusters are, from labels that lie in the working folder)",
    )
    share: tuple[int, int] = Field(
        (0, 1), description="which share of the frames, of how many: [0, 4] is the first of four"
    )
    trajectory: FrameFiles | None = Field(None, description="frames to classify, chunks of one run")
    references: dict[str, FrameFiles] = Field(
        default_factory=dict, description="frames of each known phase; each file is a run of its own"
    )
    classifier: str | None = Field(
        None,
        description="phases.npz of an earlier run: label by it, without clustering again; settings of the clustering "
        "and gates are its own",
    )
    drawn: tuple[str, ...] = Field((), description="what the parts `draw` or `gather` wrote, in the order of shares")
    landmark_places: str | None = Field(
        None, description="landmark_places.npz of the part `cluster`: which environments of the run are landmarks"
    )
    spec: SpecSettings = Field(default_factory=SpecSettings, description="descriptors of the environments")
    n_landmarks: int = Field(20_000, ge=100, description="environments clustered; a fixed number keeps z comparable")
    landmark_slab_ang: float | None = Field(
        20.0, gt=0, description="of each frame, slabs of this thickness along z give equally many; null: no slabs"
    )
    n_references: int = Field(1_000, ge=20, description="environments kept of each reference phase")
    normalisation: Normalisation = Field(
        "none", description="of descriptors: none, standard (unit variance of each feature), row (unit length of each)"
    )
    keep_variance: float | None = Field(
        None, gt=0, le=1, description="variance the principal components keep; null: no reduction"
    )
    engine: Literal["native", "dadapy"] = Field("native", description="of the density peaks; the two agree")
    neighbours: Literal["auto", "exact", "ivf"] = Field(
        "auto", description="how neighbours are found: exact, ivf (an index, with its measured recall), or by size"
    )
    maxk: int = Field(100, ge=5, description="neighbours known to the density estimate")
    alpha: float = Field(1e-6, gt=0, lt=1, description="quantile of the test that ends a neighbourhood")
    z: float = Field(
        3.0, gt=0, description="peaks less significant than this are merged; right from 4,000 landmarks on"
    )
    sensitivity: tuple[float, ...] = Field(
        (1.65, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0), description="other z, for the table of what would change"
    )
    gates: GateSettings = Field(default_factory=GateSettings, description="conditions for a name")
    metal: tuple[str, ...] = Field(("Li",), description="labels that are metal, not interphase")
    electrolyte: tuple[str, ...] = Field(("Li6PS5Cl",), description="labels that are electrolyte, not interphase")
    discover: DiscoverSettings | None = Field(
        default_factory=DiscoverSettings, description="how unknown clusters are looked at; null: they are not"
    )
    seed: int = Field(0, ge=0, description="of the draws of landmarks and references")
    bin_width_ang: float = Field(2.0, gt=0, description="slabs of the profile along z")
    most_in_one_file: int = Field(
        5_000_000, ge=1, description="environments up to which all labels are labels.npz; beyond, chunks beside it"
    )
    chunk_environments: int = Field(2_000_000, ge=1, description="environments after which a chunk is closed")

    @field_validator("references", "metal", "electrolyte")
    @classmethod
    def _names_of_phases(cls, value: Any) -> Any:
        # In the settings of a graph references have no names: they are ports.
        for name in value if isinstance(value, dict | tuple) else ():
            require_name(name)
        return value

    @model_validator(mode="after")
    def _has_what_its_part_needs(self) -> ClassifyJob:
        number, count = self.share
        if not 0 <= number < count:
            raise ValueError(f"share: there is no share {number} of {count}, the first is 0.")
        needs = {
            "all": ("trajectory",),
            "draw": ("trajectory",),
            "gather": ("drawn",),
            "cluster": () if self.classifier else ("drawn",),
            "assign": ("trajectory", "classifier"),
            "discover": ("trajectory", "classifier", "discover"),
        }[self.part]
        missing = [name for name in needs if not getattr(self, name)]
        if missing:
            raise ValueError(f"{', '.join(missing)}: the part {self.part} needs it.")
        if any(z <= 0 for z in self.sensitivity):
            raise ValueError("sensitivity: each z is above 0.")
        return self

"""The plan of a first training set, class by class, and the job file of ``seireact-sample``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal

from ase.data import atomic_numbers
from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.jobs.select import DifferenceSettings
from aiida_seireact.science.sampling import SamplingPlan
from aiida_seireact.science.sampling.kinds import CLASS_OF_KIND, CLASSES

Range = tuple[float, float]
Pairs = dict[str, float]
# A training set has three parts, and each needs a frame of each config type.
LEAST_OF_A_TYPE = 3


class Entry(Job):
    """What the entries of a plan have in common."""

    kind: str
    name: str = Field("", description="config type of the frames; default: made of phase and kind")
    count: int = Field(8, ge=1, description="frames")

    @property
    def frame_class(self) -> str:
        """Class of environments the frames belong to."""
        return CLASS_OF_KIND[self.kind]

    @property
    def phase(self) -> str:
        """Name of the phase or composition the frames are of; empty for none."""
        return str(getattr(self, "of", None) or getattr(self, "composition", None) or "")

    @property
    def config_type(self) -> str:
        """Config type of the frames."""
        return self.name or (self.phase if self.kind == "bulk" else "-".join(filter(None, (self.phase, self.kind))))


class OfCell(Entry):
    """Frames of a phase by name, or of a cell that is given under that name; strained, sheared and rattled."""

    of: str = Field(description="name of a phase, or of one of the cells that are given")
    volume_ratio: Range = Field((0.98, 1.02), description="range of V/V0, spread evenly over the frames")
    shear: float = Field(0.01, ge=0, description="standard deviation of the components of a further random strain")
    rattle_ang: Range = Field((0.02, 0.1), description="range of the standard deviation of displacements, Å")
    repeat: tuple[int, int, int] | None = Field(
        None, description="repetitions of the cell; default: along its shortest side while it has at most max_atoms"
    )
    max_atoms: int = Field(64, ge=1, description="how far a cell is repeated by itself")

    @model_validator(mode="after")
    def _ranges_are_ranges(self) -> OfCell:
        if not 0 < self.volume_ratio[0] <= self.volume_ratio[1]:
            raise ValueError(f"volume_ratio must be a positive range [low, high], not {list(self.volume_ratio)}")
        if not 0 <= self.rattle_ang[0] <= self.rattle_ang[1]:
            raise ValueError(f"rattle_ang must be a range [low, high] from 0 on, not {list(self.rattle_ang)}")
        if self.repeat is not None and min(self.repeat) < 1:
            raise ValueError(f"repeat must be three numbers from 1 on, not {list(self.repeat)}")
        return self


class Bulk(OfCell):
    """A crystal near its equilibrium."""

    kind: Literal["bulk"]
    volume_ratio: Range = (0.92, 1.15)
    rattle_ang: Range = (0.03, 0.15)


class Strain(OfCell):
    """A crystal expanded, compressed and sheared, its atoms on their places."""

    kind: Literal["strain"]
    volume_ratio: Range = (0.85, 1.20)
    shear: float = Field(0.03, ge=0)
    rattle_ang: Range = (0.0, 0.0)


class Rattle(OfCell):
    """A crystal at its volume, rattled at several amplitudes in turn."""

    kind: Literal["rattle"]
    volume_ratio: Range = (1.0, 1.0)
    shear: float = Field(0.0, ge=0)
    amplitudes_ang: tuple[float, ...] = Field(
        (0.02, 0.05, 0.1, 0.2), min_length=1, description="standard deviations of displacements, in turn, Å"
    )


class Vacancy(OfCell):
    """A crystal that lacks atoms drawn at random."""

    kind: Literal["vacancy"]
    species: str | None = Field(None, description="element of the atoms taken out; default: any")
    number: tuple[int, int] = Field((1, 2), description="range of how many atoms are taken out")


class Interstitial(OfCell):
    """A crystal with atoms more, in roomy places."""

    kind: Literal["interstitial"]
    species: str = Field(description="element of the atoms put in")
    number: tuple[int, int] = Field((1, 1), description="range of how many atoms are put in")
    min_distance_ang: float = Field(1.5, gt=0, description="least distance of such an atom from the others, Å")


class Surface(OfCell):
    """Slabs of a crystal with a vacuum, each termination of each plane in turn."""

    kind: Literal["surface"]
    miller: tuple[tuple[int, int, int], ...] = Field(
        ((1, 0, 0), (1, 1, 0), (1, 1, 1)), min_length=1, description="planes, of the conventional cell"
    )
    slab_ang: float = Field(8.0, gt=0, description="least thickness of a slab, Å")
    vacuum_ang: Range = Field((4.0, 10.0), description="range of the vacuum, Å")
    unbroken: Pairs = Field({}, description="bonds no termination may cut, `{P-S: 2.3}`")
    max_atoms: int = Field(120, ge=1, description="larger slabs are left out")


class Interface(OfCell):
    """A cell of an interface that is given."""

    kind: Literal["interface"]
    volume_ratio: Range = (0.94, 1.10)
    max_atoms: int = 1


class Boundary(OfCell):
    """A cell with a grain boundary that is given."""

    kind: Literal["boundary"]
    volume_ratio: Range = (0.94, 1.10)
    max_atoms: int = 1


class Packed(Entry):
    """A composition packed at random."""

    of: str | None = Field(None, description="phase whose composition and density are taken")
    composition: str | None = Field(None, description="formula, where it is no phase: Li3PS4")
    density_g_per_cm3: Range | None = Field(None, description="range of densities, g/cm³")
    density_ratio: Range = Field((0.85, 1.0), description="range of densities, as part of the phase's")
    n_atoms: int = Field(48, ge=2, description="atoms; the nearest number of whole formula units is taken")
    min_distance_ang: Pairs = Field({}, description="least distance of pairs, `{Li-S: 2.2}`, Å")
    scale: float = Field(0.9, gt=0, description="of the sum of the covalent radii, for all other pairs")

    @model_validator(mode="after")
    def _composition_and_density_are_known(self) -> Packed:
        if (self.of is None) == (self.composition is None):
            raise ValueError("name either a phase (of) or a composition, one of the two")
        if self.composition is not None and self.density_g_per_cm3 is None:
            raise ValueError("a composition needs density_g_per_cm3: [low, high]")
        for name in ("density_g_per_cm3", "density_ratio"):
            given = getattr(self, name)
            if given is not None and not 0 < given[0] <= given[1]:
                raise ValueError(f"{name} must be a positive range [low, high], not {list(given)}")
        return self


class Amorphous(Packed):
    """Cells packed at random, each drawn anew."""

    kind: Literal["amorphous"]


class MeltQuench(Packed):
    """Random packings melted and quenched by MD of a cheap engine, stage after stage at constant volume."""

    kind: Literal["melt_quench"]
    count: int = Field(2, ge=1, description="runs; each gives several frames")
    temperatures_k: tuple[float, ...] = Field(
        (2000.0, 1000.0, 300.0), min_length=1, description="of the stages, hot to cold, K"
    )
    steps: int = Field(500, ge=1, description="MD steps of a stage")
    timestep_fs: float = Field(2.0, gt=0, description="fs")
    every: int = Field(100, ge=1, description="steps from one frame to the next")

    @model_validator(mode="after")
    def _every_stage_gives_a_frame(self) -> MeltQuench:
        if self.every > self.steps:
            raise ValueError(f"every {self.every} is longer than a stage of {self.steps} steps: it would give no frame")
        if min(self.temperatures_k) <= 0:
            raise ValueError(f"temperatures_k must be above 0 K, not {list(self.temperatures_k)}")
        return self


class Dimer(Entry):
    """Two atoms in a box, from where the nuclei repel (ZBL) to the cutoff."""

    kind: Literal["dimer"]
    count: int = Field(12, ge=1, description="frames of each pair")
    pairs: tuple[str, ...] | None = Field(None, description="`[Li-S, P-S]`; default: every pair of the species")
    distance_ang: Range = Field((0.6, 6.0), description="shortest and longest distance, Å")

    @model_validator(mode="after")
    def _distances_are_a_range(self) -> Dimer:
        if not 0.5 < self.distance_ang[0] < self.distance_ang[1]:
            raise ValueError(
                f"distance_ang must be a range [low, high] from above 0.5 Å on, not {list(self.distance_ang)}"
            )
        return self


class IsolatedAtom(Entry):
    """Each species alone in a box."""

    kind: Literal["isolated_atom"]
    name: Literal["isolated_atom"] = "isolated_atom"
    count: Literal[1] = 1
    species: tuple[str, ...] | None = Field(None, description="default: every species of the other frames")


AnyEntry = Annotated[
    Bulk
    | Strain
    | Rattle
    | Vacancy
    | Interstitial
    | Surface
    | Interface
    | Boundary
    | Amorphous
    | MeltQuench
    | Dimer
    | IsolatedAtom,
    Field(discriminator="kind"),
]


class SamplePlan(Job):
    """What the first training set is drawn from; the same plan and cells give the same frames."""

    STUDY_KEYS: ClassVar[frozenset[str]] = frozenset(item.name for item in fields(SamplingPlan)) - {"seed"}

    seed: int = Field(0, ge=0, description="master seed; each entry has its own, made of this and its name")
    study: dict[str, Any] | None = Field(
        None, description="counts and ranges of a study of Li | Li6PS5Cl | Li; they may also stand beside `seed`"
    )
    classes: tuple[AnyEntry, ...] = Field((), description="entries of a kind each")
    species: tuple[str, ...] | None = Field(
        None, description="elements the set should cover; default: those of its cells and compositions"
    )
    budget: int | None = Field(None, ge=1, description="frames that may be labelled; default: all")
    shares: dict[str, float] = Field(
        {}, description="weight of a class in the budget, `{interface: 2}`; default 1, times its frames"
    )
    difference: DifferenceSettings = Field(DifferenceSettings(), description="what makes frames unlike each other")

    @model_validator(mode="before")
    @classmethod
    def _study_may_stand_at_the_top(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        flat = {key: value for key, value in content.items() if key in cls.STUDY_KEYS}
        if not flat:
            return content
        if content.get("study") is not None:
            raise ValueError(f"'{min(flat)}' stands beside `seed` and there is `study` too: put it there")
        return {**{key: value for key, value in content.items() if key not in flat}, "study": flat}

    @model_validator(mode="after")
    def _plan_fits_together(self) -> SamplePlan:
        if self.study is not None:
            self.study_plan()
        if not self.classes and self.study is None:
            raise ValueError("the plan asks for no frames: name at least one entry under classes")
        names = [entry.config_type for entry in self.classes]
        names += [] if self.study is None else [name for name, draw in self.study_plan().draws.items() if draw.count]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two entries are named '{twice[0]}': give one of them another name")
        unknown = sorted(set(self.shares) - set(CLASSES))
        if unknown:
            raise ValueError(f"shares has no class '{unknown[0]}': classes are {', '.join(CLASSES)}")
        if any(weight < 0 for weight in self.shares.values()):
            raise ValueError("shares must be weights from 0 on")
        foreign = sorted(set(self.species or ()) - set(atomic_numbers))
        if foreign:
            raise ValueError(f"'{foreign[0]}' in species is no element")
        return self

    def study_plan(self) -> SamplingPlan:
        """Return the plan of the study's frames.

        :raises ValueError: there is none, or it is refused.
        """
        if self.study is None:
            raise ValueError("this plan has no study")
        try:
            return SamplingPlan.from_dict({"seed": self.seed, **self.study})
        except TypeError as error:
            raise ValueError(str(error)) from error

    @property
    def melts(self) -> list[MeltQuench]:
        """Entries that need MD, in their order."""
        return [entry for entry in self.classes if isinstance(entry, MeltQuench)]

    @property
    def phases(self) -> list[str]:
        """Names of the cells the entries are of, each once, in their order."""
        return list(
            dict.fromkeys(entry.of for entry in self.classes if isinstance(entry, OfCell | Packed) and entry.of)
        )


class MeltEngine(Job):
    """The cheap engine that melts."""

    calculator: CalculatorSettings = Field(description="as in a job of seireact-label")

    @field_validator("calculator", mode="before")
    @classmethod
    def _name_alone_is_enough(cls, calculator: Any) -> Any:
        return {"name": calculator} if isinstance(calculator, str) else calculator


def default_plan(cells: Sequence[str]) -> dict[str, Any]:
    """Return a plan for phases and cells by name: each crystal strained, rattled, cut and packed, each cell whose name
    begins with `interface` or `boundary` strained and rattled; dimers of all pairs, and isolated atoms."""
    classes: list[dict[str, Any]] = []
    for name in cells:
        given = next((kind for kind in ("interface", "boundary") if name.startswith(kind)), None)
        if given is not None:
            classes.append({"kind": given, "name": name, "of": name, "count": 24})
            continue
        classes += [
            {"kind": "bulk", "of": name, "count": 12},
            {"kind": "strain", "of": name, "count": 8},
            {"kind": "rattle", "of": name, "count": 8},
            {"kind": "vacancy", "of": name, "count": 6},
            {"kind": "surface", "of": name, "count": 9},
            {"kind": "amorphous", "of": name, "count": 8},
        ]
    return {"classes": [*classes, {"kind": "dimer"}, {"kind": "isolated_atom"}]}


class SampleJob(Job):
    """Plan, cells, what a cheap engine has made of melts, and who will label."""

    plan: SamplePlan = Field(description="seed, classes, budget: see `aiida-seireact sample --help`")
    cells: str | None = Field(None, description="frames (.npz) to start from; the config type of each is its name")
    made: dict[str, tuple[str, ...]] = Field(
        {}, description="by name of a melt_quench entry: frames (.npz) of its stages, in their order"
    )
    labeller: str | None = Field(
        None, description="calculator or engine that will label; one without isolated atoms gets no dimers either"
    )

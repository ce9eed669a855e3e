"""The job file of ``seireact-select``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.frame_files import FrameFiles

Reason = Literal["uncertain", "unknown", "screened"]


class CutSettings(Job):
    """Cells that a labeller can take, cut out of frames that are too large for it."""

    core_ang: float = Field(6.0, gt=0, description="around the centre nothing changes up to here, Å: take the cutoff")
    edge_ang: float = Field(
        15.0, gt=0, description="largest height of a cell along a direction that is cut, Å; shorter ones stay whole"
    )
    contact_factor: float = Field(
        0.7, gt=0, description="atoms nearer than this part of their covalent radii don't stay at the seam"
    )
    relax_steps: int = Field(
        20, ge=0, description="steps in which the model moves the atoms of the seam; 0: they stay where they are"
    )
    relax_fmax_ev_per_ang: float = Field(0.5, gt=0, description="force at which it ends before, eV/Å")

    @model_validator(mode="after")
    def _has_room(self) -> CutSettings:
        if self.edge_ang <= 2 * self.core_ang:
            raise ValueError(
                f"edge_ang {self.edge_ang:g} has no room for core_ang {self.core_ang:g} on both sides of the centre "
                "and a seam: make it more than twice as large"
            )
        return self


class SeamPotential(Job):
    """The model that moves the atoms of a seam."""

    file: str = Field(description="a potential")
    kind: str = Field(description="what it is: allegro-package, sgp …")


class RunChoice(FrameFiles):
    """One run, and how many frames are wanted of it."""

    learned: int = Field(ge=0, description="frames wanted to learn from")
    held_out: int = Field(ge=0, description="frames wanted to hold out")
    start_id: str = Field("", description="frame id of the frame the run started from; goes into the frames chosen")
    labels: str | None = Field(
        None, description="labels of its environments (labels.npz of seireact-classify): which of them are unknown"
    )
    stopped_step: int | None = Field(
        None, ge=0, description="MD step at which a stop rule ended it; none: it ran to its end"
    )
    cut: CutSettings | None = Field(
        None, description="give out a cell around what is unknown or uncertain; null: the whole frame"
    )


class DifferenceSettings(Job):
    """Descriptor by which frames are unlike each other: B2, averaged over the atoms of each species."""

    cutoff_ang: float = Field(5.0, gt=0, description="reach, Å")
    n_max: int = Field(4, ge=1, description="radial functions a species")
    l_max: int = Field(2, ge=0, le=3, description="largest angular momentum")


class SelectJob(Job):
    """What a model has run, who judges it, and which frames are taken."""

    runs: dict[str, RunChoice] = Field(min_length=1, description="runs by name, each with its files and numbers")
    gps: dict[str, str] = Field(
        {}, description="sparse Gaussian processes (.npz) by name; an environment that one of them knows is known"
    )
    committee: dict[str, str] = Field(
        {}, description="instead of gps: packages (.nequip.zip) trained alike but for the seed, by name"
    )
    reasons: dict[Reason, float] = Field(
        {"uncertain": 1.0},
        min_length=1,
        description="why frames are taken, with the share of each: most uncertain; largest part of unknown "
        "environments; last before a stop rule ended the run. What a run has not of a reason is taken as uncertain",
    )
    potential: SeamPotential | None = Field(None, description="moves the atoms of the seam where a run is cut")
    classifier: str | None = Field(
        None, description="phases.npz of seireact-classify: tells where in a frame that is cut the unknown is"
    )
    screened_frames: int = Field(5, ge=1, description="so many frames before a stop rule ended a run count as screened")
    n_blocks: int = Field(6, ge=2, description="time blocks of a run")
    gap_frames: int = Field(2, ge=0, description="frames between two blocks that are not taken")
    held_out_every: int = Field(3, ge=2, description="of so many consecutive blocks the middle one is held out")
    shortlist: float = Field(
        2.0, ge=1, description="the most uncertain frames of a block, as a multiple of those taken, are compared"
    )
    difference: DifferenceSettings = Field(DifferenceSettings(), description="what makes frames unlike each other")
    min_distance_ang: float = Field(1.0, ge=0, description="frames with two atoms closer are not taken, Å")
    min_learned: int = Field(1, ge=1, description="fewer frames to learn from are refused")
    min_held_out: int = Field(1, ge=1, description="fewer frames to hold out are refused")

    @property
    def shares(self) -> dict[str, float]:
        """Share of each reason; together 1."""
        total = sum(self.reasons.values())
        return {str(name): share / total for name, share in self.reasons.items()}

    @model_validator(mode="after")
    def _one_judge(self) -> SelectJob:
        if self.gps and self.committee:
            raise ValueError("gps and committee measure uncertainty in different units: give one of them")
        if len(self.committee) == 1:
            raise ValueError("a committee of one never disagrees: give at least two packages")
        if min(self.reasons.values()) < 0 or not sum(self.reasons.values()):
            raise ValueError("the shares of the reasons must not be negative, and one must be above 0")
        return self

    @model_validator(mode="after")
    def _cells_can_be_cut(self) -> SelectJob:
        judged = bool(self.gps or self.committee or self.classifier)
        if message := self.complaint_about_cells(self.potential is not None, judged):
            raise ValueError(message)
        return self

    def complaint_about_cells(self, has_potential: bool, is_judged: bool) -> str | None:
        """Return why cells can't be cut out of a run, None if they can.

        :param has_potential: whether a model is there that relaxes seams.
        :param is_judged: whether anybody tells which atoms are uncertain, or unknown.
        """
        for name, run in self.runs.items():
            if run.cut is None:
                continue
            if run.cut.relax_steps and not has_potential:
                return f"the seams of {name} are to be relaxed: give a `potential`, or relax_steps 0"
            if not is_judged:
                return (
                    f"the cells cut out of {name} have no centre: give a classifier, gps or a committee, which tell "
                    "what is not known"
                )
        return None

    @model_validator(mode="after")
    def _a_block_is_held_out(self) -> SelectJob:
        if self.n_blocks <= self.held_out_every // 2:
            raise ValueError(
                f"of {self.n_blocks} blocks none is held out where held_out_every is {self.held_out_every}: "
                "take more blocks or a smaller number"
            )
        for part in ("learned", "held_out"):
            asked = sum(getattr(run, part) for run in self.runs.values())
            if asked < getattr(self, f"min_{part}"):
                raise ValueError(
                    f"the runs are asked for {asked} frames {part}, less than min_{part} {getattr(self, f'min_{part}')}"
                )
        return self

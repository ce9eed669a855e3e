"""``seireact.classify_draw`` … ``_discover``: the jobs side by side that make one classification of a large run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.classify import (
    ClassifySettings,
    define_discovery,
    validate_references,
    write_classify_files,
)
from aiida_seireact.calculations.placed_labels import place_labels
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files

MOST_DRAWN = 100
"""Files of landmarks that one job takes; more are gathered first, as a tree (link creation is quadratic)."""


class PartCalculation(ProgramCalculation):
    """What the parts share: parameters, of which each reads its own, and the word for the part."""

    PART: ClassVar[str]
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(ClassifySettings, classifier=None, part="all"),
            help="Those of `seireact.classify`, or of these the ones that this part reads.",
        )

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        changes: dict[str, Any] = {"part": self.PART}
        if "share" in self.inputs:
            changes["share"] = self.inputs.share.get_list()
        if "drawn" in self.inputs:
            changes["drawn"] = []
            for number, drawn in enumerate(node for _, node in sorted(self.inputs.drawn.items())):
                changes["drawn"].append(f"drawn_{number:03d}.npz")
                links.local_copy.append((drawn.uuid, drawn.filename, changes["drawn"][-1]))
        return write_classify_files(self.inputs, folder, links, **changes)


def _of_run(spec: CalcJobProcessSpec, *, share: bool) -> None:
    spec.input("trajectory", valid_type=(TrajectoryData, FramesData), help="The whole run.")
    if share:
        spec.input("share", valid_type=orm.List, help="Which share of its frames, of how many: [0, 4].")


def _drawn(spec: CalcJobProcessSpec, *, required: bool = True) -> None:
    spec.input_namespace(
        "drawn",
        valid_type=orm.SinglefileData,
        dynamic=True,
        required=required,
        help="Landmarks of shares, by names in their order.",
    )


def _references(spec: CalcJobProcessSpec) -> None:
    spec.input_namespace(
        "references",
        valid_type=(TrajectoryData, FramesData),
        dynamic=True,
        validator=validate_references,
        help="Runs of the pure phases, by name.",
    )


class DrawCalculation(PartCalculation):
    """A share of a run in, its landmarks out."""

    PART = "draw"
    PARSER = "seireact.classify_draw"
    RETRIEVE_TEMPORARY = (files.DRAWN,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        _of_run(spec, share=True)
        spec.output("drawn", valid_type=orm.SinglefileData, help="The landmarks' descriptors, and where they are from.")


class GatherCalculation(PartCalculation):
    """Landmarks of several shares in, one file of them out."""

    PART = "gather"
    PARSER = "seireact.classify_draw"
    RETRIEVE_TEMPORARY = (files.DRAWN,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        _drawn(spec)
        spec.output("drawn", valid_type=orm.SinglefileData, help="All these landmarks.")


class ClusterCalculation(PartCalculation):
    """Landmarks of all shares and references in, the classifier out."""

    PART = "cluster"
    PARSER = "seireact.classify_cluster"
    CACHE_VERSION = 2
    RETRIEVE_TEMPORARY = (files.PHASES, files.LANDMARK_PLACES)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        _drawn(spec, required=False)
        _references(spec)
        spec.input("classifier", valid_type=PhasesData, required=False, help="Name it anew, without clustering again.")
        spec.output("phases", valid_type=PhasesData, help="The classifier.")
        spec.output(
            "landmark_places",
            valid_type=orm.SinglefileData,
            required=False,
            help="Which environments are landmarks, unless a classifier was given.",
        )
        spec.output("clusters", valid_type=orm.Dict, help="Clusters, dendrogram, sensitivity.")


class AssignCalculation(PartCalculation):
    """A share of a run and a classifier in, the labels of the share out."""

    PART = "assign"
    PARSER = "seireact.classify_assign"
    RETRIEVE_TEMPORARY = (files.LABELS,)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        _of_run(spec, share=True)
        spec.input("classifier", valid_type=PhasesData, help="The classifier.")
        spec.input("landmark_places", valid_type=orm.SinglefileData, required=False, help="Those of its own run.")
        spec.output("labels", valid_type=orm.ArrayData, help="As of `seireact.classify`, of this share.")
        spec.output("assigned", valid_type=orm.Dict, help="Composition of the cell, and how much was labelled.")


class DiscoverCalculation(PartCalculation):
    """A run, its labels and its classifier in; what the unknown clusters and the known phases are out."""

    PART = "discover"
    PARSER = "seireact.classify_discover"
    CACHE_VERSION = 2
    RETRIEVE_TEMPORARY = (files.DISCOVERY, files.EXAMPLES)

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        _of_run(spec, share=False)
        _references(spec)
        spec.input("classifier", valid_type=PhasesData, help="The classifier.")
        spec.input("labels", valid_type=orm.ArrayData, help="Labels of the whole run.")
        define_discovery(spec)

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        place_labels(self.inputs.labels, self.inputs.code.computer, folder, links)
        return super().write_files(folder, links)

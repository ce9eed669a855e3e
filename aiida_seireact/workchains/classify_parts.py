"""``seireact.classify_parts``: one classification as jobs side by side, whose results are merged as a tree."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ExitCode, ProcessSpec, ToContext, if_, while_

from aiida_seireact.calculations.classify import ClassifyCalculation
from aiida_seireact.calculations.classify_parts import (
    AssignCalculation,
    ClusterCalculation,
    DiscoverCalculation,
    DrawCalculation,
    GatherCalculation,
)
from aiida_seireact.calculations.functions.classify import (
    divide_frames,
    merge_labels,
    parameters_of_parts,
    tell_classification,
)
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.stages import Child, StagedWorkChain

MOST_TOGETHER = 100
"""Inputs of one process; more are put together as a tree (link creation is quadratic)."""


class DrawWorkChain(ProgramWorkChain):
    """Draws the landmarks of a share; a killed job starts again."""

    _process_class: ClassVar[type[CalcJob]] = DrawCalculation


class GatherWorkChain(ProgramWorkChain):
    """Puts landmarks of shares into one file; a killed job starts again."""

    _process_class: ClassVar[type[CalcJob]] = GatherCalculation


class ClusterWorkChain(ProgramWorkChain):
    """Clusters and names the landmarks; a killed job starts again."""

    _process_class: ClassVar[type[CalcJob]] = ClusterCalculation


class AssignWorkChain(ProgramWorkChain):
    """Labels a share; a killed job starts again."""

    _process_class: ClassVar[type[CalcJob]] = AssignCalculation


class DiscoverWorkChain(ProgramWorkChain):
    """Looks at the unknown clusters; a killed job starts again."""

    _process_class: ClassVar[type[CalcJob]] = DiscoverCalculation


class ClassifyPartsWorkChain(StagedWorkChain):
    """Each job draws landmarks of its share of the frames; one clusters them; each labels its share.

    Seeds belong to frames, and landmarks are known by their place, so the labels do not depend on the number of jobs.
    A job is given the parameters that it reads and no others: with another `z` what was drawn comes from the cache.
    """

    TOGETHER: ClassVar[int] = MOST_TOGETHER

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(ClassifyCalculation, exclude=("metadata",))
        spec.input("parallel", valid_type=orm.Int, help="Jobs that share the frames.")
        spec.expose_outputs(ClassifyCalculation, exclude=("remote_folder", "retrieved", "remote_stash"))
        spec.outline(
            cls.divide,
            if_(cls.should_cluster)(
                cls.draw, cls.collect_drawn, while_(cls.are_many)(cls.gather, cls.collect_gathered)
            ),
            cls.cluster,
            cls.assign,
            cls.merge,
            if_(cls.should_discover)(cls.discover),
            cls.finish,
        )

    # ---------------------------------------------------------------------------------------- landmarks

    def divide(self) -> None:
        """Give each job its share of the frames, and only the parameters that it reads."""
        of_parts = parameters_of_parts(self.inputs.parameters, metadata={"call_link_label": "parameters_of_parts"})
        self.ctx.parameters = {part: node.uuid for part, node in of_parts.items()}
        shares = divide_frames(self.inputs.parallel, metadata={"call_link_label": "divide"})
        self.ctx.shares = [shares[name].uuid for name in sorted(shares)]

    def should_cluster(self) -> bool:
        """Whether there is no classifier yet."""
        return "classifier" not in self.inputs

    def draw(self) -> ToContext | ExitCode:
        """Draw the landmarks of each share."""
        return self.begin("draw", **self._shares("draw", DrawWorkChain))

    def collect_drawn(self) -> ExitCode | None:
        """Take the landmarks of the shares, in order."""
        return self._collect("draw", self._names("draw", self.inputs.parallel.value))

    def are_many(self) -> bool:
        """Whether there are more files of landmarks than one job takes."""
        return len(self.ctx.drawn) > self.TOGETHER

    def gather(self) -> ToContext | ExitCode:
        """Put the landmarks of neighbouring shares together."""
        self.ctx.level = self.ctx.get("level", 0) + 1
        groups = [
            self.ctx.drawn[start : start + self.TOGETHER] for start in range(0, len(self.ctx.drawn), self.TOGETHER)
        ]
        names = self._names(f"gather_{self.ctx.level}", len(groups))
        inputs = [{**self._common("gather"), "drawn": self._loaded(group)} for group in groups]
        return self.begin("gather", **dict(zip(names, [(GatherWorkChain, held) for held in inputs], strict=True)))

    def collect_gathered(self) -> ExitCode | None:
        """Take what was put together, in order."""
        n_groups = -(-len(self.ctx.drawn) // self.TOGETHER)
        return self._collect("gather", self._names(f"gather_{self.ctx.level}", n_groups))

    def cluster(self) -> ToContext | ExitCode:
        """Cluster the landmarks, or name anew the clusters of a classifier."""
        inputs = {**self._common("cluster"), "references": dict(self.inputs.get("references", {}))}
        if self.should_cluster():
            inputs["drawn"] = self._loaded(self.ctx.drawn)
        else:
            inputs["classifier"] = self.inputs.classifier
        return self.begin("cluster", cluster=(ClusterWorkChain, inputs))

    # ---------------------------------------------------------------------------------------- labels

    def assign(self) -> ToContext | ExitCode:
        """Label each share."""
        if failure := self.failure("cluster", self.ctx.cluster):
            return failure
        found = self.ctx.cluster.outputs
        more: dict[str, Any] = {"classifier": found.phases}
        if "landmark_places" in found:
            more["landmark_places"] = found.landmark_places
        return self.begin("assign", **self._shares("assign", AssignWorkChain, **more))

    def merge(self) -> ExitCode | None:
        """Put the labels of all shares one after the other, as a tree."""
        names = self._names("assign", self.inputs.parallel.value)
        for name in names:
            if failure := self.failure("assign", self.ctx[name]):
                return failure
        nodes = [self.ctx[name].outputs.labels for name in names]
        while len(nodes) > 1:
            groups = [nodes[start : start + self.TOGETHER] for start in range(0, len(nodes), self.TOGETHER)]
            nodes = [
                merge_labels(**{f"part_{number:03d}": node for number, node in enumerate(group)}) for group in groups
            ]
        self.ctx.labels = nodes[0].uuid
        return None

    # ---------------------------------------------------------------------------------------- results

    def should_discover(self) -> bool:
        """Whether groups are to be looked at.

        Also where each cluster has a name: environments beyond the gates have none, and whether all-sulfur
        environments sit together is asked of named phases too.
        """
        return self.inputs.parameters.get_dict().get("discover", {}) is not None

    def discover(self) -> ToContext | ExitCode:
        """Look at what is unknown, and at the known phases beside it."""
        inputs = {
            **self._common("discover"),
            "trajectory": self.inputs.trajectory,
            "references": dict(self.inputs.get("references", {})),
            "classifier": self.ctx.cluster.outputs.phases,
            "labels": orm.load_node(self.ctx.labels),
        }
        return self.begin("discover", discover=(DiscoverWorkChain, inputs))

    def finish(self) -> ExitCode | None:
        """Attach classifier, labels and numbers."""
        if "discover" in self.ctx:
            if failure := self.failure("discover", self.ctx.discover):
                return failure
            for name in ("discovery", "discovery_arrays", "examples"):
                if name in self.ctx.discover.outputs:
                    self.out(name, self.ctx.discover.outputs[name])
        labels, found = orm.load_node(self.ctx.labels), self.ctx.cluster.outputs
        assigned = self.ctx[self._names("assign", 1)[0]].outputs.assigned
        self.out("phases", found.phases)
        self.out("labels", labels)
        self.out("classification", tell_classification(found.clusters, labels, assigned, self.inputs.parameters))
        return None

    # ---------------------------------------------------------------------------------------- helpers

    def _common(self, part: str) -> dict[str, Any]:
        return {"code": self.inputs.code, "parameters": orm.load_node(self.ctx.parameters[part])}

    def _names(self, stage: str, count: int) -> list[str]:
        return [f"{stage}_{number:04d}" for number in range(count)]

    def _shares(self, stage: str, process: type[ProgramWorkChain], **more: Any) -> dict[str, Child]:
        shares = {
            name: orm.load_node(uuid)
            for name, uuid in zip(self._names(stage, len(self.ctx.shares)), self.ctx.shares, strict=True)
        }
        given = {**self._common(stage), **more, "trajectory": self.inputs.trajectory}
        return {name: (process, {**given, "share": share}) for name, share in shares.items()}

    def _collect(self, stage: str, names: list[str]) -> ExitCode | None:
        for name in names:
            if failure := self.failure(stage, self.ctx[name]):
                return failure
        self.ctx.drawn = [self.ctx[name].outputs.drawn.uuid for name in names]
        return None

    def _loaded(self, uuids: list[str]) -> dict[str, orm.Node]:
        return {f"part_{number:03d}": orm.load_node(uuid) for number, uuid in enumerate(uuids)}

"""Where the output nodes of a study are: at the top process, or at the child that made them while it still runs."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.query.family import TOP_PROCESS, stages_of
from aiida_seireact.query.tree import Process

FIRST = "first"
"""Namespace of the outputs of the first model, where a second one learned from its run."""
CLOSED = "closed"
"""Namespace of the outputs of the closed loop."""

STAGE_OF = {
    "label_failures": "label",
    "campaigns": "explore",
    "campaign_arrays": "explore",
    "dataset": "dataset",
    "metrics": "train",
    "curve": "train",
    "predictions": "train",
    "potential": "train",
    "compiled": "train",
    "reference_plan": "references",
    "verdict": "validate",
    "augmentation": "augment",
    "rounds": "augment",
    "selection": "augment",
    "trajectories": "augment",
    "parent_predictions": "augment",
    "trajectory": "produce",
    "classification": "classify",
    "labels": "classify",
    "phases": "classify",
    "discovery": "classify",
    "discovery_arrays": "classify",
    "comparison": "close_loop",
    "analysis": "analyse",
    "analysis_arrays": "analyse",
    "summary": "summary",
}
"""Which stage makes which output."""

OF_LAST_MODEL = ("dataset", "metrics", "curve", "predictions", "potential", "compiled", "verdict")
"""Outputs that augmentation makes anew."""
TOLD_IN_FAILURE = ("campaigns", "campaign_arrays", "selection", "trajectories")
"""Outputs that mean what they say though the child that made them failed later."""
OTHER_NAMES = {"campaign_arrays": "arrays", "campaigns": "campaign"}
"""What a child that makes an output calls it, where that is not its name at the top."""


class Outputs:
    """Output nodes of the top process, or of the child that made them while it has not passed them on."""

    def __init__(self, top: orm.ProcessNode, processes: list[Process]) -> None:
        self.top = top
        self.is_study = top.process_label == TOP_PROCESS
        self.children = [process for process in processes if process.depth == 1]
        self.processes = processes
        self.stages = stages_of(top)
        self.nodes = created_by(top)
        self.inputs = {
            link.link_label: link.node
            for link in top.base.links.get_incoming(link_type=(LinkType.INPUT_WORK, LinkType.INPUT_CALC)).all()
        }
        self.missing: dict[str, str] = {}

    @property
    def has_first(self) -> bool:
        """Whether there are, or are to be, a first and a last model."""
        return "augment" in self.stages

    def find(self, name: str, part: str = "", *, quietly: bool = False) -> Any:
        """Return the output node, or None after noting why it is missing.

        :param part: `FIRST` for that of the first model, `CLOSED` for that of the closed loop.
        :param quietly: it may well not be there: note nothing.
        """
        full = f"{part}__{name}" if part else name
        for label in (full, OTHER_NAMES.get(name, full)):
            if label in self.nodes:
                return self.nodes[label]
        stage = STAGE_OF[name]
        if self.has_first and not part and name in OF_LAST_MODEL:
            stage = "augment"
        if part and name == "trajectory":
            stage, name = "augment", "trajectories__production"
        node = self._of_child(stage, name, part)
        if node is None and not quietly:
            self.missing[full.replace("__", ".")] = self._why(stage)
        return node

    def find_run(self, name: str) -> Any:
        """Return the trajectory of a run that augmentation looked at, None if there is none."""
        label = f"trajectories__{name}"
        return self.nodes.get(label) or self._of_child("augment", label)

    def _of_child(self, stage: str, name: str, part: str = "") -> Any:
        for child in self.children:
            # A reference run has a trajectory too: only the child of that very stage counts.
            told = child.counts or (child.is_sealed and name.split("__")[0] in TOLD_IN_FAILURE)
            if child.stage != stage or not told:
                continue
            if child.member.call_label.endswith(f"_{FIRST}") != bool(part) and stage in ("classify", "analyse"):
                continue
            outputs = created_by(orm.load_node(child.pk))
            # A calcfunction with one output calls it result.
            for label in (name, OTHER_NAMES.get(name, name), "result"):
                if label in outputs:
                    return outputs[label]
        return None

    def _why(self, stage: str) -> str:
        mine = [child for child in self.children if child.stage == stage]
        failed = [child.member for child in mine if child.is_failed]
        if failed:
            last = failed[-1]
            reason = last.reason or f"it was {last.process_state}"
            return f"stage {stage} failed in {last.name} <{last.pk}>: {reason}"
        running = [child.member for child in mine if not child.is_sealed]
        if running:
            return f"stage {stage} is not over: {running[-1].name} <{running[-1].pk}> is {running[-1].state}"
        if not mine and not self.is_study:
            return f"a {self.top.process_label} has no stage {stage}"
        if self.processes[0].is_sealed:
            return f"stage {stage} was not reached"
        return f"stage {stage} has not begun"


def created_by(node: orm.ProcessNode) -> dict[str, orm.Node]:
    """Return the outputs by link label; namespaces are told apart by two underscores."""
    links = node.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    return {entry.link_label: entry.node for entry in links}

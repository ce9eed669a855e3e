"""What a bundle will hold, and how much: everything that is looked at before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aiida import orm

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.publishing import datasets, models, trajectories
from aiida_seireact.publishing.bundle import Progress
from aiida_seireact.publishing.licensed import refuse_licensed
from aiida_seireact.publishing.subgraph import SubGraph

REST_BYTES = 20_000_000
"""Figures, report and texts, about."""


@dataclass(frozen=True)
class Plan:
    """The nodes of a bundle by what becomes of them."""

    graph: SubGraph
    datasets: tuple[DatasetData, ...]
    models: tuple[PotentialData, ...]
    runs: tuple[TrajectoryData, ...]
    archive_bytes: int
    """Of the files of its nodes, unpacked."""
    dataset_bytes: int
    model_bytes: int

    @classmethod
    def of(cls, tops: Sequence[orm.ProcessNode], progress: Progress, looked_at: Collection[str] = ()) -> Plan:
        """Look at processes that are to be published.

        :param looked_at: see `refuse_licensed`.
        :raises BundleError: one has not ended, or a node behind them holds what may not be passed on.
        """
        graph = SubGraph.of(tops)
        progress(f"licences: looking into the files of {len(graph.pks)} nodes")
        archive_bytes = refuse_licensed(graph, progress, looked_at)
        packages = models.models_of(graph)
        sets = datasets.datasets_of(graph, [str(node.base.attributes.get("dataset_hash")) for node in packages])
        return cls(
            graph,
            tuple(sets),
            tuple(packages),
            tuple(trajectories.trajectories_of(graph)),
            archive_bytes,
            sum(datasets.size_of(node) for node in sets),
            sum(models.size_of(node) for node in packages),
        )

    @property
    def n_bytes(self) -> int:
        """How many bytes it takes at most, about: archives are packed, which this does not count on."""
        return self.archive_bytes + self.dataset_bytes + self.model_bytes + REST_BYTES

"""Clusters of metal atoms with time, and whether they percolate: conduct electrons from one side to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import atomic_numbers

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import ClusterSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Run, Series
from aiida_seireact.science import analysis


class ClustersObserver(Series[ClusterSettings]):
    """``clusters_n``, ``clusters_largest``, ``clusters_mean_size``, ``clusters_dimension``, ``clusters_percolate``."""

    def __init__(self, settings: ClusterSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.every = settings.every
        wanted = [atomic_numbers[symbol] for symbol in settings.species]
        if missing := [s for s, number in zip(settings.species, wanted, strict=True) if number not in run.species]:
            raise InvalidInput(f"clusters: the trajectory holds no {missing[0]}: choose others of its elements.")
        self.chosen = np.isin(run.first.numbers, wanted)
        names = run.label_names or ()
        if settings.label is not None and settings.label not in names:
            raise InvalidInput(f"clusters.label is {settings.label!r}, but the labels are {', '.join(names)}.")

    @classmethod
    def needs(cls, settings: ClusterSettings) -> Needs:
        return Needs(labels=settings.label is not None)

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any] | None:
        chosen = self.chosen
        if self.settings.label is not None:
            if labels is None:
                return None
            chosen = np.zeros(len(self.chosen), dtype=bool)
            chosen[labels.centres[labels.labels == labels.names.index(self.settings.label)]] = True
            chosen &= self.chosen
        found = analysis.bonded_clusters(frame.positions[chosen], frame.cell, frame.pbc, self.settings.cutoff_ang)
        some = len(found.sizes) > 0
        return {
            "clusters_n": len(found.sizes),
            "clusters_largest": int(found.sizes[0]) if some else 0,
            # Of the cluster that a random one of these atoms is in.
            "clusters_mean_size": float((found.sizes**2).sum() / found.sizes.sum()) if some else 0.0,
            "clusters_dimension": int(found.dimensions.max()) if some else 0,
            "clusters_percolate": found.wraps.any(axis=0),
        }

    def arrays(self) -> Arrays:
        return {"clusters_steps": self.steps, **{name: self.column(name) for name in self.columns}}

    def summary(self) -> dict[str, Any]:
        wraps = self.column("clusters_percolate").reshape(-1, 3)
        first = {
            axis: int(self.steps[np.argmax(column)]) if column.any() else None
            for axis, column in zip("abc", wraps.T, strict=True)
        }
        n = self.column("clusters_n")
        return {
            "clusters": {
                "n_end": int(n[-1]) if len(n) else None,
                "largest_end": int(self.column("clusters_largest")[-1]) if len(n) else None,
                "first_step_that_percolates_along": first,
                "share_of_frames_that_percolate_along": {
                    axis: float(column.mean()) if len(column) else None
                    for axis, column in zip("abc", wraps.T, strict=True)
                },
            }
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "chosen": None}

"""Partial radial distribution functions, averaged over the last part of a run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import RdfSettings
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Observer, Run
from aiida_seireact.science import analysis


class RdfObserver(Observer[RdfSettings]):
    """``rdf_pairs``, ``rdf_r_ang``, ``rdf_g``: mean over the last part of the run."""

    def __init__(self, settings: RdfSettings, run: Run) -> None:
        super().__init__(settings, run)
        present = [chemical_symbols[number] for number in run.species]
        self.pairs = list(settings.pairs or combinations_with_replacement(present, 2))
        for pair in self.pairs:
            for missing in sorted(set(pair) - set(present)):
                raise InvalidInput(
                    f"rdf of {pair[0]}-{pair[1]}: the trajectory holds no {missing}, only {', '.join(present)}."
                )
        names = run.label_names or ()
        if settings.centres_label is not None and settings.centres_label not in names:
            raise InvalidInput(
                f"rdf.centres_label is {settings.centres_label!r}, but the labels are {', '.join(names)}: give one of "
                "these, or null for the centres of any label."
            )
        self.start = run.n_frames - max(1, round(settings.last_fraction * run.n_frames))
        self.total = np.zeros((len(self.pairs), settings.n_bins))
        self.n_averaged = np.zeros(len(self.pairs), dtype=np.int64)

    @classmethod
    def needs(cls, settings: RdfSettings) -> Needs:
        return Needs(labels=settings.centres_label is not None)

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        if number < self.start:
            return
        if self.settings.centres_label is None:
            self._add_all(frame)
        elif labels is not None:
            self._add_of_label(frame, labels, self.settings.centres_label)

    def _add_all(self, frame: Snapshot) -> None:
        """Count all pairs at once."""
        settings = self.settings
        numbers, kinds = np.unique(frame.numbers, return_inverse=True)
        counts = _pair_counts()(
            frame.positions, kinds, len(numbers), frame.cell, r_max_ang=settings.r_max_ang, n_bins=settings.n_bins
        )
        amounts = np.bincount(kinds)
        volume = abs(float(np.linalg.det(frame.cell)))
        shells = 4.0 / 3.0 * np.pi * np.diff(np.linspace(0.0, settings.r_max_ang, settings.n_bins + 1) ** 3)
        for row, pair in enumerate(self.pairs):
            a, b = (int(np.searchsorted(numbers, atomic_numbers[symbol])) for symbol in pair)
            self.total[row] += counts[a, b] * volume / (amounts[a] * amounts[b] * shells)
        self.n_averaged += 1

    def _add_of_label(self, frame: Snapshot, labels: LabelRow, label: str) -> None:
        centres = labels.centres[labels.labels == labels.names.index(label)]
        for row, (first, second) in enumerate(self.pairs):
            if not (frame.numbers[centres] == atomic_numbers[first]).any():
                continue  # such a label may come later in the run, and go
            _, g = analysis.partial_rdf(
                frame.positions,
                frame.numbers,
                frame.cell,
                frame.pbc,
                (atomic_numbers[first], atomic_numbers[second]),
                r_max_ang=self.settings.r_max_ang,
                n_bins=self.settings.n_bins,
                centres=centres,
            )
            self.total[row] += g
            self.n_averaged[row] += 1

    def merge(self, later: Self) -> None:
        self.total += later.total
        self.n_averaged += later.n_averaged

    def arrays(self) -> Arrays:
        edges = np.linspace(0.0, self.settings.r_max_ang, self.settings.n_bins + 1)
        seen = self.n_averaged[:, None]
        return {
            "rdf_pairs": np.array(["-".join(pair) for pair in self.pairs]),
            "rdf_r_ang": (edges[1:] + edges[:-1]) / 2,
            "rdf_g": np.divide(self.total, seen, out=np.full_like(self.total, np.nan), where=seen > 0),
        }

    def summary(self) -> dict[str, Any]:
        return {"rdf_frames": int(self.n_averaged.max())}


def _pair_counts() -> Callable[..., NDArray[np.int64]]:
    """Return the compiled function.

    :raises MissingPackage: numba is not installed.
    """
    try:
        from aiida_seireact.science.analysis.pair_counts import pair_counts
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise MissingPackage("rdf needs the package numba: pip install 'aiida-seireact[analyse]'.") from None
    return pair_counts

"""How far the structure of a model's MD is from that of reference MD: partial radial distribution functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis import partial_rdf
from aiida_seireact.science.validation.lines import AskedRun, Evidence, Phases, Run
from aiida_seireact.science.validation.md import MdLine
from aiida_seireact.science.validation.targets import Measured

FloatArray = NDArray[np.float64]
BY: tuple[Literal["model", "labeller"], ...] = ("model", "labeller")


@dataclass(frozen=True, eq=False)
class RdfDistance:
    """Two partial radial distribution functions.

    :param distance: share of the pairs within reach that are at other distances: 0 the same, 1 nothing in common.
    :param floor: the same between the two halves of the reference, in time: what it can't tell apart itself.
    :param r_ang: ``(n_bins,)``
    :param g: ``(n_bins,)`` of the model.
    :param g_reference: ``(n_bins,)``
    """

    distance: float
    floor: float
    r_ang: FloatArray
    g: FloatArray
    g_reference: FloatArray


def rdfs(
    positions: ArrayLike,
    numbers: ArrayLike,
    cells: ArrayLike,
    pair: tuple[str, str],
    *,
    r_max_ang: float = 6.0,
    n_bins: int = 60,
) -> tuple[FloatArray, FloatArray]:
    """Return g(r) of each frame, by `science.analysis.partial_rdf`: ``(n_bins,)`` and ``(n_frames, n_bins)``.

    :param positions: ``(n_frames, n_atoms, 3)`` Å.
    :param cells: ``(n_frames, 3, 3)`` Å, periodic.
    """
    both = (atomic_numbers[pair[0]], atomic_numbers[pair[1]])
    found = [
        partial_rdf(places, numbers, cell, (True, True, True), both, r_max_ang=r_max_ang, n_bins=n_bins)
        for places, cell in zip(np.asarray(positions), np.asarray(cells), strict=True)
    ]
    return found[0][0], np.array([g for _, g in found])


def distance_between(r_ang: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Return ∫ |g_a − g_b| r² dr / ∫ (g_a + g_b) r² dr, from 0, the same, to 1, no overlap.

    ``g r²`` is the density of pairs by distance, so it is the dissimilarity of Bray and Curtis (Ecol. Monogr. 27, 325
    (1957)) of the two counts of pairs; of equal counts the total variation distance.

    :param r_ang: ``(n_bins,)`` evenly spaced.
    :raises ValueError: neither has a pair within reach.
    """
    weight = np.square(np.asarray(r_ang, dtype=float))
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    total = float(((a + b) * weight).sum())
    if not total > 0:
        raise ValueError("there is no pair within reach: take a larger r_max_ang")
    return float((np.abs(a - b) * weight).sum() / total)


def compare_rdfs(r_ang: ArrayLike, model: ArrayLike, reference: ArrayLike) -> RdfDistance:
    """Return how far the mean g(r) of a model's frames is from that of reference frames.

    :param model: ``(n_frames, n_bins)``, in order of time.
    :param reference: the same of the reference, four frames or more.
    :raises ValueError: fewer frames.
    """
    of_model, of_reference = np.asarray(model, dtype=float), np.asarray(reference, dtype=float)
    if not len(of_model) or len(of_reference) < 4:
        raise ValueError(f"{len(of_reference)} reference frames and {len(of_model)} of the model: needs 4 and 1")
    half = len(of_reference) // 2
    g, g_reference = of_model.mean(axis=0), of_reference.mean(axis=0)
    return RdfDistance(
        distance=distance_between(r_ang, g, g_reference),
        # Where only the model has such a pair, the reference is sure that there is none.
        floor=distance_between(r_ang, of_reference[:half].mean(axis=0), of_reference[half:].mean(axis=0))
        if g_reference.any()
        else 0.0,
        r_ang=np.asarray(r_ang, dtype=float),
        g=g,
        g_reference=g_reference,
    )


@dataclass(frozen=True, kw_only=True)
class Rdf(MdLine):
    """How far the partial RDFs of the model's MD are from those of the labeller's, at constant volume.

    The error told is the distance between the halves of the labeller's run: with ``sigmas`` in the target it is
    forgiven.

    :param pairs: as ``Li-S``; none: all of the phase that come within ``r_max_ang`` in either run, as P and P of
        argyrodite, 7 Å apart, do not.
    :param skip_fraction: part of each run, at its beginning, that is left out.
    """

    test: Literal["rdf"] = "rdf"
    ensemble: Literal["nvt", "npt"] = "nvt"
    pairs: tuple[str, ...] = ()
    r_max_ang: float = 6.0
    n_bins: int = 60
    skip_fraction: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ensemble != "nvt":
            raise ValueError("the labeller runs at constant volume, so the model does: ensemble is nvt")
        if not 0 <= self.skip_fraction < 1 or self.r_max_ang <= 0 or self.n_bins < 10:
            raise ValueError("skip_fraction is from 0 to 1, r_max_ang positive, n_bins 10 or more")
        if wrong := [name for name in self.pairs if len(set(name.split("-")) - set(atomic_numbers)) or "-" not in name]:
            raise ValueError(f"pairs has {wrong[0]!r}: write as Li-S")
        if self.target.needs_reference:
            raise ValueError("the number is a distance from the labeller already: give max")

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return for each phase a run of the model and one of the labeller."""
        return [self.run_of(phases, phase, by) for phase in self.phases for by in BY]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the distance of each pair in each phase."""
        return [number for phase in self.phases for number in self._numbers(evidence, phase)]

    def _numbers(self, evidence: Evidence, phase: str) -> list[Measured]:
        model, why = self.ran(evidence, phase)
        reference, why_not = self.ran(evidence, phase, "labeller")
        if model is None or reference is None:
            return [_number(phase, None, f"of the model: {why}" if why else f"of the labeller: {why_not}")]
        symbols = sorted({chemical_symbols[number] for number in reference.numbers})
        pairs = self.pairs or tuple("-".join(pair) for pair in combinations_with_replacement(symbols, 2))
        found, apart = [], []
        for name in pairs:
            try:
                first, second = name.split("-")
                curves = [self._curves(run, (first, second)) for run in (model, reference)]
                if not self.pairs and not any(g.any() for _, g in curves):
                    apart.append(name)
                    continue
                found.append(_number(f"{phase} {name}", compare_rdfs(curves[0][0], curves[0][1], curves[1][1])))
            except ValueError as error:
                found.append(_number(f"{phase} {name}", None, str(error).rstrip(".")))
        told = f"no {', '.join(apart)} within {self.r_max_ang:g} Å" if apart else ""
        if not found:
            return [_number(phase, None, told)]
        return [replace(found[0], note=f"{found[0].note}; {told}"), *found[1:]] if told else found

    def _curves(self, run: Run, pair: tuple[str, str]) -> tuple[FloatArray, FloatArray]:
        begin = int(self.skip_fraction * len(run.positions))
        frames = (run.positions[begin:], run.numbers, run.cells[begin:])
        return rdfs(*frames, pair, r_max_ang=self.r_max_ang, n_bins=self.n_bins)


def _number(subject: str, found: RdfDistance | None, note: str = "") -> Measured:
    if found is None:
        return Measured(subject=subject, quantity="distance of g(r)", value=float("nan"), note=note)
    floor = f"the halves of the reference differ by {found.floor:.3f}"
    return Measured(subject=subject, quantity="distance of g(r)", value=found.distance, error=found.floor, note=floor)

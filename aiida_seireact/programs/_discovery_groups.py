"""Groups of environments that discovery looks at, and what is counted of each, frame by frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.discover import DiscoverSettings
from aiida_seireact.science.discovery import composition, order, shells
from aiida_seireact.science.discovery.surroundings import Surroundings
from aiida_seireact.science.discovery.xrd import ReciprocalGrid, pattern

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
N_BINS = 160
MOST_NEIGHBOURS = 15
FWHM_DEG = 0.6


@dataclass(frozen=True)
class Group:
    """Environments that are looked at together.

    :param id: how it is called: ``cluster 3``, ``Li2S``, ``beyond Li2S``.
    :param kind: an unknown cluster; a known phase; or environments in the clusters of a known phase that lie beyond
        the gate of its references, and so are unknown.
    :param cluster: of an unknown cluster.
    """

    id: str
    kind: Literal["unknown", "known", "gated"]
    cluster: int | None = None


class Groups:
    """All groups of a classification; each environment is in one.

    :param names: of the labels; 0 is unknown.
    :param cluster_labels: ``(n_clusters,)``
    """

    def __init__(self, names: Sequence[str], cluster_labels: Sequence[int]) -> None:
        labels = np.asarray(cluster_labels, dtype=np.int64)
        unknown = np.flatnonzero(labels == 0)
        self.groups: list[Group] = [
            *(Group(f"cluster {cluster}", "unknown", int(cluster)) for cluster in unknown),
            *(Group(name, "known") for name in names[1:]),
            *(Group(f"beyond {name}", "gated") for name in names[1:]),
        ]
        n_known = len(names) - 1
        self._of_cluster = np.where(labels == 0, np.cumsum(labels == 0) - 1, len(unknown) + n_known + labels - 1)
        self._first_known = len(unknown)

    def __len__(self) -> int:
        return len(self.groups)

    def of(self, labels: NDArray[Any], clusters: NDArray[Any]) -> IntArray:
        """Return the group of each environment, ``(n,)``."""
        named, at = np.asarray(labels, dtype=np.int64), np.asarray(clusters, dtype=np.int64)
        return np.where(named > 0, self._first_known + named - 1, self._of_cluster[at])


@dataclass(eq=False)
class Measured:
    """What was counted of one group."""

    n_looked_at: int = 0
    amounts: dict[str, float] = field(default_factory=dict)
    shells: Counter[str] = field(default_factory=Counter)
    counts: FloatArray | None = None
    n_counted: int = 0
    densities: FloatArray | None = None
    neighbours: IntArray | None = None
    tetrahedral: list[float] = field(default_factory=list)
    crystallinity: list[tuple[float, int]] = field(default_factory=list)
    curves: list[FloatArray] = field(default_factory=list)

    def order(self) -> tuple[float | None, int]:
        """Return crystallinity over all frames looked at, and the number of centres."""
        known = [(value, n) for value, n in self.crystallinity if n]
        total = sum(n for _, n in known)
        return (sum(value * n for value, n in known) / total if total else None), total


@dataclass(frozen=True, eq=False)
class Look:
    """One frame, searched once for all groups.

    :param group: ``(n_centres,)`` of each centre.
    :param shells: ``(n_centres, 4)`` nearest anions; :param vectors: ``(n_centres, 4, 3)`` to them.
    :param enclosed: of `composition.enclosed`.
    """

    snapshot: Snapshot
    frame: Surroundings
    centres: IntArray
    group: IntArray
    shells: IntArray
    vectors: FloatArray
    enclosed: tuple[IntArray, IntArray]
    recurrence: order.Recurrence
    q_max: float

    @cached_property
    def grid(self) -> ReciprocalGrid:
        """The reciprocal vectors of the cell."""
        return ReciprocalGrid(self.snapshot.cell, q_max=self.q_max)

    def weights(self, members: NDArray[np.bool_], centre: str) -> FloatArray:
        """Return the share of every atom in some of the centres, those themselves 1."""
        found = composition.shares(self.shells, members, len(self.frame.numbers))
        found = composition.with_enclosed(found, *self.enclosed)
        found[self.frame.numbers == atomic_numbers[centre]] = 0.0
        found[self.centres[members]] = 1.0
        return found

    def amounts(self, members: NDArray[np.bool_], centre: str) -> dict[str, float]:
        """Return atoms by element of some of the centres."""
        weights = self.weights(members, centre)
        weights[self.centres] = 0.0
        return composition.amounts(weights, self.frame.numbers, float(members.sum()), centre)

    def shell_names(self, members: NDArray[np.bool_]) -> NDArray[np.str_]:
        """Return which anions are around each of some centres, such as ``PS3``; ``-`` for none within the cutoff."""
        around = self.shells[members]
        numbers = np.where(around >= 0, self.frame.numbers[around], 0)
        kinds, inverse = np.unique(np.sort(numbers, axis=1), axis=0, return_inverse=True)
        names = np.array([_shell_name(kind) for kind in kinds] or ["-"])
        return np.asarray(names[inverse.ravel()], dtype=np.str_)


def _shell_name(numbers: IntArray) -> str:
    counts = Counter(chemical_symbols[number] for number in numbers if number)
    return "".join(f"{symbol}{counts[symbol] if counts[symbol] > 1 else ''}" for symbol in sorted(counts)) or "-"


def cutoffs(
    snapshot: Snapshot, centre: str, elements: Sequence[int], settings: DiscoverSettings
) -> dict[int, shells.Cutoff]:
    """Find the end of the first shell of each element about the centres of a frame, or take the one given."""
    if settings.cutoff_ang is not None:
        return dict.fromkeys(elements, shells.Cutoff(settings.cutoff_ang, "given"))
    frame = Surroundings(snapshot.positions, snapshot.numbers, snapshot.cell, snapshot.pbc, settings.r_max_ang)
    rows = np.flatnonzero(snapshot.numbers == atomic_numbers[centre])
    if len(rows) > settings.most_centres:
        rows = np.random.default_rng(settings.seed).choice(rows, settings.most_centres, replace=False)
    counts = shells.distance_counts(frame, rows, elements, settings.r_max_ang, N_BINS)
    found = {}
    for element, row in zip(elements, counts, strict=True):
        density = max(int((frame.numbers == element).sum()), 1) / frame.volume_ang3
        ends = shells.first_shell(shells.distribution(row, len(rows), density, settings.r_max_ang), settings.r_max_ang)
        if ends is not None:
            found[element] = ends
    return found


def look(
    snapshot: Snapshot, group: IntArray, centre: str, ends: Mapping[int, shells.Cutoff], settings: DiscoverSettings
) -> Look:
    """Search the neighbours of a frame."""
    reach = max(settings.r_max_ang, order.REACH_ANG, *(end.radius_ang for end in ends.values()))
    frame = Surroundings(snapshot.positions, snapshot.numbers, snapshot.cell, snapshot.pbc, reach)
    centres = np.flatnonzero(frame.numbers == atomic_numbers[centre])
    anions = [atomic_numbers[symbol] for symbol in settings.anions]
    around, vectors = frame.nearest(
        centres, anions, 4, {element: end.radius_ang for element, end in ends.items() if element in anions}
    )
    return Look(
        snapshot, frame, centres, group, around, vectors, composition.enclosed(frame, around, anions),
        order.Recurrence(frame, centres, seed=settings.seed), q_max(settings),
    )  # fmt: skip


def measure(
    into: Measured,
    seen: Look,
    members: NDArray[np.bool_],
    centre: str,
    elements: Sequence[int],
    ends: Mapping[int, shells.Cutoff],
    settings: DiscoverSettings,
    *,
    closely: bool,
    seed: Sequence[int],
) -> None:
    """Count some environments of a frame.

    :param closely: crystallinity and diffraction too, which cost most.
    """
    rows = seen.centres[members]
    into.n_looked_at += len(rows)
    for symbol, amount in seen.amounts(members, centre).items():
        into.amounts[symbol] = into.amounts.get(symbol, 0.0) + amount
    into.shells.update(seen.shell_names(members).tolist())
    some = rows
    if len(rows) > settings.most_centres:
        some = np.sort(np.random.default_rng(seed).choice(rows, settings.most_centres, replace=False))
    counts = shells.distance_counts(seen.frame, some, elements, settings.r_max_ang, N_BINS).astype(np.float64)
    densities = np.array([(seen.frame.numbers == element).sum() for element in elements]) / seen.frame.volume_ang3
    into.counts = counts if into.counts is None else into.counts + counts
    into.n_counted += len(some)
    densities = densities * len(some)
    into.densities = densities if into.densities is None else into.densities + densities
    near = {element: ends[element].radius_ang for element in elements if element in ends}
    if near:
        each = shells.coordination(seen.frame, some, near, most=MOST_NEIGHBOURS)
        into.neighbours = each if into.neighbours is None else into.neighbours + each
    shape = order.tetrahedrality(seen.vectors[members])
    into.tetrahedral.extend(shape[np.isfinite(shape)][: settings.most_centres].tolist())
    if closely:
        found = seen.recurrence.crystallinity(rows)
        into.crystallinity.append((found.value, found.n_centres))
        into.curves.append(diffraction(seen, members, centre, settings))


def diffraction(seen: Look, members: NDArray[np.bool_], centre: str, settings: DiscoverSettings) -> FloatArray:
    """Return the powder pattern of some environments with their share of the anions; NaN in a cell without volume."""
    if abs(np.linalg.det(seen.snapshot.cell)) < 1e-6:
        return np.full(len(angles(settings)), np.nan)
    scattered = seen.grid.reflections(
        seen.snapshot.positions, seen.frame.numbers, seen.weights(members, centre), ordered_only=True
    )
    return pattern(scattered, angles(settings), wavelength_ang=settings.wavelength_ang, fwhm_deg=FWHM_DEG)


def q_max(settings: DiscoverSettings) -> float:
    """Return the end of the patterns in 1/Å, with a margin for the width of a peak."""
    half = np.radians(min(settings.two_theta_deg[1] + 2.0, 179.0)) / 2
    return float(4 * np.pi * np.sin(half) / settings.wavelength_ang)


def angles(settings: DiscoverSettings) -> FloatArray:
    """Return the scattering angles of the patterns."""
    return np.arange(settings.two_theta_deg[0], settings.two_theta_deg[1], 0.05)


def as_numbers(found: Measured, elements: Sequence[int], ends: Mapping[int, shells.Cutoff]) -> dict[str, Any]:
    """Return the plain numbers of a group: coordination and shape."""
    near = [element for element in elements if element in ends]
    coordination: dict[str, Any] = {}
    if found.neighbours is not None:
        for element, row in zip(near, found.neighbours, strict=True):
            mean = float((row * np.arange(len(row))).sum() / max(row.sum(), 1))
            coordination[chemical_symbols[element]] = {"mean": mean, "histogram": (row / max(row.sum(), 1)).tolist()}
    return {
        "anion_shells": {name: count / found.n_looked_at for name, count in found.shells.most_common(6)},
        "coordination": coordination,
        "tetrahedrality": float(np.mean(found.tetrahedral)) if found.tetrahedral else None,
    }

"""Acceptance of the classifier on crystals, a disordered antifluorite and what it must not see (classify.md §4).

Rattles are independent Gaussians, 0.15 Å a component; about 4,000 Li. Real DADApy.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal

from aiida_seireact.science import labelling
from aiida_seireact.science.density_peaks import DensityPeaks, density_peaks
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.descriptors import describe as describe_frame

KNOWN = ("Li", "Li6PS5Cl", "Li2S", "Li3P", "LiCl")
SIGMA = 0.15


def li6ps5cl(rng: np.random.Generator, a: float = 9.8) -> Atoms:
    """Argyrodite, 2×2×2, half of S and Cl exchanged, one of each pair of 48h sites taken."""
    x = 0.5 + 2.05 / (a * np.sqrt(3))
    sites = [(0.5, 0.5, 0.5), (x, x, x), (0.25, 0.25, 0.25), (0, 0, 0)]
    cell = [a] * 3 + [90] * 3
    frame = crystal(["P", "S", "Se", "Cl"], sites, spacegroup=216, cellpar=cell).repeat(2)
    lithium = crystal(["Li"], [(0.183, 0.183, 0.024)], spacegroup=216, cellpar=cell).repeat(2)
    i, j = neighbor_list("ij", lithium, 2.0)
    pairs = [pair for pair in zip(i, j, strict=True) if pair[0] < pair[1]]
    symbols = np.array(frame.symbols)
    free, chlorine = np.flatnonzero(symbols == "Se"), np.flatnonzero(symbols == "Cl")
    symbols[free] = "S"
    symbols[rng.permutation(free)[: len(free) // 2]] = "Cl"
    symbols[rng.permutation(chlorine)[: len(chlorine) // 2]] = "S"
    frame.symbols = symbols
    return frame + lithium[[pair[rng.integers(2)] for pair in pairs]]


def li2s(n: int) -> Atoms:
    cell = [5.71] * 3 + [90] * 3
    return crystal(["S", "Li"], [(0, 0, 0), (0.25,) * 3], spacegroup=225, cellpar=cell).repeat(n)


def disordered(rng: np.random.Generator, n: int) -> Atoms:
    """Li2S0.72P0.14Cl0.14, anions at random on the sites of S."""
    atoms = li2s(n)
    sulfur = rng.permutation([atom.index for atom in atoms if atom.symbol == "S"])
    few = round(0.14 * len(sulfur))
    atoms.symbols[sulfur[:few]] = "P"
    atoms.symbols[sulfur[few : 2 * few]] = "Cl"
    return atoms


def structure(phase: str, rng: np.random.Generator) -> Atoms:
    li3p_sites = [(0, 0, 0.25), (1 / 3, 2 / 3, 0.583), (1 / 3, 2 / 3, 0.25)]
    hexagonal = [4.27, 4.27, 7.59, 90, 90, 120]
    atoms = {
        "Li": lambda: bulk("Li", "bcc", a=3.42, cubic=True).repeat(7),
        "Li2S": lambda: li2s(4),
        "Li3P": lambda: crystal(["Li", "Li", "P"], li3p_sites, spacegroup=194, cellpar=hexagonal).repeat((5, 5, 3)),
        "LiCl": lambda: bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(5),
        "DIS": lambda: disordered(rng, 5),
    }[phase]()
    atoms.positions += rng.normal(scale=SIGMA, size=atoms.positions.shape)
    return atoms


def describe(atoms: Atoms) -> np.ndarray:
    return describe_frame(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, DescriptorSpec())[0]


@cache
def environments(phase: str, seed: int) -> np.ndarray:
    """Descriptors of the Li of a phase; two independent argyrodite cells for one frame of the others."""
    rng = np.random.default_rng(seed)
    if phase == "Li6PS5Cl":
        cells = [li6ps5cl(rng) for _ in range(3)]
        for cell in cells:
            cell.positions += rng.normal(scale=SIGMA, size=cell.positions.shape)
        return np.concatenate([describe(cell) for cell in cells])
    return describe(structure(phase, rng))


@cache
def is_all_sulfur(seed: int) -> np.ndarray:
    """Which Li of the disordered phase have four S as first neighbours."""
    atoms = disordered(np.random.default_rng(seed), 5)
    lithium = np.flatnonzero(atoms.numbers == 3)
    i, j = neighbor_list("ij", atoms, 2.6)
    return np.array([set(atoms.numbers[j[i == index]]) == {16} for index in lithium])


class World:
    """Data, its truth, and the classifier made of it."""

    def __init__(self, phases: tuple[str, ...], *, references: tuple[str, ...] = KNOWN, z: float = 2.5) -> None:
        parts = [environments(phase, seed=1) for phase in phases]
        self.truth = np.repeat(phases, [len(part) for part in parts])
        points = np.concatenate(parts)
        self.reduction = labelling.fit_reduction(points)
        self.points = self.reduction.apply(points)
        self.peaks: DensityPeaks = density_peaks(self.points, z=z)
        self.classifier = labelling.build_classifier(
            self.reduction,
            self.points,
            self.peaks,
            [self.reference(phase) for phase in references],
            maxk=100,
            alpha=1e-6,
        )

    def reference(self, phase: str) -> labelling.Reference:
        return labelling.reference(phase, self.reduction.apply(environments(phase, seed=2)))

    def labels(self, classifier: labelling.Classifier | None = None) -> np.ndarray:
        found = classifier or self.classifier
        return np.array(found.names)[labelling.assign(self.points, found).labels]


@pytest.fixture(scope="module")
def world() -> World:
    return World((*KNOWN, "DIS"))


def test_a3_five_phases_are_told_apart(world: World) -> None:
    labels = world.labels()
    for phase in KNOWN:
        assert np.mean(labels[world.truth == phase] == phase) >= 0.99, phase
    assert 3000 < len(labels) < 5000


def test_a4_disordered_phase_is_unknown_but_for_those_with_four_sulfur(world: World) -> None:
    labels = world.labels()[world.truth == "DIS"]
    four = is_all_sulfur(seed=1)
    assert np.mean(labels[~four] == "unknown") >= 0.98
    assert np.mean(labels[four] == "Li2S") >= 0.95
    # A cell of 500 anion sites scatters by 2 % around the expectation.
    assert four.mean() == pytest.approx(labelling.same_neighbours_expectation(0.72), abs=0.03)


def test_a7_a_reference_added_later_names_the_unknown_without_clustering(world: World) -> None:
    before = world.labels()
    more = labelling.relabel(world.classifier, add=[world.reference("DIS")])
    after = world.labels(more)
    was_unknown = (world.truth == "DIS") & (before == "unknown")
    assert np.mean(after[was_unknown] == "DIS") >= 0.98
    assert np.array_equal(after[before != "unknown"], before[before != "unknown"])
    assert more.peaks is world.classifier.peaks


def test_unknown_clusters_can_be_named_by_themselves(world: World) -> None:
    unknown = np.flatnonzero(world.classifier.cluster_labels == 0).tolist()
    after = world.labels(labelling.adopt(world.classifier, unknown, "new phase"))
    four = is_all_sulfur(seed=1)
    assert np.mean(after[world.truth == "DIS"][~four] == "new phase") >= 0.95
    with pytest.raises(labelling.LabellingError, match="no cluster"):
        labelling.adopt(world.classifier, [99], "x")


def test_a5_phases_that_are_absent_get_no_point() -> None:
    without = World(("Li", "Li6PS5Cl", "Li2S", "DIS"))
    labels = without.labels()
    assert not np.isin(labels, ["LiCl", "Li3P"]).any()
    for phase in ("Li", "Li6PS5Cl", "Li2S"):
        assert np.mean(labels[without.truth == phase] == phase) >= 0.99, phase


def test_new_points_are_labelled_by_the_nearest_landmark(world: World) -> None:
    for phase in KNOWN:
        fresh = world.reduction.apply(environments(phase, seed=3))
        got = labelling.assign(fresh, world.classifier)
        assert np.mean(np.array(world.classifier.names)[got.labels] == phase) >= 0.98, phase
        assert (got.ratio[got.labels > 0] <= 2.0).all()


def test_landmarks_known_beforehand_give_the_same_labels(world: World) -> None:
    known = labelling.assign(world.points, world.classifier, landmark=np.arange(len(world.points)))
    found = labelling.assign(world.points, world.classifier)
    itself = labelling.label_landmarks(world.classifier)
    for name in ("labels", "clusters", "core", "stage", "landmark"):
        assert np.array_equal(getattr(known, name), getattr(found, name)), name
        assert np.array_equal(getattr(itself, name), getattr(found, name)), name
    assert np.array_equal(known.ratio, found.ratio)
    assert itself.ratio == pytest.approx(found.ratio, rel=1e-5)


def test_point_gate_takes_a_label_from_what_is_far_from_its_phase(world: World) -> None:
    far = world.points[world.truth == "LiCl"][:5] + 1e4
    got = labelling.assign(far, world.classifier, landmark=np.flatnonzero(world.truth == "LiCl")[:5])
    assert (got.labels == 0).all()
    assert (got.ratio > 2.0).all()


def test_principal_components_keep_the_share_asked_for() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 6)) * [10, 5, 1, 0.1, 0.01, 0.0] + 100
    assert labelling.fit_reduction(points, 0.9).vectors.shape == (6, 2)  # type: ignore[union-attr]
    whole = labelling.fit_reduction(points, 1.0)
    distances = np.linalg.norm(points[:1] - points, axis=1)
    reduced = whole.apply(points)
    assert np.linalg.norm(reduced[:1] - reduced, axis=1) == pytest.approx(distances, rel=1e-4)
    raw = labelling.fit_reduction(points)
    assert raw.apply(points) == pytest.approx(points - points.mean(axis=0), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(labelling.LabellingError, match="keep_variance"):
        labelling.fit_reduction(np.eye(4), share)


def test_gate_is_the_spacing_of_the_references() -> None:
    line = np.arange(100.0)[:, None] * [1.0, 0.0]
    got = labelling.reference("line", np.concatenate([line, line]))
    assert got.gate == pytest.approx(1.0)
    assert len(got.points) == 100
    assert len(labelling.reference("line", line, most=30).points) == 30


@pytest.mark.parametrize(
    ("name", "points", "sentence"),
    [
        ("unknown", np.eye(30), "can't be named"),
        ("A", np.ones((500, 4)), "1 distinct environments"),
        ("A", np.zeros((0, 4)), "0 distinct environments"),
        ("A", np.full((30, 4), np.nan), "A hold NaN"),
    ],
)
def test_references_that_cannot_be_used(name: str, points: np.ndarray, sentence: str) -> None:
    with pytest.raises(labelling.LabellingError, match=sentence):
        labelling.reference(name, points)


def test_points_that_do_not_fit_are_refused(world: World) -> None:
    with pytest.raises(labelling.LabellingError, match="same spec"):
        world.reduction.apply(np.zeros((5, 7)))
    with pytest.raises(labelling.LabellingError, match="own reduction"):
        labelling.assign(np.zeros((5, 7)), world.classifier)
    with pytest.raises(labelling.LabellingError, match="NaN"):
        labelling.assign(np.full((5, 544), np.nan), world.classifier)
    with pytest.raises(labelling.LabellingError, match="two reference phases named Li2S"):
        labelling.relabel(world.classifier, add=[world.reference("Li2S")])


def test_share_outside_its_range_has_no_expectation() -> None:
    assert labelling.same_neighbours_expectation(1.0) == 1.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        labelling.same_neighbours_expectation(1.2)

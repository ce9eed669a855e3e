"""DADApy is the oracle: the same neighbourhoods, densities, labels and saddles, on its own test data and on ours."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from aiida_seireact.science import density_peaks as dp
from aiida_seireact.science.density_peaks.peaks import find_mountains, merge

from .landscapes import FIGURE_1, NAMES, landscape

pytest.importorskip("dadapy", reason="DADApy is the oracle")
MAXK = {"two Gaussians": 60}


@cache
def made(name: str, engine: str) -> dp.PeaksInput:
    return dp.peaks_input(landscape(name), maxk=MAXK.get(name, 100), engine=engine)


def peaks(name: str, engine: str, z: float) -> dp.DensityPeaks:
    return dp.scan_z(made(name, engine), [z])[0]


@pytest.mark.parametrize("name", NAMES)
def test_dimension_and_neighbourhoods_are_dadapys(name: str) -> None:
    ours, theirs = made(name, "native").densities, made(name, "dadapy").densities
    assert ours.dimension == pytest.approx(theirs.dimension, rel=1e-7)
    assert np.array_equal(ours.kstar, theirs.kstar)
    assert ours.error == pytest.approx(theirs.error, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_densities_are_dadapys_where_its_iteration_ended(name: str) -> None:
    """Its steps end at 1e-3; where they had not come far the full maximum is up to some 0.1 away."""
    off = np.abs(made(name, "native").densities.log_density - made(name, "dadapy").densities.log_density)
    assert np.mean(off < 1e-2) >= 0.99
    assert off.max() < 0.3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("z", [0.5, 1.65, 3.0, 5.0])
def test_clusters_of_given_densities_are_dadapys(name: str, z: float) -> None:
    found, theirs = made(name, "dadapy").neighbours, made(name, "dadapy").densities
    expected = theirs.clusters(z)
    mountains = find_mountains(theirs.log_density, theirs.error, found.indices, theirs.kstar)
    got = merge(mountains, theirs.log_density, theirs.error, z)
    assert np.array_equal(got.labels, expected.labels)
    assert np.array_equal(got.centres, expected.centres)
    assert np.array_equal(got.borders, expected.borders)
    assert got.border_log_density == pytest.approx(expected.border_log_density, abs=1e-9)
    assert got.border_log_density_error == pytest.approx(expected.border_log_density_error, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("z", [0.5, 1.65, 3.0, 5.0])
def test_clusters_from_points_to_labels_are_dadapys(name: str, z: float) -> None:
    """1.65 is what DADApy's tests take. A core ends at a saddle, and the densities of both differ by up to 1e-3."""
    ours, theirs = peaks(name, "native", z), peaks(name, "dadapy", z)
    assert np.array_equal(ours.clusters, theirs.clusters)
    assert np.array_equal(ours.centres, theirs.centres)
    assert np.array_equal(ours.borders, theirs.borders)
    assert np.mean(ours.core == theirs.core) >= 0.999
    assert (ours.engine, theirs.engine) == ("native", "dadapy")


@pytest.mark.slow
def test_labels_of_all_20000_points_of_figure_1_are_dadapys() -> None:
    points, z = np.loadtxt(FIGURE_1), [0.5, 1.65, 3.0, 5.0]
    ours, theirs = (dp.scan_z(dp.peaks_input(points, engine=engine), z) for engine in ("native", "dadapy"))
    for own, other in zip(ours, theirs, strict=True):
        assert np.array_equal(own.clusters, other.clusters)
        assert np.array_equal(own.core, other.core)
    assert [peaks.n_clusters for peaks in ours] == [43, 8, 5, 2]


@pytest.mark.parametrize("name", NAMES)
def test_at_dadapys_significance_there_are_clusters_to_compare(name: str) -> None:
    assert peaks(name, "native", 1.65).n_clusters > 1


def test_the_engines_agree_in_log_density_without_a_shift() -> None:
    ours, theirs = peaks("five peaks", "native", 1.65), peaks("five peaks", "dadapy", 1.65)
    assert np.median(ours.log_density - theirs.log_density) == pytest.approx(0.0, abs=1e-3)
    assert np.max(ours.border_log_density) == pytest.approx(np.max(theirs.border_log_density), abs=0.05)

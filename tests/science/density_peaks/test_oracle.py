"""DADApy is the oracle: the same neighbourhoods, densities, labels and saddles, on its kind of data and on ours."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import contingency

from aiida_seireact.science import density_peaks as dp
from aiida_seireact.science.density_peaks.peaks import find_mountains, merge

from .landscapes import NAMES, landscape

pytest.importorskip("dadapy", reason="DADApy is the oracle")
Z = {"two Gaussians": 1.65, "five peaks": 1.65, "double well": 1.65, "thermal crystals": 3.0}
MAXK = {"two Gaussians": 60}


@cache
def made(name: str, engine: str) -> dp.PeaksInput:
    return dp.peaks_input(landscape(name), maxk=MAXK.get(name, 100), engine=engine)


def peaks(name: str, engine: str, z: float | None = None) -> dp.DensityPeaks:
    return dp.scan_z(made(name, engine), [Z[name] if z is None else z])[0]


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
def test_clusters_from_points_to_labels_are_dadapys(name: str) -> None:
    ours, theirs = peaks(name, "native"), peaks(name, "dadapy")
    assert ours.n_clusters == theirs.n_clusters > 1
    assert adjusted_rand(ours.clusters, theirs.clusters) >= 0.999
    assert np.mean(ours.core == theirs.core) >= 0.99
    assert (ours.engine, theirs.engine) == ("native", "dadapy")


def test_the_engines_agree_in_log_density_without_a_shift() -> None:
    ours, theirs = peaks("five peaks", "native"), peaks("five peaks", "dadapy")
    assert np.median(ours.log_density - theirs.log_density) == pytest.approx(0.0, abs=1e-3)
    assert np.max(ours.border_log_density) == pytest.approx(np.max(theirs.border_log_density), abs=0.05)


def adjusted_rand(a: np.ndarray, b: np.ndarray) -> float:
    counts = contingency.crosstab(a, b).count.astype(float)
    both, left, right = ((n * (n - 1) / 2).sum() for n in (counts, counts.sum(axis=1), counts.sum(axis=0)))
    chance = left * right / (len(a) * (len(a) - 1) / 2)
    return float((both - chance) / ((left + right) / 2 - chance))

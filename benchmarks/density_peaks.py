"""Density peaks of Li environments: ours beside DADApy on the same points, in CPU seconds of one thread.

The environments are those of thermal crystals, of the disordered antifluorite and of amorphous material
(`benchmarks._phases`), ACE B1 + B2 of n_max 4 and l_max 3: 560 features, or their leading principal components.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NUMBA_NUM_THREADS"] = "1"

import click
import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.agreement import adjusted_rand
from aiida_seireact.science.density_peaks import density_peaks, find_neighbours
from aiida_seireact.science.density_peaks.native import native_densities
from aiida_seireact.science.density_peaks.peaks import find_mountains, merge
from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.nearest import nearest
from benchmarks._phases import AMORPHOUS, DISORDERED, KNOWN, SIZES, cells

SPEC = DescriptorSpec(b1=True)
RATTLE_ANG = 0.15
MAXK, ALPHA = 100, 1e-6
PACKAGES = ("dadapy", "numpy", "numba", "faiss-cpu", "scikit-learn")


def environments(n: int, seed: int) -> NDArray[np.float32]:
    """Return descriptors ``(n, 560)`` in random order, frame after frame of every phase until there are enough."""
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.float32]] = []
    while sum(map(len, found)) < n:
        for phase in (*KNOWN, DISORDERED, AMORPHOUS):
            for atoms in cells(phase, SIZES["small"], rng):
                atoms.positions += rng.normal(scale=RATTLE_ANG, size=atoms.positions.shape)
                found.append(describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, SPEC)[0])
    return np.ascontiguousarray(rng.permutation(np.concatenate(found))[:n])


def leading_components(points: NDArray[np.float32], n_features: int) -> NDArray[np.float32]:
    """Return the leading principal components ``(n, n_features)``."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.eigh(np.cov(centred[:: 1 + len(points) // 20_000].T))[1][:, ::-1][:, :n_features]
    return np.ascontiguousarray(centred @ axes, dtype=np.float32)


def by_dadapy(points: NDArray[np.float32], z: float) -> tuple[Any, float, float]:
    """Return DADApy's object, and the CPU seconds of its neighbours and of all after them."""
    from dadapy import Data

    start = time.process_time()
    data = Data(coordinates=points, maxk=MAXK, n_jobs=1)
    data.compute_distances(maxk=MAXK, n_jobs=1)
    searched = time.process_time()
    dimension = data.compute_id_2NN()[0]
    data.compute_kstar(alpha=ALPHA)
    # Its steps depend on the size of log ρ, so on the unit of length: the unit our engine of that name takes.
    data.distances *= np.exp(-20.0 / dimension) / np.median(data.distances[:, -1])
    data.compute_density_PAk(alpha=ALPHA)
    data.compute_clustering_ADP(Z=z)
    return data, searched - start, time.process_time() - searched


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("n", default=5000)
@click.option("--features", default=560, show_default=True, help="560, or as many leading principal components.")
@click.option("--neighbours", default="auto", show_default=True, type=click.Choice(["auto", "exact", "ivf"]))
@click.option("--z", default=3.0, show_default=True, help="Significance of a peak.")
@click.option("--seed", default=0, show_default=True)
@click.option("--assign", default=0, help="So many more environments are assigned to the nearest of 20,000 points.")
def main(n: int, features: int, neighbours: str, z: float, seed: int, assign: int) -> None:
    """Cluster N environments by both; the last line is `ratio = <DADApy / ours>` for all after the neighbours."""
    points = environments(n + min(assign, 20_000), seed)
    if features < points.shape[1]:
        points = leading_components(points, features)
    points, more = points[:n], points[n:]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    click.echo(f"{n} environments, {points.shape[1]} features, maxk {MAXK}, Z {z:g}, seed {seed}; 1 thread")
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.processor() or platform.machine()}")
    warm = np.random.default_rng(0).normal(size=(2000, points.shape[1])).astype(np.float32)
    density_peaks(warm, z=z, maxk=50)  # first calls compile

    start = time.process_time()
    found = find_neighbours(points, MAXK, method=neighbours, seed=seed)
    searched = time.process_time()
    densities = native_densities(found, ALPHA)
    clusters = densities.clusters(z)
    search, rest = searched - start, time.process_time() - searched
    click.echo(f"ours   neighbours {search:9.3f} CPU-s ({found.method}), rest {rest:8.3f} CPU-s")

    data, peer_search, peer_rest = by_dadapy(points, z)
    click.echo(f"DADApy neighbours {peer_search:9.3f} CPU-s (sklearn), rest {peer_rest:8.3f} CPU-s")
    labels = np.asarray(data.cluster_assignment, dtype=np.int64)
    unit = np.log(np.median(found.distances[:, -1])) * densities.dimension + 20.0
    off = np.abs(data.log_den - (densities.log_density + unit))
    again = merge(
        find_mountains(data.log_den, data.log_den_err, data.dist_indices, data.kstar), data.log_den, data.log_den_err, z
    )
    click.echo(
        f"{len(clusters.centres)} clusters, DADApy {data.N_clusters}; intrinsic dimension {densities.dimension:.2f}"
    )
    click.echo(
        f"k* equal for {np.mean(densities.kstar == data.kstar):.4%}, |Δ log ρ| < 0.01 for {np.mean(off < 0.01):.2%}, "
        f"largest {off.max():.2g}"
    )
    click.echo(f"labels of DADApy's own densities equal: {np.array_equal(again.labels, labels)}")
    click.echo(f"adjusted Rand index = {adjusted_rand(clusters.labels, labels):.5f}")
    click.echo(f"labels_equal = {np.array_equal(clusters.labels, labels)} ({np.mean(clusters.labels == labels):.4%})")
    click.echo(f"recall = {found.recall:.5f}")
    if assign:
        _assign(points[:20_000], more, assign)
    click.echo(f"ratio_total = {(peer_search + peer_rest) / (search + rest):.1f}")
    click.echo(f"ratio = {peer_rest / rest:.1f}")


def _assign(landmarks: NDArray[np.float32], more: NDArray[np.float32], n: int) -> None:
    start = time.process_time()
    for first in range(0, n, len(more)):
        nearest(more[: n - first], landmarks)
    seconds = time.process_time() - start
    click.echo(f"nearest of {len(landmarks)}: {n} points in {seconds:.1f} CPU-s, {seconds / n * 1e6:.1f} µs each")


if __name__ == "__main__":
    main()

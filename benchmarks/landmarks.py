"""Labels by a drawn subset of landmarks beside labels by clustering everything, on the same environments.

The environments are those of `benchmarks.phases`, thermal crystals with disordered and amorphous material, of as many
seeds as it takes. Both ways name their clusters by the same references; the rest of a subset is assigned to it.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NUMBA_NUM_THREADS"] = "1"

import click
import numpy as np

from aiida_seireact.science.agreement import adjusted_rand
from benchmarks._phases import SIZES
from benchmarks.phases import Settings, World, classify, make_world

PACKAGES = ("numpy", "numba", "faiss-cpu")


def joined_world(n: int, size: str, rattle: float, seed: int) -> World:
    """Return ``n`` environments of worlds of several seeds, in random order, and the references of the first."""
    worlds: list[World] = []
    while sum(len(world.truth) for world in worlds) < n:
        worlds.append(make_world(size, rattle, seed + len(worlds)))
    kept = np.random.default_rng(seed).permutation(sum(len(world.truth) for world in worlds))[:n]
    return World(
        truth=np.concatenate([world.truth for world in worlds])[kept],
        sulfur=np.concatenate([world.sulfur for world in worlds])[kept],
        descriptors=np.concatenate([world.descriptors for world in worlds])[kept],
        references=worlds[0].references,
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("n", default=200_000)
@click.argument("landmarks", default=20_000)
@click.option("--z", default=4.0, show_default=True, help="Significance of a peak, the same for both.")
@click.option("--size", type=click.Choice(tuple(SIZES)), default="full", show_default=True, help="Of each world.")
@click.option("--rattle", default=0.15, show_default=True, help="Å.")
@click.option("--seed", default=7, show_default=True, help="Of the first world.")
def main(n: int, landmarks: int, z: float, size: str, rattle: float, seed: int) -> None:
    """Label N environments by clustering all and by LANDMARKS of them; the last line is `ratio = <all / landmarks>`."""
    world = joined_world(n, size, rattle, seed)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    click.echo(
        f"{n} environments, {world.descriptors.shape[1]} features, {landmarks} landmarks, Z {z:g}, rattle {rattle:g} Å,"
        f" seeds from {seed}; 1 thread"
    )
    click.echo(f"{versions}; Python {platform.python_version()}, {platform.processor() or platform.machine()}")
    classify(joined_world(min(n, 2000), "small", rattle, seed), Settings(z=z, maxk=50))  # first calls compile
    found, seconds = {}, {}
    for name, count in (("all", None), ("landmarks", landmarks)):
        start = time.process_time()
        found[name] = classify(world, Settings(z=z, landmarks=count))
        seconds[name] = time.process_time() - start
        click.echo(f"{name:10}{seconds[name]:9.1f} CPU-s, {found[name].classifier.n_clusters} clusters")
    whole, drawn = found["all"], found["landmarks"]
    # Names are compared as numbers: one table for both.
    known = {name: number for number, name in enumerate(sorted({*whole.labels, *drawn.labels}))}
    first, second = (np.array([known[name] for name in part.labels]) for part in (whole, drawn))
    click.echo(f"label_agreement = {np.mean(first == second):.4f}")
    click.echo(f"rand_labels = {adjusted_rand(first, second):.4f}")
    click.echo(f"rand_clusters = {adjusted_rand(whole.assignment.clusters, drawn.assignment.clusters):.4f}")
    click.echo(f"ratio = {seconds['all'] / seconds['landmarks']:.1f}")


if __name__ == "__main__":
    main()

"""A dataset that grows by a shard, beside one StructureData and one results node a frame, in a throw-away profile.

The peer is measured on some frames and scaled to all: what it costs a frame does not depend on their number.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures import training_cell

N_ATOMS = 228
T = TypeVar("T")


def made_up(count: int, *, seed: int) -> Frames:
    """Return ``count`` rattled frames of 228 atoms, 10 a group, with labels that are random numbers."""
    rng = np.random.default_rng(seed)
    cell = training_cell().repeat((2, 2, 1))[:N_ATOMS]
    return Frames(
        positions=np.tile(cell.positions, (count, 1)) + rng.normal(scale=0.02, size=(count * N_ATOMS, 3)),
        numbers=np.tile(cell.numbers, count).astype(np.int64),
        offsets=np.arange(count + 1, dtype=np.int64) * N_ATOMS,
        cells=np.tile(cell.cell.array, (count, 1, 1)),
        pbc=np.ones((count, 3), dtype=bool),
        config_type=np.array(["md"] * count),
        group=np.array([f"run-{seed}/block-{index // 10}" for index in range(count)]),
        parent_id=np.array([""] * count),
        md_step=np.arange(count, dtype=np.int64),
        energy=rng.normal(size=count),
        forces=rng.normal(size=(count * N_ATOMS, 3)),
        stress=rng.normal(scale=0.01, size=(count, 6)),
        settings_hash="a" * 64,
    )


@contextmanager
def empty_profile() -> Iterator[Path]:
    """Load an empty profile, as `verdi presto` makes it (SQLite), that is gone afterwards; give its repository."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AIIDA_PATH"] = folder
        warnings.filterwarnings("ignore", message="Creating AiiDA configuration folder")
        from aiida import load_profile
        from aiida.manage.configuration import create_profile, get_config

        config = get_config(create=True)
        create_profile(
            config,
            name="benchmark",
            storage_backend="core.sqlite_dos",
            storage_config={"filepath": str(Path(folder) / "storage")},
            email="benchmark@localhost",
        )
        load_profile("benchmark", allow_switch=True)
        yield Path(folder) / "storage" / "container"


def timed(function: Callable[[], T]) -> tuple[float, T]:
    """Return seconds on the clock and the result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def size_of(repository: Path) -> int:
    """Return the bytes of all files of a repository; equal content is one file."""
    return sum(file.stat().st_size for file in repository.rglob("*") if file.is_file() and file.name != "packs.idx")


def peer_stores(frames: Frames) -> list[tuple[int, int]]:
    """Store one StructureData and one ArrayData of results a frame; return their PKs."""
    from aiida import orm

    stored = []
    for atoms in frames.iter_atoms():
        structure = orm.StructureData(ase=atoms).store()
        results = atoms.calc.results
        arrays = {name: np.atleast_1d(results[name]) for name in ("energy", "forces", "stress")}
        stored.append((structure.pk, orm.ArrayData(arrays).store().pk))
    return stored


def peer_reads(stored: list[tuple[int, int]]) -> list[Any]:
    """Return positions and forces of each frame."""
    from aiida import orm

    return [
        (orm.load_node(structure).get_ase().positions, orm.load_node(results).get_array("forces"))
        for structure, results in stored
    ]


@dataclass(frozen=True)
class Ours:
    """Seconds and bytes of a dataset that grows by one shard and is read."""

    first_seconds: float
    store_seconds: float
    store_bytes: int
    append_seconds: float
    append_bytes: int
    read_seconds: float
    n_read: int
    same: bool


def grow(repository: Path, n_old: int, n_new: int, shard_size: int) -> Ours:
    """Make a dataset of ``n_old`` frames, append ``n_new`` and read it all."""
    from aiida import orm

    from aiida_seireact.calculations.functions.training import grow_dataset, make_dataset
    from aiida_seireact.data.frames import FramesData

    settings = orm.Dict({"force_limit_ev_per_ang": 50.0, "fractions": [0.8, 0.1, 0.1], "seed": 1})
    ids: list[str] = []
    stored = []
    for number, start in enumerate(range(0, n_old, shard_size)):
        shard = made_up(min(shard_size, n_old - start), seed=number)
        ids += shard.frame_ids
        stored.append(FramesData(shard).store().pk)
    # By PK, so that nothing is in memory that a new process would have to read.
    first_seconds, pk = timed(lambda: make_dataset(settings, **{f"shard_{pk}": orm.load_node(pk) for pk in stored}).pk)
    new = made_up(n_new, seed=n_old)
    sizes = [size_of(repository)]
    store_seconds, new_pk = timed(lambda: FramesData(new).store().pk)
    sizes.append(size_of(repository))
    append_seconds, pk = timed(lambda: grow_dataset(orm.load_node(pk), settings, new=orm.load_node(new_pk)).pk)
    sizes.append(size_of(repository))
    read_seconds, frames = timed(lambda: orm.load_node(pk).frames())
    return Ours(
        first_seconds=first_seconds,
        store_seconds=store_seconds,
        store_bytes=sizes[1] - sizes[0],
        append_seconds=append_seconds,
        append_bytes=sizes[2] - sizes[1],
        read_seconds=read_seconds,
        n_read=len(frames),
        same=frames.frame_ids == sorted(ids + new.frame_ids),
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--frames", "n_old", default=10_000, show_default=True, help="Frames in the dataset, of 228 atoms.")
@click.option("--new", "n_new", default=1_000, show_default=True, help="Frames that are appended.")
@click.option("--shard", "shard_size", default=1_000, show_default=True, help="Frames a shard.")
@click.option("--peer-frames", default=200, show_default=True, help="Frames the other way is measured on.")
def main(n_old: int, n_new: int, shard_size: int, peer_frames: int) -> None:
    """Append to a dataset and read it; the last line is `ratio = <seconds with two nodes a frame / ours>`."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("aiida-core", "numpy", "ase"))
    click.echo(f"{n_old} frames of {N_ATOMS} atoms in shards of {shard_size}, {n_new} appended; 1 thread")
    click.echo(f"Python {platform.python_version()}, {versions}; SQLite profile")
    with empty_profile() as repository:
        ours = grow(repository, n_old, n_new, shard_size)
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        some = made_up(peer_frames, seed=2 * n_old)
        peer_store, stored = timed(lambda: peer_stores(some))
        peer_read, read_back = timed(lambda: peer_reads(stored))
    wanted = [(atoms.positions, atoms.get_forces()) for atoms in some.iter_atoms()]
    # AiiDA rounds floats of the database to 14 digits, so positions of a StructureData don't come back bit for bit.
    peer_error = max(
        float(np.abs(one[part] - two[part]).max())
        for one, two in zip(wanted, read_back, strict=True)
        for part in (0, 1)
    )
    click.echo(f"first dataset       {ours.first_seconds:8.2f} s for {n_old} frames that are stored")
    click.echo(f"store new frames    {ours.store_seconds:8.2f} s, {ours.store_bytes / 1e6:.1f} MB for {n_new} frames")
    click.echo(f"append them         {ours.append_seconds:8.2f} s, {ours.append_bytes / 1e6:.2f} MB")
    click.echo(f"read the dataset    {ours.read_seconds:8.2f} s for {ours.n_read} frames")
    click.echo(f"memory              {peak_gib:8.2f} GiB at most")
    click.echo(f"two nodes a frame   {peer_store:8.2f} s to store, {peer_read:.2f} s to read {peer_frames} frames")
    click.echo(f"same frames read back: {ours.same} (by frame ids, hashes of structure and labels)")
    click.echo(f"two nodes a frame: largest difference {peer_error:.0e} Å or eV/Å")
    scaled = (peer_store * n_new + peer_read * ours.n_read) / peer_frames
    total = ours.store_seconds + ours.append_seconds + ours.read_seconds
    click.echo(f"store, append and read: {scaled:.0f} s (scaled from {peer_frames} frames) beside {total:.2f} s")
    click.echo(f"ratio = {scaled / total:.1f}")
    if not ours.same:
        sys.exit(1)


if __name__ == "__main__":
    main()

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
    """Return ``count`` rattled frames of 228 atoms, 100 a group, with labels that are random numbers."""
    rng = np.random.default_rng(seed)
    cell = training_cell().repeat((2, 2, 1))[:N_ATOMS]
    return Frames(
        positions=np.tile(cell.positions, (count, 1)) + rng.normal(scale=0.02, size=(count * N_ATOMS, 3)),
        numbers=np.tile(cell.numbers, count).astype(np.int64),
        offsets=np.arange(count + 1, dtype=np.int64) * N_ATOMS,
        cells=np.tile(cell.cell.array, (count, 1, 1)),
        pbc=np.ones((count, 3), dtype=bool),
        config_type=np.array(["md"] * count),
        group=np.array([f"run-{seed}/block-{index // 100}" for index in range(count)]),
        parent_id=np.array([""] * count),
        md_step=np.arange(count, dtype=np.int64),
        energy=rng.normal(size=count),
        forces=rng.normal(size=(count * N_ATOMS, 3)),
        stress=rng.normal(scale=0.01, size=(count, 6)),
        settings_hash="a" * 64,
    )


@contextmanager
def empty_profile() -> Iterator[Path]:
    """Load an empty profile of its own, as `verdi presto` makes it (SQLite), that is gone afterwards; give its files."""
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
        from aiida import orm

        from aiida_seireact.calculations.functions.training import grow_dataset, make_dataset
        from aiida_seireact.data.dataset import DatasetData
        from aiida_seireact.data.frames import FramesData

        ids: list[str] = []
        shards = {}
        for number, start in enumerate(range(0, n_old, shard_size)):
            shard = made_up(min(shard_size, n_old - start), seed=number)
            ids += shard.frame_ids
            shards[f"shard_{number:03d}"] = FramesData(shard).store()
        settings = orm.Dict({"force_limit_ev_per_ang": 50.0, "fractions": [0.8, 0.1, 0.1], "seed": 1})
        first, _ = timed(lambda: make_dataset(settings, **shards))
        dataset = orm.QueryBuilder().append(DatasetData).first(flat=True)
        del shards, shard

        new = made_up(n_new, seed=10_000)
        before = size_of(repository)
        store_seconds, node = timed(lambda: FramesData(new).store())
        shard_bytes = size_of(repository) - before
        ids += new.frame_ids
        append_seconds, grown = timed(lambda: grow_dataset(dataset, settings, new=node))
        manifest_bytes = size_of(repository) - before - shard_bytes
        pk = grown.pk
        del grown, dataset, node
        read_seconds, frames = timed(lambda: orm.load_node(pk).frames())
        same = frames.frame_ids == sorted(ids)
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

        some = made_up(peer_frames, seed=20_000)
        peer_store, stored = timed(lambda: peer_stores(some))
        peer_read, read_back = timed(lambda: peer_reads(stored))
        wanted = [(atoms.positions, atoms.get_forces()) for atoms in some.iter_atoms()]
        # AiiDA rounds floats of the database to 14 digits, so positions of a StructureData don't come back bit for bit.
        peer_error = max(
            float(np.abs(one[part] - two[part]).max())
            for one, two in zip(wanted, read_back, strict=True)
            for part in (0, 1)
        )
    click.echo(f"first dataset                {first:8.2f} s for {n_old} frames that are stored")
    click.echo(f"store {n_new} new frames        {store_seconds:8.2f} s, {shard_bytes / 1e6:.1f} MB (frames are checked)")
    click.echo(f"append them to the dataset   {append_seconds:8.2f} s, {manifest_bytes / 1e6:.2f} MB")
    click.echo(f"read {len(frames)} frames           {read_seconds:8.2f} s, peak memory {peak_gib:.1f} GiB of the process")
    click.echo(f"two nodes a frame: store     {peer_store:8.2f} s, read {peer_read:.2f} s for {peer_frames} frames")
    click.echo(f"same frames read back: {same} (frame ids hash structure and labels)")
    click.echo(f"two nodes a frame: largest difference {peer_error:.0e} Å or eV/Å")
    scaled = peer_store * n_new / peer_frames + peer_read * len(frames) / peer_frames
    total = store_seconds + append_seconds + read_seconds
    click.echo(f"both ways: append {n_new}, read {len(frames)}; {scaled:.0f} s (scaled from {peer_frames}) / {total:.2f} s")
    click.echo(f"ratio = {scaled / total:.1f}")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()

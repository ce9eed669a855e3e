"""Dumps of 21,120 atoms read frame by frame: ours beside MDAnalysis, OVITO and ASE on the same file, one thread.

Every reader runs in a process of its own; its peak memory is what the kernel counted for that process. MDAnalysis and
OVITO are no dependencies: `--peer-python` names an environment that has them.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

PEERS = ("mdanalysis", "ovito", "ase")
NAMES = {"ours": "ours", "mdanalysis": "MDAnalysis", "ovito": "OVITO", "ase": "ASE"}
LENGTHS_ANG = (30.0, 30.0, 240.0)
# MDAnalysis keeps float32: 240 Å to 24 bits.
TOLERANCE_ANG = {"ours": 0.0, "ase": 0.0, "ovito": 0.0, "mdanalysis": 2e-5}
THREADS = {"OMP_NUM_THREADS": "1", "OVITO_THREAD_COUNT": "1"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--atoms", "n_atoms", default=21_120, show_default=True)
@click.option("--size-mb", default=100.0, show_default=True, help="Size of the dump that all readers read.")
@click.option("--large-mb", default=1000.0, show_default=True, help="Size of the dump for the second peak of memory.")
@click.option("--ase-mb", default=10.0, show_default=True, help="Largest dump that ASE, the slowest, is given.")
@click.option("--peer-python", default=sys.executable, help="Python that has MDAnalysis or OVITO; default this one.")
@click.option("--peer", "peers", multiple=True, type=click.Choice(PEERS), help="Peers to run; default all there are.")
def main(
    n_atoms: int, size_mb: float, large_mb: float, ase_mb: float, peer_python: str, peers: tuple[str, ...]
) -> None:
    """Compare speed and values; the last line is `ratio = <CPU seconds of the fastest peer / ours>`.

    Before it are `MB/s`, ours per CPU second, and `memory`, our peak with the large dump by that with the small one.
    """
    click.echo(
        f"id element xu yu zu, %.6f, {n_atoms:,} atoms; 1 thread of {os.cpu_count()}; "
        f"Python {sys.version.split()[0]}, numpy {importlib.metadata.version('numpy')}"
    )
    with tempfile.TemporaryDirectory(prefix="seireact-dump-") as name:
        folder = Path(name)
        small = write_dump(folder / "small.dump", n_atoms, size_mb)
        brief = write_dump(folder / "brief.dump", n_atoms, min(ase_mb, size_mb))
        mine = read("ours", small, sys.executable)
        assert mine is not None
        tell("ours", mine, small, mine["positions"])
        told = read("ours", brief, sys.executable)
        assert told is not None
        costs = {}
        for peer in peers or PEERS:
            path, truth = (brief, told) if peer == "ase" else (small, mine)
            found = read(peer, path, sys.executable if peer == "ase" else peer_python)
            if found is None:
                click.echo(f"  {NAMES[peer]:<10} not installed in {peer_python}")
                continue
            tell(peer, found, path, truth["positions"])
            costs[peer] = found["cpu_seconds"] / path.stat().st_size
        large = write_dump(folder / "large.dump", n_atoms, large_mb)
        long = read("ours", large, sys.executable)
        assert long is not None
        click.echo(
            f"  peak of ours: {mine['peak_mb']:.0f} MB with {megabytes(small):.0f} MB, "
            f"{long['peak_mb']:.0f} MB with {megabytes(large):.0f} MB"
        )
        cost = mine["cpu_seconds"] / small.stat().st_size
    click.echo(f"MB/s = {1e-6 / cost:.0f}")
    click.echo(f"memory = {long['peak_mb'] / mine['peak_mb']:.2f}")
    if not costs:
        raise click.ClickException("no peer is installed: name a Python that has one by --peer-python")
    best = min(costs, key=lambda peer: costs[peer])
    click.echo(f"the fastest peer is {NAMES[best]}")
    click.echo(f"ratio = {costs[best] / cost:.1f}")


def write_dump(path: Path, n_atoms: int, size_mb: float) -> Path:
    """Write whole frames until the size is reached; four frames in turn, as steps 50 apart."""
    rng = np.random.default_rng(0)
    symbols = np.array(["Li", "P", "S", "Cl"])[np.sort(rng.integers(0, 4, n_atoms))].tolist()
    bodies = []
    for _ in range(4):
        places = (rng.uniform(0, 1, (n_atoms, 3)) * LENGTHS_ANG).tolist()
        rows = (
            f"{id_} {symbol} {x:.6f} {y:.6f} {z:.6f}\n"
            for id_, (symbol, (x, y, z)) in enumerate(zip(symbols, places, strict=True), start=1)
        )
        bodies.append("".join(rows))
    bounds = "".join(f"{0:.16e} {length:.16e}\n" for length in LENGTHS_ANG)
    with path.open("w") as stream:
        frame = 0
        while frame == 0 or stream.tell() < size_mb * 1e6:
            stream.write(
                f"ITEM: TIMESTEP\n{50 * frame}\nITEM: NUMBER OF ATOMS\n{n_atoms}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
                f"ITEM: ATOMS id element xu yu zu\n{bodies[frame % 4]}"
            )
            frame += 1
    return path


def read(reader: str, path: Path, python: str) -> dict[str, Any] | None:
    """Run a reader; None if it is not installed there."""
    one_frame = path.with_name("one.dump")
    if not one_frame.is_file():
        write_dump(one_frame, 50, 0)
    output = path.with_name(f"{reader}.npy")
    script = Path(__file__).with_name("_dump_readers.py")
    done = subprocess.run(
        [shutil.which(python) or python, str(script), reader, str(one_frame), str(path), str(output)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **THREADS},
    )
    if done.returncode:
        raise click.ClickException(f"{reader} failed: {done.stderr.strip().splitlines()[-1]}")
    told = json.loads(done.stdout.splitlines()[-1])
    if "missing" in told:
        return None
    return {**told, "positions": np.load(output)}


def tell(reader: str, told: dict[str, Any], path: Path, truth: np.ndarray) -> None:
    """Print a line of the table."""
    same = np.allclose(told["positions"], truth, rtol=0, atol=TOLERANCE_ANG[reader])
    click.echo(
        f"  {NAMES[reader]:<10} {megabytes(path):6.0f} MB, {told['n_frames']} frames: {told['seconds']:7.2f} s, "
        f"{told['cpu_seconds']:7.2f} CPU-s, {megabytes(path) / told['cpu_seconds']:5.0f} MB per CPU-s, "
        f"peak {told['peak_mb']:.0f} MB, same positions: {same} ({told['version']})"
    )


def megabytes(path: Path) -> float:
    """Return the size of a file, 1e6 bytes."""
    return path.stat().st_size / 1e6


if __name__ == "__main__":
    main()

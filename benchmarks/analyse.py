"""Distribution functions and displacements of one dump, from file to result: ours beside MDAnalysis and OVITO.

Each runs in a process of its own with one thread. MDAnalysis and OVITO are no dependencies: `pip install
"aiida-seireact[peers]"`. OVITO has no windowed MSD, so it is timed for the distribution functions alone.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

PEERS = ("mdanalysis", "ovito")
NAMES = {"ours": "ours", "mdanalysis": "MDAnalysis", "ovito": "OVITO"}
THREADS = {"OMP_NUM_THREADS": "1", "OVITO_THREAD_COUNT": "1"}
# MDAnalysis keeps positions in float32: a distance on the edge of a bin may fall into the next.
G_TOLERANCE, MSD_TOLERANCE = 2e-3, 1e-4


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--atoms", "n_atoms", default=5_000, show_default=True)
@click.option("--frames", "n_frames", default=100, show_default=True)
@click.option("--longer", default=10, show_default=True, help="How many times as long the run is whose memory is told.")
def main(n_atoms: int, n_frames: int, longer: int) -> None:
    """Compare results and speed; the last line is `ratio = <CPU seconds of the fastest peer / ours>`."""
    click.echo(
        f"{n_atoms:,} atoms, {n_frames} frames; 1 thread of {os.cpu_count()}; Python {sys.version.split()[0]}, "
        f"numpy {importlib.metadata.version('numpy')}, scipy {importlib.metadata.version('scipy')}"
    )
    with tempfile.TemporaryDirectory(prefix="seireact-analyse-") as name:
        folder = Path(name)
        write_run(folder / "small.dump", 200, 4)
        size = write_run(folder / "run.dump", n_atoms, n_frames)
        click.echo(f"dump of {size / 1e6:.0f} MB; g(r) of Li-S and P-S to 8 Å, windowed MSD of Li over all origins")
        mine = analysed("ours", folder / "run.dump")
        assert mine is not None
        tell("ours", mine, mine)
        costs = {}
        for peer in PEERS:
            found = analysed(peer, folder / "run.dump")
            if found is None:
                click.echo(f'  {NAMES[peer]:<10} not installed: pip install "aiida-seireact[peers]"')
                continue
            tell(peer, found, mine)
            costs[peer] = found["cpu_seconds"]
        long_size = write_run(folder / "long.dump", n_atoms, n_frames * longer)
        long = analysed("ours", folder / "long.dump")
        assert long is not None
        click.echo(
            f"  peak of ours: {mine['peak_mb']:.0f} MB with {size / 1e6:.0f} MB, {long['peak_mb']:.0f} MB with "
            f"{long_size / 1e6:.0f} MB"
        )
    click.echo(f"memory = {long['peak_mb'] / mine['peak_mb']:.2f}")
    if not costs:
        raise click.ClickException('no peer is installed: pip install "aiida-seireact[peers]"')
    best = min(costs, key=lambda peer: costs[peer])
    click.echo(f"the fastest peer is {NAMES[best]}")
    click.echo(f"ratio = {costs[best] / mine['cpu_seconds']:.1f}")


def write_run(path: Path, n_atoms: int, n_frames: int) -> int:
    """Write a random walk from a cubic grid at the density of an interphase; return the bytes."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(n_atoms ** (1 / 3)))
    spacing = 2.6
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:n_atoms] * spacing
    places = grid + rng.normal(scale=0.15, size=grid.shape)
    symbols = rng.choice(["Li", "P", "S", "Cl"], size=n_atoms, p=[0.6, 0.06, 0.26, 0.08]).tolist()
    bounds = f"0.0 {side * spacing:.10f}\n" * 3
    with path.open("w") as stream:
        for frame in range(n_frames):
            places += rng.normal(scale=0.05, size=places.shape)
            rows = "".join(
                f"{n} {symbol} {x:.6f} {y:.6f} {z:.6f}\n"
                for n, (symbol, (x, y, z)) in enumerate(zip(symbols, places.tolist(), strict=True), start=1)
            )
            stream.write(
                f"ITEM: TIMESTEP\n{50 * frame}\nITEM: NUMBER OF ATOMS\n{n_atoms}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
                f"ITEM: ATOMS id element xu yu zu\n{rows}"
            )
    return path.stat().st_size


def analysed(name: str, dump: Path) -> dict[str, Any] | None:
    """Analyse a dump by one of them; None if it is not installed."""
    output = dump.with_name(f"{name}.npz")
    script = Path(__file__).with_name("_analysers.py")
    done = subprocess.run(
        [sys.executable, str(script), name, str(dump), str(output)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **THREADS},
    )
    if done.returncode:
        raise click.ClickException(f"{name} failed: {done.stderr.strip().splitlines()[-1]}")
    told = json.loads(done.stdout.splitlines()[-1])
    if "missing" in told:
        return None
    with np.load(output) as found:
        return {**told, "g": found["g"], "msd": found["msd"]}


def tell(name: str, told: dict[str, Any], mine: dict[str, Any]) -> None:
    """Print a line of the table."""
    g = float(np.abs(told["g"] - mine["g"]).sum() / mine["g"].sum())
    words = f"same g(r): {g < G_TOLERANCE} ({g:.1e})"
    if len(told["msd"]):
        msd = float(np.abs(told["msd"][1:] / mine["msd"][1:] - 1).max())
        words += f", same MSD: {msd < MSD_TOLERANCE} ({msd:.1e})"
    click.echo(
        f"  {NAMES[name]:<10} {told['seconds']:7.2f} s, {told['cpu_seconds']:7.2f} CPU-s, "
        f"peak {told['peak_mb']:.0f} MB, {words} ({told['version']})"
    )


if __name__ == "__main__":
    main()

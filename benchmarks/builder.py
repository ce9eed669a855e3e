"""Li | Li6PS5Cl of 21 thousand to 3.4 million atoms, built and written as LAMMPS data: ours beside ASE and pymatgen.

Every builder runs in a process of its own, one thread; its peak memory is what the kernel counted for that process.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks._stacks import BUILDERS, Size

SIZES = {"21k": Size(3, 6, 10, 56), "120k": Size(3, 6, 80, 220), "3.4M": Size(15, 18, 150, 414)}
RATIO_AT = "120k"
# Smallest distances are looked for where that takes seconds.
LARGEST_COMPARED = 200_000


@dataclass(frozen=True)
class Run:
    """One builder at one size: seconds without imports, megabytes at the peak, and what it says of its cell."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    facts: dict[str, Any]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--size", "names", multiple=True, type=click.Choice([*SIZES, "tiny"]), help="Sizes to build; default all."
)
@click.option("--limit-s", default=300, show_default=True, help="Seconds after which a builder is given up.")
@click.option("--limit-gb", default=8.0, show_default=True, help="Memory at which a builder is given up.")
def main(names: tuple[str, ...], limit_s: int, limit_gb: float) -> None:
    """Compare time and memory; the last line is `ratio = <CPU seconds of the faster peer / ours, at 120k>`."""
    sizes = {**SIZES, "tiny": Size(3, 6, 1, 4)}
    names = names or tuple(SIZES)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("ase", "pymatgen", "numpy"))
    click.echo(f"Li | Li6PS5Cl as LAMMPS data, 1 thread of {os.cpu_count()}; {versions}")
    ratio = 0.0
    for name in names:
        size, runs = sizes[name], {}
        click.echo(
            f"\n{name}: {size.n_atoms:,} atoms, {size.first} x {size.second} x {size.cells} cells of Li6PS5Cl, "
            f"{size.layers} layers of Li"
        )
        with tempfile.TemporaryDirectory(prefix="seireact-builder-") as folder:
            for builder in BUILDERS:
                path = Path(folder) / f"{builder}.data"
                run = timed(builder, size, path, limit_s, limit_gb)
                if isinstance(run, str):
                    click.echo(f"  {builder:<9} {run}")
                    continue
                runs[builder] = run
                click.echo(f"  {builder:<9} {run.seconds:8.2f} s {run.cpu_seconds:8.2f} CPU-s {run.peak_mb:8.0f} MB")
            click.echo("  " + compare(runs, Path(folder)))
        if "ours" not in runs:
            raise click.ClickException(f"ours did not finish {name}")
        peers = [run.cpu_seconds for builder, run in runs.items() if builder != "ours"]
        if peers and (name == RATIO_AT or RATIO_AT not in names):
            ratio = min(peers) / runs["ours"].cpu_seconds
    click.echo(f"ratio = {ratio:.1f}")


def timed(builder: str, size: Size, path: Path, limit_s: int, limit_gb: float) -> Run | str:
    """Run a builder in a process of its own; return why it did not finish if it did not."""
    arguments = [str(number) for number in (size.first, size.second, size.cells, size.layers)]
    limit = int(limit_gb * 1e9)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._stacks", builder, *arguments, str(path), str(limit_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    output, errors = process.communicate()
    if process.returncode == -14:  # SIGALRM
        return f"not done after {limit_s} s"
    if process.returncode:
        last = (errors.strip().splitlines() or [f"ended by signal {-process.returncode}"])[-1]
        return f"did not finish within {limit_gb:g} GB" if "MemoryError" in errors else f"failed: {last}"
    told = json.loads(output)
    return Run(told["seconds"], told["cpu_seconds"], told["peak_mb"], told["facts"])


def compare(runs: dict[str, Run], folder: Path) -> str:
    """Say whether all have built the same composition in the same plane, and, of smaller cells, how near atoms come.

    Along z the cells differ by where the electrolyte is cut: we cut no PS4, the peers between two cells.
    """
    if "ours" not in runs:
        return "nothing to compare with"
    first = runs["ours"].facts
    same = all(
        run.facts["counts"] == first["counts"]
        and np.allclose(run.facts["lengths_ang"][:2], first["lengths_ang"][:2], atol=1e-3)
        for run in runs.values()
    )
    heights = ", ".join(f"{name} {run.facts['lengths_ang'][2]:.1f}" for name, run in runs.items())
    text = f"same composition and plane: {same}; height in Å: {heights}"
    if sum(first["counts"].values()) <= LARGEST_COMPARED:
        nearest = [f"{name} {smallest_distance(folder / f'{name}.data', run):.2f}" for name, run in runs.items()]
        text += f"; smallest distance in Å: {', '.join(nearest)}"
    return text


def smallest_distance(path: Path, run: Run) -> float:
    """Return the smallest distance of two atoms in a data file of an orthogonal cell, Å."""
    lengths = np.array(run.facts["lengths_ang"])
    positions = positions_of(path, sum(run.facts["counts"].values()))
    distances, _ = cKDTree(positions % lengths % lengths, boxsize=lengths).query(positions % lengths % lengths, k=2)
    return float(distances[:, 1].min())


def positions_of(path: Path, n_atoms: int) -> NDArray[np.float64]:
    """Return the positions of a LAMMPS data file, ``(n_atoms, 3)``."""
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Atoms")) + 2
    return np.loadtxt(lines[start : start + n_atoms], usecols=(2, 3, 4))


if __name__ == "__main__":
    main()

"""Li-centred descriptors of every installed source beside those of FLARE on the same cell, one thread.

FLARE forms the gradients of its descriptors too and can't leave them out; for classification only values are needed.
SOAP and python-ace are other descriptors: their speed is compared, not their values. python-ace lies in an environment
of its own (`aiida-seireact setup --with-pyace`), FLARE in the usual one: run this by the Python of either.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from ase import Atoms
from ase.build import make_supercell
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import DescriptorSpec, MissingSourceError, describe
from aiida_seireact.science.structures import argyrodite

SPECS = (DescriptorSpec(n_max=4), DescriptorSpec(n_max=9))
PACKAGES = ("mir-flare", "numpy", "numba", "matscipy", "dscribe", "python-ace")
HAS_FLARE = importlib.util.find_spec("flare") is not None
Values = NDArray[np.floating]


def ours(atoms: Atoms, spec: DescriptorSpec) -> Values:
    """Return ``(n_li, n_features)`` in double precision, as FLARE's are."""
    cell = np.asarray(atoms.cell)
    return describe(atoms.positions, atoms.numbers, cell, atoms.pbc, spec, dtype=np.float64)[0]


def flares(atoms: Atoms, spec: DescriptorSpec) -> Values:
    """Return ``(n_li, n_features)`` by mir-flare; only Li has neighbours, which halves its work."""
    from flare.bffs.sgp._C_flare import B2, Structure

    species = list(spec.species)
    cutoffs = np.zeros((len(species), len(species)))
    cutoffs[0, :] = spec.cutoff_ang
    form = [len(species), spec.n_max, spec.l_max]
    calculator = B2("chebyshev", "quadratic", [0.0, spec.cutoff_ang], [], form, cutoffs)
    kinds = [species.index(symbol) for symbol in atoms.symbols]
    structure = Structure(np.asarray(atoms.cell), kinds, atoms.positions, spec.cutoff_ang, [calculator])
    lithium = structure.descriptors[0]
    order = np.argsort(np.asarray(lithium.atom_indices[0]).astype(int))
    return np.asarray(lithium.descriptors[0])[order]


def timed(function: Callable[[Atoms, DescriptorSpec], Values], atoms: Atoms, spec: DescriptorSpec) -> float:
    """Return the CPU seconds of one call, the mean of as many as half a second holds.

    The first call is not counted: it compiles, imports and makes a basis.
    """
    function(atoms[-100:], spec)
    calls, start = 0, time.process_time()
    while not calls or time.process_time() - start < 0.5:
        function(atoms, spec)
        calls += 1
    return (time.process_time() - start) / calls


def frame(repeat: tuple[int, int, int]) -> Atoms:
    """Return antifluorite Li2S0.72P0.14Cl0.14, dense in Li: 12 atoms times ``repeat``."""
    places, cell = [[0, 0, 0], [0.25] * 3, [0.75] * 3], 5.71 / 2 * (1 - np.eye(3))
    primitive = Atoms("SLi2", scaled_positions=places, cell=cell, pbc=True)
    atoms = make_supercell(primitive, [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]).repeat(repeat)
    anions = np.random.default_rng(0).permutation(np.flatnonzero(atoms.numbers == 16))
    few = round(0.14 * len(anions))
    atoms.numbers[anions[:few]], atoms.numbers[anions[few : 2 * few]] = 15, 17
    atoms.rattle(0.05, seed=1)
    return atoms


def peak_gb(repeat: tuple[int, int, int], spec: DescriptorSpec) -> float:
    """Return the most memory that a process takes which describes one frame, imports and all, GB."""
    code = f"from benchmarks import descriptors as b; b.describe_frame({repeat}, {spec.to_dict()!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def describe_frame(repeat: tuple[int, int, int], settings: dict[str, Any]) -> None:
    """Describe a frame in float32, as for classification, and print the process's peak in GB."""
    atoms = frame(repeat)
    describe(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc, DescriptorSpec(**settings))
    # ru_maxrss would count the process that started this one, too.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024 / 1e9)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--repeat", default=2, show_default=True, help="Repetitions of the 52-atom cell along each axis.")
@click.option(
    "--frame",
    "large",
    nargs=3,
    default=(10, 11, 16),
    show_default=True,
    help="Repetitions of 12 atoms: the frame whose memory is measured, by default of 21,120 atoms.",
)
def main(repeat: int, large: tuple[int, int, int]) -> None:
    """Compare speed and values; the last line is `ratio = <CPU seconds of FLARE / ours>` of n9 l3."""
    atoms = argyrodite(seed=3, repeat=(repeat, repeat, repeat))
    atoms.rattle(0.05, seed=1)
    n_li = int((atoms.numbers == 3).sum())
    here = {distribution.name for distribution in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES if name in here)
    formula, cutoff = atoms.symbols.get_chemical_formula(), SPECS[0].cutoff_ang
    click.echo(f"{formula}: {len(atoms)} atoms, {n_li} Li, cutoff {cutoff} Å, 1 thread")
    click.echo(versions)

    seconds: dict[tuple[str, int], float] = {}
    for spec in SPECS:
        for source in ("ace", "soap", "pyace", "FLARE"):
            own = spec if source == "FLARE" else replace(spec, source=source, radial=None, source_version=None)
            try:
                if source == "FLARE" and not HAS_FLARE:
                    raise MissingSourceError("mir-flare is not installed.")
                used = timed(flares if source == "FLARE" else ours, atoms, own)
            except MissingSourceError:
                click.echo(f"{source:6} n{spec.n_max} l{spec.l_max}: not installed in this environment")
                continue
            seconds[source, spec.n_max] = used
            click.echo(
                f"{source:6} n{spec.n_max} l{spec.l_max} {own.n_features:5} features {used:8.4f} CPU-s "
                f"{n_li / used:8.0f} environments a CPU-s"
            )
    for spec in SPECS:
        for source in sorted({name for name, _ in seconds} - {"FLARE"}):
            own = replace(spec, source=source, radial=None, source_version=None)
            peak, n_atoms = peak_gb(large, own), 12 * math.prod(large)
            click.echo(
                f"{source:6} n{spec.n_max} l{spec.l_max}: a frame of {n_atoms:,} atoms takes {peak:.2f} GB in all"
            )
    if not HAS_FLARE:
        click.echo("No ratio: mir-flare is not installed in this environment.")
        return
    for spec in SPECS:
        theirs = flares(atoms, spec)
        error = float(np.max(np.abs(ours(atoms, spec) - theirs)) / np.max(np.abs(theirs)))
        told = f"largest difference {error:.1e} of the largest value, before the cast to float32"
        click.echo(f"n{spec.n_max} l{spec.l_max} same result as FLARE: {error < 1e-12} ({told})")
    click.echo(f"ratio = {seconds['FLARE', 9] / seconds['ace', 9]:.1f}")


if __name__ == "__main__":
    main()

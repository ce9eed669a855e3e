"""Li-centred B2 descriptors: ours beside those of FLARE on the same cells, one thread.

FLARE forms the gradients of its descriptors too and can't leave them out; for classification only values are needed.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import DescriptorSpec, b2_descriptors
from aiida_seireact.science.structures import argyrodite

SPEC = DescriptorSpec(n_max=9, l_max=3, cutoff_ang=6.0)


def ours(atoms: Atoms) -> NDArray[np.float32]:
    """Return ``(n_li, 2664)``."""
    values, _ = b2_descriptors(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc, SPEC)
    return values


def flares(atoms: Atoms) -> NDArray[np.float64]:
    """Return ``(n_li, 2664)`` by mir-flare; only Li has neighbours, which halves its work."""
    from flare.bffs.sgp._C_flare import B2, Structure

    species = list(SPEC.species)
    cutoffs = np.zeros((len(species), len(species)))
    cutoffs[0, :] = SPEC.cutoff_ang
    calculator = B2(
        "chebyshev", "quadratic", [0.0, SPEC.cutoff_ang], [], [len(species), SPEC.n_max, SPEC.l_max], cutoffs
    )
    kinds = [species.index(symbol) for symbol in atoms.symbols]
    structure = Structure(np.asarray(atoms.cell), kinds, atoms.positions, SPEC.cutoff_ang, [calculator])
    return np.asarray(structure.descriptors[0].descriptors[0])


def timed(function: Callable[[Atoms], NDArray[np.floating]], atoms: Atoms) -> tuple[float, NDArray[np.floating]]:
    """Return CPU seconds and the result."""
    start = time.process_time()
    result = function(atoms)
    return time.process_time() - start, result


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--repeat", default=2, show_default=True, help="Repetitions of the 52-atom cell along each axis.")
def main(repeat: int) -> None:
    """Compare speed and values; the last line is `ratio = <CPU seconds of FLARE / ours>`."""
    atoms = argyrodite(seed=3, repeat=(repeat, repeat, repeat))
    atoms.rattle(0.05, seed=1)
    ours(argyrodite(seed=3))  # first call: imports
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("mir-flare", "numpy", "matscipy"))
    click.echo(f"{atoms.symbols}: {len(atoms)} atoms, {SPEC.n_features} features, 1 thread; {versions}")
    seconds, values = timed(ours, atoms)
    peer_seconds, peer_values = timed(flares, atoms)
    error = float(np.max(np.abs(values - peer_values)) / np.max(np.abs(peer_values)))
    click.echo(f"ours  {seconds:8.3f} CPU-s")
    click.echo(f"FLARE {peer_seconds:8.3f} CPU-s")
    click.echo(f"same result: {error < 1e-6} (largest difference {error:.1e} of the largest value; ours are float32)")
    click.echo(f"ratio = {peer_seconds / seconds:.1f}")


if __name__ == "__main__":
    main()

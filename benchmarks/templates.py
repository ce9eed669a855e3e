"""How much of a crystal and of a glass template matching calls bcc, hcp or fcc, against its `rmsd_max`.

`python -m benchmarks.templates` makes rattled crystals and a glass of Li, and takes the recorded runs of CHGNet at
300 K. It needs OVITO, `pip install "aiida-seireact[ovito]"`.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_seireact.science.analysis import STRUCTURES, template_matching
from benchmarks._phases import DISORDERED
from benchmarks._phases_md import RECORD

RMSD_MAX = (0.10, 0.12, 0.13, 0.15)
RATTLES_ANG = (0.10, 0.15, 0.20, 0.25)
CELLS = {"bcc": ("bcc", 3.44, 10), "fcc": ("fcc", 4.33, 8)}
RECORDED = (*(f"{phase} reference" for phase in ("Li", "Li2S", "Li3P", "LiCl", "Li6PS5Cl")), f"{DISORDERED} 1")
SMALLEST_ANG = 2.75


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Print the share of Li that is bcc, hcp, fcc at each `rmsd_max`."""
    click.echo("| Li of | atoms | " + " | ".join(f"{rmsd_max:.2f}: bcc, hcp, fcc" for rmsd_max in RMSD_MAX) + " |")
    for name, images in samples():
        shares = [_shares(images, rmsd_max) for rmsd_max in RMSD_MAX]
        words = " | ".join(" ".join(f"{100 * one:.1f}" for one in share) for share in shares)
        click.echo(f"| {name} | {sum((atoms.numbers == 3).sum() for atoms in images)} | {words} |")


def samples() -> Iterator[tuple[str, list[Atoms]]]:
    """Return what is matched, by name."""
    for name, (structure, a, repeat) in CELLS.items():
        for rattle in RATTLES_ANG:
            yield f"{name}, rattle {rattle:.2f} Å", [rattled(structure, a, repeat, rattle)]
    with np.load(RECORD) as found:
        for run in RECORDED:
            parts = {part: found[f"{run}/{part}"] for part in ("numbers", "cell", "positions")}
            yield (
                f"{run}, 300 K",
                [Atoms(parts["numbers"], one, cell=parts["cell"], pbc=True) for one in parts["positions"]],
            )
    yield "glass", [glass()]


def rattled(structure: str, a: float, repeat: int, rattle: float) -> Atoms:
    """Return a crystal of Li whose atoms are displaced by ``rattle`` Å (standard deviation of each component)."""
    atoms: Atoms = bulk("Li", structure, a=a, cubic=True).repeat(repeat)
    atoms.rattle(rattle, seed=1)
    return atoms


def glass() -> Atoms:
    """Return Li at the density of bcc, each atom displaced by 1.2 Å a component, then pushed apart where too near."""
    atoms = rattled("bcc", 3.44, 10, 1.2)
    for _ in range(150):
        i, d, vector = neighbor_list("idD", atoms, SMALLEST_ANG)
        np.add.at(atoms.positions, i, -vector * (0.25 * (SMALLEST_ANG - d) / np.maximum(d, 0.1))[:, None])
    atoms.wrap()
    return atoms


def _shares(images: list[Atoms], rmsd_max: float) -> list[float]:
    """Return the shares of Li that are bcc, hcp, fcc."""
    found = np.concatenate(
        [
            template_matching(atoms.positions, atoms.cell.array, atoms.pbc, rmsd_max=rmsd_max)[atoms.numbers == 3]
            for atoms in images
        ]
    )
    return [float((found == STRUCTURES.index(name)).mean()) for name in ("bcc", "hcp", "fcc")]


if __name__ == "__main__":
    main()

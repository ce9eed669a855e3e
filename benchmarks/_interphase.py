"""A run of one cell that holds many phases, of which the truth is known: slabs of thermal crystals along z, as a dump.

Thermal motion is an independent Gaussian displacement of each atom and component, new in every frame. Lattices are
strained by up to 2.5 % to one width; Li at the seams between slabs has no truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from benchmarks._phases import DISORDERED, disordered, li2s, li6ps5cl, sulfur_around

WIDTH = 40.2
GAP = 1.2
SEAM = 5.0
PHASES = ("Li", "Li6PS5Cl", "Li2S", "LiCl", DISORDERED)
REFERENCES = PHASES[:-1]


@dataclass(frozen=True, eq=False)
class Cell:
    """The cell at rest.

    :param phase: ``(n_atoms,)`` index into :data:`PHASES`; −1 near a seam.
    :param sulfur: ``(n_atoms,)`` how many of the four anions of a Li of the disordered phase are S; −1 elsewhere.
    """

    atoms: Atoms
    phase: NDArray[np.int64]
    sulfur: NDArray[np.int64]


def slab(name: str, layers: int, seed: int) -> Atoms:
    """Return a crystal of one width, periodic along z by itself.

    :param layers: unit cells along z.
    """
    rng = np.random.default_rng([seed, layers])
    atoms = {
        "Li": lambda: bulk("Li", "bcc", a=3.42, cubic=True).repeat((12, 12, layers)),
        "LiCl": lambda: bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat((8, 8, layers)),
        "Li2S": lambda: _cut(li2s(7), layers, 7),
        "Li6PS5Cl": lambda: _cut(li6ps5cl(4, rng), layers, 4),
        DISORDERED: lambda: _cut(disordered(7, rng), layers, 7),
    }[name]()
    lengths = atoms.cell.lengths()
    atoms.set_cell([WIDTH, WIDTH, lengths[2]], scale_atoms=True)
    return atoms


def _cut(atoms: Atoms, layers: int, repeat: int) -> Atoms:
    """Keep the lower layers of a crystal that was repeated alike in all directions."""
    height = atoms.cell.lengths()[2] * layers / repeat
    atoms.wrap(eps=1e-6)
    atoms = atoms[atoms.positions[:, 2] < height - 1e-3]
    atoms.cell[2, 2] = height
    return atoms


def interphase_cell(layers: dict[str, int], seed: int = 0) -> Cell:
    """Stack slabs along z."""
    parts, phases, sulfur, z = Atoms(), [], [], 0.0
    for name, count in layers.items():
        atoms = slab(name, count, seed)
        height = atoms.cell.lengths()[2]
        inside = (atoms.positions[:, 2] > SEAM) & (atoms.positions[:, 2] < height - SEAM)
        phases.append(np.where(inside, PHASES.index(name), -1))
        sulfur.append(np.full(len(atoms), -1))
        if name == DISORDERED:
            sulfur[-1][atoms.numbers == 3] = sulfur_around(atoms)
        atoms.positions[:, 2] += z
        parts += atoms
        z += height + GAP
    parts.set_cell([WIDTH, WIDTH, z])
    parts.pbc = True
    return Cell(parts, np.concatenate(phases), np.concatenate(sulfur))


def write_run(path: Path, atoms: Atoms, n_frames: int, *, rattle: float, seed: int) -> None:
    """Write a LAMMPS dump of thermal frames, one at a time."""
    rng = np.random.default_rng(seed)
    symbols = np.array(atoms.get_chemical_symbols())
    ids = np.arange(1, len(atoms) + 1)
    lengths = atoms.cell.lengths()
    with path.open("w", encoding="utf-8") as stream:
        for number in range(n_frames):
            places = atoms.positions + rng.normal(scale=rattle, size=atoms.positions.shape)
            stream.write(f"ITEM: TIMESTEP\n{number * 1000}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n")
            stream.write("ITEM: BOX BOUNDS pp pp pp\n" + "".join(f"0.0 {length:.6f}\n" for length in lengths))
            stream.write("ITEM: ATOMS id element xu yu zu\n")
            rows = zip(ids.tolist(), symbols.tolist(), places.tolist(), strict=True)
            stream.writelines(f"{key} {symbol} {x:.4f} {y:.4f} {z:.4f}\n" for key, symbol, (x, y, z) in rows)

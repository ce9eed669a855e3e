"""Cells whose truth is known: a mixed antifluorite, its domains, a glass, thermal crystals."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal

A_LI2S = 5.71


def li2s(n: int) -> Atoms:
    return crystal(["S", "Li"], [(0, 0, 0), (0.25,) * 3], spacegroup=225, cellpar=[A_LI2S] * 3 + [90] * 3).repeat(n)


def mixed(seed: int, n: int = 4, *, sorted_along_z: bool = False) -> Atoms:
    """Li2S0.72P0.14Cl0.14 at rest: P and Cl at random on the sites of S, or all at one end of the cell."""
    atoms = li2s(n)
    sulfur = np.flatnonzero(atoms.numbers == 16)
    few = round(0.14 * len(sulfur))
    rng = np.random.default_rng(seed)
    order = np.argsort(atoms.positions[sulfur, 2], kind="stable") if sorted_along_z else rng.permutation(len(sulfur))
    guests = rng.permutation(order[: 2 * few])
    atoms.symbols[sulfur[guests[:few]]] = "P"
    atoms.symbols[sulfur[guests[few:]]] = "Cl"
    return atoms


def anions_around(atoms: Atoms) -> np.ndarray:
    """Sorted atomic numbers of the four anions of each Li, of an antifluorite at rest."""
    first, second = neighbor_list("ij", atoms, 2.6)
    lithium = np.flatnonzero(atoms.numbers == 3)
    return np.array([sorted(atoms.numbers[second[first == row]].tolist()) for row in lithium])


def rattled(atoms: Atoms, seed: int, sigma: float = 0.15) -> Atoms:
    found = atoms.copy()
    found.positions += np.random.default_rng(seed).normal(scale=sigma, size=found.positions.shape)
    return found


def glass(seed: int, n: int = 4) -> Atoms:
    """Composition and density of the mixed crystal, no order: displaced by 1.2 Å, then pushed apart."""
    atoms = rattled(mixed(seed, n), seed, 1.2)
    for _ in range(60):
        first, vectors, distances = neighbor_list("iDd", atoms, 2.3)
        push = np.zeros_like(atoms.positions)
        np.add.at(push, first, -((2.3 - distances) / distances)[:, None] * vectors)
        atoms.positions += 0.25 * push
    return atoms


def lithium(n: int = 7) -> Atoms:
    return bulk("Li", "bcc", a=3.42, cubic=True).repeat(n)


def li3p() -> Atoms:
    sites = [(0, 0, 0.25), (1 / 3, 2 / 3, 0.583), (1 / 3, 2 / 3, 0.25)]
    cell = [4.27, 4.27, 7.59, 90, 90, 120]
    return crystal(["Li", "Li", "P"], sites, spacegroup=194, cellpar=cell).repeat((5, 5, 3))


def licl(n: int = 5) -> Atoms:
    return bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(n)

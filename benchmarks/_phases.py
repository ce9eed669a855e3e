"""Environments of known truth: thermal crystals, a disordered antifluorite without reference, and amorphous material.

Thermal motion is an independent Gaussian displacement of each atom and component, so the figures found on it are upper
bounds: in MD atoms move together. Every random number comes from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import DescriptorSpec, describe

KNOWN = ("Li", "Li6PS5Cl", "Li2S", "Li3P", "LiCl")
DISORDERED, AMORPHOUS = "Li2S0.72P0.14Cl0.14", "amorphous"
ABSENT = "fcc Li"
SHARE_P = SHARE_CL = 0.14
SPEC = DescriptorSpec()


@dataclass(frozen=True)
class Size:
    """How large the cells are: repeats of each phase, and cells of those whose disorder is drawn anew in each."""

    li: int
    argyrodite: int
    n_argyrodites: int
    li2s: int
    li3p: tuple[int, int, int]
    licl: int
    disordered: int
    n_disordered: int
    amorphous: int


SIZES = {
    "small": Size(7, 2, 3, 4, (5, 5, 3), 5, 5, 1, 4),
    "full": Size(11, 3, 3, 6, (7, 7, 4), 6, 6, 2, 5),
}


@dataclass(frozen=True, eq=False)
class Environments:
    """Li environments of one phase.

    :param descriptors: ``(n, n_features)``
    :param sulfur: ``(n,)`` how many of the four anions of its site are S, before thermal motion; −1 where the phase is
        not an antifluorite of several anions.
    """

    phase: str
    descriptors: NDArray[np.float32]
    sulfur: NDArray[np.int64]


def bcc_li(repeat: int) -> Atoms:
    """Lithium metal, a = 3.42 Å."""
    return bulk("Li", "bcc", a=3.42, cubic=True).repeat(repeat)


def fcc_li(repeat: int) -> Atoms:
    """Lithium of the same volume an atom, but fcc."""
    return bulk("Li", "fcc", a=3.42 * 2 ** (1 / 3), cubic=True).repeat(repeat)


def li2s(repeat: int) -> Atoms:
    """Antifluorite, a = 5.71 Å."""
    sites, cell = [(0, 0, 0), (0.25, 0.25, 0.25)], [5.71] * 3 + [90] * 3
    return crystal(["S", "Li"], sites, spacegroup=225, cellpar=cell).repeat(repeat)


def li3p(repeat: tuple[int, int, int]) -> Atoms:
    """P6₃/mmc, a = 4.27 Å, c = 7.59 Å."""
    sites, cell = [(0, 0, 0.25), (1 / 3, 2 / 3, 0.583), (1 / 3, 2 / 3, 0.25)], [4.27, 4.27, 7.59, 90, 90, 120]
    return crystal(["Li", "Li", "P"], sites, spacegroup=194, cellpar=cell).repeat(repeat)


def licl(repeat: int) -> Atoms:
    """Rock salt, a = 5.13 Å."""
    return bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(repeat)


def li6ps5cl(repeat: int, rng: np.random.Generator, a: float = 9.8) -> Atoms:
    """Argyrodite; half of S and Cl on 4a and 4c exchanged, one of each pair of 48h sites taken."""
    x = 0.5 + 2.05 / (a * np.sqrt(3))
    sites, cell = [(0.5, 0.5, 0.5), (x, x, x), (0.25, 0.25, 0.25), (0, 0, 0)], [a] * 3 + [90] * 3
    frame = crystal(["P", "S", "Se", "Cl"], sites, spacegroup=216, cellpar=cell).repeat(repeat)
    lithium = crystal(["Li"], [(0.183, 0.183, 0.024)], spacegroup=216, cellpar=cell).repeat(repeat)
    i, j = neighbor_list("ij", lithium, 2.0)
    pairs = [pair for pair in zip(i, j, strict=True) if pair[0] < pair[1]]
    symbols = np.array(frame.symbols)
    free, chlorine = np.flatnonzero(symbols == "Se"), np.flatnonzero(symbols == "Cl")
    symbols[free] = "S"
    symbols[rng.permutation(free)[: len(free) // 2]] = "Cl"
    symbols[rng.permutation(chlorine)[: len(chlorine) // 2]] = "S"
    frame.symbols = symbols
    return frame + lithium[[pair[rng.integers(2)] for pair in pairs]]


def disordered(repeat: int, rng: np.random.Generator) -> Atoms:
    """Li2S0.72P0.14Cl0.14: the antifluorite of Li2S with anions at random on its sites."""
    atoms = li2s(repeat)
    sites = rng.permutation(np.flatnonzero(atoms.numbers == 16))
    n_p, n_cl = round(SHARE_P * len(sites)), round(SHARE_CL * len(sites))
    atoms.symbols[sites[:n_p]] = "P"
    atoms.symbols[sites[n_p : n_p + n_cl]] = "Cl"
    return atoms


def amorphous(repeat: int, rng: np.random.Generator) -> Atoms:
    """Return the disordered phase, each atom displaced by 1.2 Å a component, then pushed apart where too near."""
    from matscipy.neighbours import neighbour_list

    atoms = disordered(repeat, rng)
    atoms.positions += rng.normal(scale=1.2, size=atoms.positions.shape)
    atoms.wrap()
    kind = (atoms.numbers != 3).astype(int)
    smallest = np.array([[2.75, 2.3], [2.3, 3.7]])
    for _ in range(150):
        i, j, d, vector = neighbour_list("ijdD", atoms, 3.8)
        overlap = smallest[kind[i], kind[j]] - d
        near = overlap > 0
        push = np.zeros_like(atoms.positions)
        weight = 0.25 * overlap[near] / np.maximum(d[near], 0.1)
        np.add.at(push, i[near], -vector[near] * weight[:, None])
        atoms.positions += push
    atoms.wrap()
    return atoms


def sulfur_around(atoms: Atoms) -> NDArray[np.int64]:
    """Count the S among the four anions of each Li of an antifluorite at rest, ``(n_li,)``."""
    i, j = neighbor_list("ij", atoms, 2.6)
    counts = np.bincount(i, weights=atoms.numbers[j] == 16, minlength=len(atoms))
    return counts[atoms.numbers == 3].astype(np.int64)


def cells(phase: str, size: Size, rng: np.random.Generator) -> Iterable[Atoms]:
    """Return the cells of a phase at rest."""
    makers: dict[str, Callable[[], list[Atoms]]] = {
        "Li": lambda: [bcc_li(size.li)],
        "Li6PS5Cl": lambda: [li6ps5cl(size.argyrodite, rng) for _ in range(size.n_argyrodites)],
        "Li2S": lambda: [li2s(size.li2s)],
        "Li3P": lambda: [li3p(size.li3p)],
        "LiCl": lambda: [licl(size.licl)],
        DISORDERED: lambda: [disordered(size.disordered, rng) for _ in range(size.n_disordered)],
        AMORPHOUS: lambda: [amorphous(size.amorphous, rng)],
        ABSENT: lambda: [fcc_li(size.licl)],
    }
    return makers[phase]()


def environments(phase: str, *, size: Size, rattle: float, seed: int) -> Environments:
    """Return the Li environments of a phase.

    :param rattle: standard deviation of the displacement of each atom and component, Å.
    """
    rng = np.random.default_rng([seed, len(phase), *phase.encode()])
    parts, sulfur = [], []
    for atoms in cells(phase, size, rng):
        n_li = int((atoms.numbers == 3).sum())
        sulfur.append(sulfur_around(atoms) if phase == DISORDERED else np.full(n_li, -1))
        atoms.positions += rng.normal(scale=rattle, size=atoms.positions.shape)
        parts.append(describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, SPEC)[0])
    return Environments(phase, np.concatenate(parts), np.concatenate(sulfur))

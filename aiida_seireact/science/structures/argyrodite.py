"""Crystals and interface cells of Li | Li6PS5Cl, built the same way on every machine.

Every random choice comes from `numpy.random.Generator(PCG64(seed))`, so a seed names one cell. All cells
are periodic in the three directions and charge neutral in the nominal charges Li+, P5+, S2-, Cl- (Li3P:
P3-); the builders raise if not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal as spacegroup_crystal
from numpy.typing import NDArray

from aiida_seireact.science.analysis import intact_ps4
from aiida_seireact.science.structures.cells import rounded

LATTICE_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "Li": {"a": 3.42},
    "Li2S": {"a": 5.71},
    "LiCl": {"a": 5.14},
    "Li3P": {"a": 4.24, "c": 7.64},
    "Li6PS5Cl": {"a": 10.2},
}
"""Lattice parameters in Å: Li PBE (arXiv:2506.10944), the others as CHGNet 0.3.0 has them, within 1 % of
PBE."""

PS_BOND_ANG = 2.05
CUT_FRACTION = 0.205
"""Height of the (001) cut above a plane of P, in units of a.

P and half of the free anions lie at multiples of a/2 and the S of PS4 within 0.12 a of them; the other free
anions lie at a/4. A cut at 0.205 a splits no PS4 and leaves the free anions of the a/4 plane on one side.
"""


def crystal(name: str, **lattice: float) -> Atoms:
    """Return the conventional cell of one of the crystals of the reaction.

    :param name: ``Li`` (bcc, 2 atoms), ``Li2S`` (antifluorite, 12), ``LiCl`` (rock salt, 8), ``Li3P``
        (Na3As type, 8) or ``Li6PS5Cl`` (argyrodite F-43m, 52; ordered anions, one Li of each doublet chosen
        with seed 0: `argyrodite` gives the others).
    :param lattice: lattice parameters in Å, ``a`` and for Li3P ``c``, replacing those of
        `LATTICE_DEFAULTS`.
    :raises ValueError: unknown name or lattice parameter.
    """
    if name not in LATTICE_DEFAULTS:
        raise ValueError(f"unknown crystal '{name}': known are {', '.join(LATTICE_DEFAULTS)}")
    unknown = set(lattice) - set(LATTICE_DEFAULTS[name])
    if unknown:
        known = ", ".join(LATTICE_DEFAULTS[name])
        raise ValueError(f"{name} has no lattice parameter {', '.join(sorted(unknown))}: it has {known}")
    parameters = {**LATTICE_DEFAULTS[name], **lattice}
    a = parameters["a"]
    if name == "Li":
        return rounded(bulk("Li", "bcc", a=a, cubic=True))
    if name == "Li6PS5Cl":
        return argyrodite(seed=0, exchange=0.0, a=a)
    if name == "Li2S":
        atoms = _from_sites(["S", "Li"], [(0, 0, 0), (0.25, 0.25, 0.25)], 225, [a, a, a, 90, 90, 90])
    elif name == "LiCl":
        atoms = _from_sites(["Li", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], 225, [a, a, a, 90, 90, 90])
    else:
        sites = [(0, 0, 0.25), (1 / 3, 2 / 3, 0.583), (1 / 3, 2 / 3, 0.25)]
        atoms = _from_sites(["Li", "Li", "P"], sites, 194, [a, a, parameters["c"], 90, 90, 120])
    _require_neutral(atoms, phosphorus_charge=-3 if name == "Li3P" else 5)
    return atoms


def argyrodite(
    *,
    seed: int,
    exchange: float = 0.5,
    a: float = 10.2,
    repeat: tuple[int, int, int] = (1, 1, 1),
    half_cell: bool = False,
) -> Atoms:
    """Return Li6PS5Cl with its disorder drawn over the whole cell.

    The 48 sites 48h of the cubic cell (Li at 0.183, 0.183, 0.024) form 24 doublets 0.19 a (1.9 Å) apart;
    one site of each is filled at random. Cl (4a) and free S (4c) are exchanged for the fraction `exchange`
    of the Cl. Source: Ding et al., arXiv:2506.10944 (24 of 48 sites 48h at random, 50 % Cl/S disorder).

    :param seed: seed of the generator PCG64.
    :param exchange: fraction of the Cl that change places with a free S, 0 to 1; rounded to whole atoms.
    :param a: cubic lattice parameter in Å.
    :param repeat: repetitions of the cell; the disorder is drawn after it, so no two repetitions are alike.
    :param half_cell: take a/√2 x a/√2 x a (26 atoms, 2 formula units) for the cell, cut at `CUT_FRACTION`
        so that its lower and upper faces split no PS4.
    :raises ValueError: `exchange` is not within 0 to 1, or a PS4 is not intact (a so small or large that it
        is no crystal).
    """
    if not 0.0 <= exchange <= 1.0:
        raise ValueError(f"exchange is the fraction of Cl that change places with S, 0 to 1, not {exchange}")
    rng = np.random.Generator(np.random.PCG64(seed))
    x = 0.5 + PS_BOND_ANG / (a * np.sqrt(3))
    cellpar = [a, a, a, 90, 90, 90]
    # Se marks the free S until the exchange is drawn; it leaves this function as S or Cl.
    anions = [(0.5, 0.5, 0.5), (x, x, x), (0.25, 0.25, 0.25), (0, 0, 0)]
    frame = _from_sites(["P", "S", "Se", "Cl"], anions, 216, cellpar, primitive=half_cell)
    sites = _from_sites(["Li"], [(0.183, 0.183, 0.024)], 216, cellpar, primitive=half_cell)
    if half_cell:
        frame, sites = _half_cell(frame, a), _half_cell(sites, a)
    frame, sites = frame.repeat(repeat), sites.repeat(repeat)

    first, second = neighbor_list("ij", sites, 0.2 * a)
    pairs = sorted((int(i), int(j)) for i, j in zip(first, second, strict=True) if i < j)
    if sorted(index for pair in pairs for index in pair) != list(range(len(sites))):
        raise RuntimeError("the sites 48h do not form doublets")
    filled = sorted(pair[choice] for pair, choice in zip(pairs, rng.integers(2, size=len(pairs)), strict=True))

    symbols = np.array(frame.get_chemical_symbols())
    free, chlorine = np.flatnonzero(symbols == "Se"), np.flatnonzero(symbols == "Cl")
    n_exchanged = round(exchange * len(chlorine))
    symbols[free] = "S"
    symbols[rng.choice(free, n_exchanged, replace=False)] = "Cl"
    symbols[rng.choice(chlorine, n_exchanged, replace=False)] = "S"
    frame.set_chemical_symbols(symbols.tolist())

    atoms = rounded(frame + sites[filled])
    _require_neutral(atoms)
    _require_intact(atoms)
    return atoms


def li_slab(layers: int, *, repeat: int = 2, a: float = 3.42, vacuum_ang: float) -> Atoms:
    """Return a bcc Li(100) slab, `layers` layers of `repeat` x `repeat` atoms, with a vacuum along z.

    :param vacuum_ang: distance from the upper layer to the periodic image of the lower one, in Å.
    """
    heights = np.arange(layers) * a / 2
    slab = _li_layers(heights, (repeat * a, repeat * a), repeat)
    slab.set_cell([repeat * a, repeat * a, heights[-1] + vacuum_ang])
    return rounded(slab)


def interface_cell(
    *,
    seed: int,
    li_layers: int = 8,
    electrolyte_cells: int = 1,
    repeat: tuple[int, int] = (1, 1),
    in_plane_ang: float | None = None,
    exchange: float = 0.5,
    a_argyrodite: float = 10.2,
    a_li: float = 3.42,
    gap_ang: float = 2.0,
) -> Atoms:
    """Return Li(100) | Li6PS5Cl(001) | Li, orthogonal, the electrolyte in the middle of the cell along z.

    One unit in plane holds the argyrodite half cell (a/√2 x a/√2, cut so that no PS4 is split) below 2 x 2
    atoms of Li(100). Li takes the mismatch in plane and keeps its volume: the layers are a_Li/2 (2 a_Li/L)²
    apart, L the length of the unit in plane. The gap is the distance along z between the outermost atoms,
    so the length along z depends a little on which Li sites the seed filled (training cell: 23.60 or 24.28 Å).
    The shorter one has no Li between metal and PS4: CHGNet breaks PS4 there within 30-45 steps of a FIRE
    relaxation; in the longer one they last at least 55 (seeds 2, 3, 4).

    :param seed: seed of the disorder.
    :param li_layers: number of Li layers; even, so that the two surfaces of the metal meet the electrolyte
        alike.
    :param electrolyte_cells: argyrodite half cells along z.
    :param repeat: units in plane, along x and y; disorder differs from unit to unit.
    :param in_plane_ang: length L of a unit in plane in Å; None is a_argyrodite/√2, an unstrained
        electrolyte.
    :param exchange: fraction of Cl that change places with S.
    :param a_argyrodite: cubic lattice parameter of Li6PS5Cl in Å.
    :param a_li: lattice parameter of bcc Li in Å.
    :param gap_ang: gap between metal and electrolyte, on both sides, in Å.
    :raises ValueError: `li_layers` is odd or below 2, or a PS4 is not intact.
    """
    if li_layers < 2 or li_layers % 2:
        raise ValueError(f"li_layers must be an even number of at least 2, not {li_layers}")
    electrolyte = argyrodite(
        seed=seed, exchange=exchange, a=a_argyrodite, repeat=(*repeat, electrolyte_cells), half_cell=True
    )
    unit = in_plane_ang if in_plane_ang is not None else a_argyrodite / np.sqrt(2)
    side_x, side_y = repeat[0] * unit, repeat[1] * unit
    electrolyte.set_cell([side_x, side_y, electrolyte.cell[2, 2]], scale_atoms=True)
    thickness = np.ptp(electrolyte.positions[:, 2])

    spacing = a_li / 2 * (2 * a_li / unit) ** 2
    heights = np.arange(li_layers) * spacing
    metal = _li_layers(heights, (unit, unit), 2).repeat((*repeat, 1))

    length = thickness + heights[-1] + 2 * gap_ang
    electrolyte.positions[:, 2] += (length - thickness) / 2 - electrolyte.positions[:, 2].min()
    metal.positions[:, 2] += (length + thickness) / 2 + gap_ang
    atoms = metal + electrolyte
    atoms.set_cell([side_x, side_y, length])
    atoms.pbc = True
    atoms.wrap()
    atoms = rounded(atoms)
    _require_neutral(atoms, n_metal=len(metal))
    _require_intact(atoms)
    return atoms


def training_cell(seed: int = 3) -> Atoms:
    """Return the interface cell of training: 58 atoms, 2 formula units, 8 Li layers (16 Li a formula
    unit)."""
    return interface_cell(seed=seed)


def production_cell(seed: int = 3) -> Atoms:
    """Return the interface cell of production: 432 atoms, 16 formula units, 14 Li layers, 14.1 x 14.1 Å in
    plane.

    L = 7.07 Å is what the training cell relaxes to in plane (CHGNet), so the run starts near zero stress.
    """
    return interface_cell(seed=seed, li_layers=14, electrolyte_cells=2, repeat=(2, 2), in_plane_ang=7.07)


def _from_sites(
    symbols: Sequence[str],
    basis: Sequence[tuple[float, float, float]],
    spacegroup: int,
    cellpar: Sequence[float],
    *,
    primitive: bool = False,
) -> Atoms:
    """Return the crystal as plain atoms; ASE's `crystal` leaves arrays and info that would end up in frames."""
    atoms: Atoms = _expanded(tuple(symbols), tuple(basis), spacegroup, tuple(cellpar), primitive).copy()
    return atoms


@lru_cache(maxsize=32)
def _expanded(
    symbols: tuple[str, ...],
    basis: tuple[tuple[float, float, float], ...],
    spacegroup: int,
    cellpar: tuple[float, ...],
    primitive: bool,
) -> Atoms:
    """Expand the sites; kept, since it is most of the cost of an interface cell."""
    return rounded(spacegroup_crystal(symbols, basis, spacegroup=spacegroup, cellpar=cellpar, primitive_cell=primitive))


def _half_cell(primitive: Atoms, a: float) -> Atoms:
    """Make a/√2 x a/√2 x a of a primitive F cell, the lower face `CUT_FRACTION` above a plane of P."""
    # Rows: [1/2 1/2 0], [-1/2 1/2 0] and [0 0 1] of the cubic cell in the primitive vectors [0 1/2 1/2] and
    # so on.
    half: Atoms = make_supercell(primitive, [[0, 0, 1], [1, -1, 0], [1, 1, -1]])
    half.positions[:, 2] -= CUT_FRACTION * a
    # Turns the cell by 45°; without scale_atoms the atoms would stay behind.
    half.set_cell([a / np.sqrt(2), a / np.sqrt(2), a], scale_atoms=True)
    half.wrap()
    return half


def _li_layers(heights: NDArray[np.float64], sides: tuple[float, float], repeat: int) -> Atoms:
    """Stack bcc(100) layers of `repeat` x `repeat` atoms, at 3/4 and 1/4 of the squares in turn.

    With the turns swapped, CHGNet breaks a PS4 of the interface earlier (seed 3: step 49 of a relaxation).
    """
    square = np.array([[i, j] for i in range(repeat) for j in range(repeat)], dtype=np.float64)
    positions = np.concatenate(
        [
            np.column_stack(
                [(square + 0.25 + 0.5 * ((layer + 1) % 2)) * np.array(sides) / repeat, np.full(len(square), height)]
            )
            for layer, height in enumerate(heights)
        ]
    )
    return Atoms("Li" * len(positions), positions=positions, cell=[*sides, heights[-1] + 1.0], pbc=True)


def _require_neutral(atoms: Atoms, *, phosphorus_charge: int = 5, n_metal: int = 0) -> None:
    """Raise if the nominal charges, `n_metal` Li counted as neutral, do not sum to zero."""
    charges = {"Li": 1, "P": phosphorus_charge, "S": -2, "Cl": -1}
    total = sum(charges[symbol] for symbol in atoms.get_chemical_symbols()) - n_metal
    if total != 0:
        raise RuntimeError(f"{atoms.get_chemical_formula()} is not charge neutral: {total:+d}")


def _require_intact(atoms: Atoms) -> None:
    """Raise if a P has not its four nearest neighbours S within 2.6 Å."""
    intact = intact_ps4(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc)
    if not intact.all():
        raise ValueError(
            f"{int((~intact).sum())} of {len(intact)} PS4 are not intact in {atoms.get_chemical_formula()}: "
            "look at the lattice parameter and the length in plane"
        )

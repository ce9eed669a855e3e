"""The plan of a cell: slabs on each other, known to the atom before any atom is made, and made block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.structures.cells import rounded
from aiida_seireact.science.structures.slab import Slab, SlabSpec, strained, supercell, translations_of, wrapped

BLOCK_ATOMS = 100_000
MEAN = "mean"


@dataclass(frozen=True)
class Block:
    """Some atoms of a cell: atomic numbers (n,) and positions (n, 3) in Å, within the cell, rounded to 1e-8 Å."""

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]


@dataclass(frozen=True)
class CellPlan:
    """A stack of slabs along z, periodic in all directions.

    :ivar cell: (3, 3), Å, z along the third vector.
    :ivar slabs: from below.
    :ivar gaps: above each slab, between outermost atoms, Å; the last reaches across the boundary of the cell.
    :ivar origins: height of the lowest atom of each slab, Å, before atoms are wrapped into the cell.
    :ivar report: strain of each slab, area, thicknesses and what else was decided, as JSON.
    """

    cell: NDArray[np.float64]
    slabs: tuple[Slab, ...]
    gaps: tuple[float, ...]
    origins: tuple[float, ...]
    report: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        """Number of atoms of each element, exact, before any atom is made; sorted by symbol."""
        total: dict[str, int] = {}
        for slab in self.slabs:
            for symbol, count in slab.counts.items():
                total[symbol] = total.get(symbol, 0) + count
        return dict(sorted(total.items()))

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.counts.values())

    def blocks(self, max_atoms: int = BLOCK_ATOMS) -> Iterator[Block]:
        """Yield the atoms in canonical order: slab, layer, cell in plane, site.

        :param max_atoms: size of a block; the last one may be smaller. Sizes do not change the order.
        """
        numbers: list[NDArray[np.int64]] = []
        positions: list[NDArray[np.float64]] = []
        held = 0
        for slab, origin in zip(self.slabs, self.origins, strict=True):
            for index in range(slab.spec.layers):
                found, places = slab.layer(index)
                places[:, 2] = wrapped((places[:, 2] + origin) / self.cell[2, 2]) * self.cell[2, 2]
                numbers.append(found)
                positions.append(places)
                held += len(found)
                while held >= max_atoms:
                    joined, where = np.concatenate(numbers), np.concatenate(positions)
                    yield _block(joined[:max_atoms], where[:max_atoms])
                    numbers, positions = [joined[max_atoms:]], [where[max_atoms:]]
                    held -= max_atoms
        if held:
            yield _block(np.concatenate(numbers), np.concatenate(positions))

    def to_ase(self) -> Atoms:
        """Return the cell with all its atoms, for cells that fit into memory."""
        blocks = list(self.blocks())
        return rounded(
            Atoms(
                numbers=np.concatenate([block.numbers for block in blocks]),
                positions=np.concatenate([block.positions for block in blocks]),
                cell=self.cell,
                pbc=True,
            )
        )


def _block(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> Block:
    return Block(numbers.astype(np.int64), positions.round(8) + 0.0)


def plan_cell(
    slabs: Sequence[SlabSpec],
    *,
    gaps_ang: float | Sequence[float],
    lattice_of: str = MEAN,
    centred: str | None = None,
    seed: int = 0,
) -> CellPlan:
    """Plan a stack of slabs.

    :param slabs: from below; a phase may come twice.
    :param gaps_ang: distance along z between the outermost atoms of a slab and the next, Å; one for all, or one above
        each slab, the last across the boundary of the cell (a vacuum, for a free slab).
    :param lattice_of: name of the phase whose in-plane lattice the cell has, so that all others take the mismatch;
        ``mean``: all take it alike.
    :param centred: name of the phase whose first slab stands in the middle of the cell along z; None: the stack begins
        at z = 0.
    :param seed: of everything that is drawn.
    :raises ValueError: in a sentence: no slab, a gap that is not positive, a phase that is not in the stack, a matrix
        that spans nothing.
    """
    if not slabs:
        raise ValueError("a cell has at least one slab")
    gaps = _gaps(gaps_ang, len(slabs))
    names = [spec.name for spec in slabs]
    for name, what in ((lattice_of, "lattice_of"), (centred, "centred")):
        if name not in (None, MEAN, *names):
            raise ValueError(
                f"{what} names {name!r}, which is not in the stack: it has {', '.join(dict.fromkeys(names))}"
            )
    own = [supercell(spec) for spec in slabs]
    chosen = [cell for cell, name in zip(own, names, strict=True) if lattice_of in (MEAN, name)]
    plane = np.mean(chosen, axis=0).round(8) + 0.0
    made = tuple(
        _slab(spec, cell, plane, seed, index) for index, (spec, cell) in enumerate(zip(slabs, own, strict=True))
    )
    origins = np.cumsum([0.0, *(slab.thickness + gap for slab, gap in zip(made, gaps, strict=True))])
    height = float(origins[-1])
    if centred is not None:
        index = names.index(centred)
        origins = origins + height / 2 - made[index].thickness / 2 - origins[index]
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, 2] = plane, round(height, 8)
    report = _report(made, own, plane, gaps, cell, lattice_of, centred, seed)
    return CellPlan(cell, made, tuple(gaps), tuple(float(x) for x in origins[:-1]), report)


def _gaps(gaps_ang: float | Sequence[float], n_slabs: int) -> list[float]:
    gaps = [float(gaps_ang)] * n_slabs if isinstance(gaps_ang, (int, float)) else [float(gap) for gap in gaps_ang]
    if len(gaps) != n_slabs:
        raise ValueError(
            f"{n_slabs} slabs have {n_slabs} gaps, the last across the cell's boundary; {len(gaps)} are given"
        )
    for gap in gaps:
        if not gap > 0:
            raise ValueError(f"a gap is a distance between atoms, above 0 Å, not {gap:g}: 2.0 is usual, 15 a vacuum")
    return gaps


def _slab(spec: SlabSpec, own: NDArray[np.float64], plane: NDArray[np.float64], seed: int, index: int) -> Slab:
    if spec.layers < 1:
        raise ValueError(f"a slab of {spec.name} has at least one layer, not {spec.layers}")
    stretch = float(plane[0, 0] * plane[1, 1] / (own[0, 0] * own[1, 1]))
    spacing = spec.unit.spacing / stretch if spec.keep_volume else spec.unit.spacing
    translations = translations_of(spec.matrix)
    # Each slab draws from a stream of its own, so that a layer more below changes nothing above.
    own_seed = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    occupants = spec.fill(spec.unit, translations, spec.layers, own_seed)
    return Slab(spec, plane, round(spacing, 10), translations, occupants)


def _report(
    slabs: Sequence[Slab],
    own: Sequence[NDArray[np.float64]],
    plane: NDArray[np.float64],
    gaps: Sequence[float],
    cell: NDArray[np.float64],
    lattice_of: str,
    centred: str | None,
    seed: int,
) -> dict[str, Any]:
    """Return what was decided, and what came of it."""
    lengths = np.linalg.norm(plane, axis=1)
    return {
        "lengths_ang": [round(float(x), 8) for x in (*lengths, cell[2, 2])],
        "angle_deg": round(float(np.degrees(np.arctan2(plane[1, 1], plane[1, 0]))), 8),
        "area_ang2": round(float(plane[0, 0] * plane[1, 1]), 8),
        "volume_ang3": round(float(plane[0, 0] * plane[1, 1] * cell[2, 2]), 6),
        "lattice_of": lattice_of,
        "centred": centred,
        "gaps_ang": list(gaps),
        "seed": seed,
        "slabs": [
            {
                "phase": slab.spec.name,
                "hkl": list(slab.spec.unit.hkl),
                "matrix": [[int(x) for x in row] for row in slab.spec.matrix],
                "layers": slab.spec.layers,
                "conventional_cells": round(slab.spec.layers / slab.spec.unit.layers_per_cell, 8),
                "cells_per_layer": len(slab.translations),
                "n_atoms": slab.n_atoms,
                "counts": dict(sorted(slab.counts.items())),
                "charge_e": _charge(slab),
                "thickness_ang": round(slab.thickness, 8),
                "layer_spacing_ang": slab.spacing,
                "layer_spacing_unstrained_ang": round(slab.spec.unit.spacing, 10),
                "keeps_volume": slab.spec.keep_volume,
                **strained(cell_, plane),
            }
            for slab, cell_ in zip(slabs, own, strict=True)
        ],
    }


def _charge(slab: Slab) -> float | None:
    """Return the sum of oxidation states; None where an element's is unknown or differs from site to site."""
    states: dict[str, float] = {}
    for site in slab.spec.unit.charges:
        for symbol, charge in site.items():
            if np.isnan(charge) or states.setdefault(symbol, charge) != charge:
                return None
    return round(sum(states[symbol] * n for symbol, n in slab.counts.items()), 6) + 0.0

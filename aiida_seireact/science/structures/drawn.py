"""What was drawn on a repeated unit cell: one byte a site, read layer by layer or as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.structures.cells import rounded
from aiida_seireact.science.structures.occupancy import Repeat

if TYPE_CHECKING:
    from aiida_seireact.science.structures.disorder import DisorderedCell

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One repetition along the third axis: its atoms, cell by cell (second axis fastest), in the order of the sites.

    :param sites: ``(n,)`` site of the unit cell of each atom.
    :param cells: ``(n, 3)`` unit cell of each atom.
    :param numbers: ``(n,)`` atomic numbers.
    """

    sites: NDArray[np.int64]
    cells: NDArray[np.int64]
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class DrawnCell:
    """What was drawn: for each site of the repeated cell which of its ions it holds, -1 for none.

    :param choice: ``(n1, n2, n3, n_sites)`` index in the ions of the site.
    """

    source: DisorderedCell
    repeat: Repeat
    choice: NDArray[np.int8]
    seed: int
    min_distance_ang: float

    @property
    def n_atoms(self) -> int:
        """Return the number of atoms."""
        return int((self.choice >= 0).sum())

    def layer(self, index: int) -> Layer:
        """Return the atoms of repetition ``index`` of the third axis."""
        chosen = self.choice[:, :, index, :]
        first, second, sites = np.nonzero(chosen >= 0)
        cells = np.stack([first, second, np.full(len(first), index)], axis=1)
        return Layer(sites, cells, self._numbers[sites, chosen[first, second, sites]])

    def layers(self) -> Iterator[Layer]:
        """Yield the layers along the third axis."""
        return (self.layer(index) for index in range(self.repeat[2]))

    def positions(self, layer: Layer, cell: ArrayLike | None = None) -> FloatArray:
        """Return the positions of a layer, ``(n, 3)`` in Å, not wrapped.

        :param cell: ``(3, 3)`` another, strained unit cell than that of the source.
        """
        lattice = self.source.cell if cell is None else np.asarray(cell, dtype=np.float64)
        return np.asarray((layer.cells + self.source.fractional[layer.sites]) @ lattice, dtype=np.float64)

    def to_ase(self) -> Atoms:
        """Return all of it, periodic, wrapped into the cell, layer by layer."""
        layers = list(self.layers())
        atoms = Atoms(
            numbers=np.concatenate([layer.numbers for layer in layers]),
            positions=np.concatenate([self.positions(layer) for layer in layers]),
            cell=self.source.cell * np.array(self.repeat)[:, None],
            pbc=True,
        )
        atoms.wrap()
        return rounded(atoms)

    @cached_property
    def charges(self) -> FloatArray:
        """Return the nominal charge of each atom in e, ``(n_atoms,)``, in the order of `to_ase`."""
        table = self._table([[ion.charge for ion in ions] for ions in self.source.ions])
        parts = [self.choice[:, :, index, :] for index in range(self.repeat[2])]
        found = [table[np.nonzero(part >= 0)[2], part[part >= 0]] for part in parts]
        return np.asarray(np.concatenate(found), dtype=np.float64)

    @cached_property
    def site_charges(self) -> FloatArray:
        """Return the nominal charge on each site of the repeated cell in e, ``(n_cells * n_sites,)``, 0 if empty."""
        table = self._table([[ion.charge for ion in ions] for ions in self.source.ions])
        held = table[np.arange(len(table)), self.choice]
        return np.where(self.choice >= 0, held, 0.0).reshape(-1)

    def report(self) -> dict[str, Any]:
        """Return what was drawn, in numbers: seed, composition, charge, and each sublattice with its targets."""
        n_cells = int(np.prod(self.repeat))
        flat = self.choice.reshape(n_cells, -1)
        parts = []
        for index, part in enumerate(self.source.sublattices):
            chosen = flat[:, self.source.sublattice_of == index]
            drawn = {ion.symbol: int((chosen == k).sum()) for k, ion in enumerate(part.ions)}
            wanted = {ion.symbol: round(n, 4) for ion, n in zip(part.ions, part.targets(n_cells), strict=False)}
            parts.append({"label": part.label, "n_sites": chosen.size, "drawn": drawn, "target": wanted})
        return {
            "seed": self.seed,
            "repeat": list(self.repeat),
            "min_distance_ang": self.min_distance_ang,
            "n_atoms": self.n_atoms,
            "counts": self.source.counts(self.repeat),
            "charge_e": round(float(self.charges.sum()), 6) + 0.0,
            "sublattices": parts,
        }

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        return self._table([[atomic_numbers[ion.symbol] for ion in ions] for ions in self.source.ions]).astype(np.int64)

    @staticmethod
    def _table(rows: Sequence[Sequence[float]]) -> FloatArray:
        """Return rows of unlike lengths as one array, filled up with zeros."""
        table = np.zeros((len(rows), max(len(row) for row in rows)))
        for index, row in enumerate(rows):
            table[index, : len(row)] = row
        return table

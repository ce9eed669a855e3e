"""How the sites of a slab are filled: as they are in an ordered crystal, drawn in a disordered one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray
from pymatgen.core.periodic_table import Species
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.occupancy import Ion
from aiida_seireact.science.structures.orient import Unit
from aiida_seireact.science.structures.slab import Fill, Occupants, ordered


@dataclass(frozen=True)
class Drawn:
    """The occupants of a crystal with partial occupancies, drawn over the whole slab; one byte a site.

    :ivar counts: number of atoms of each element in the whole slab.
    :ivar choice: (layers, n_cells, n_sites), which ion of the site, -1 for none.
    :ivar numbers: (n_sites, most ions of a site), their atomic numbers.
    """

    counts: Mapping[str, int]
    choice: NDArray[np.int8]
    numbers: NDArray[np.int64]

    def layer(self, index: int) -> NDArray[np.int64]:
        chosen = self.choice[index]
        sites = np.broadcast_to(np.arange(chosen.shape[1]), chosen.shape)
        return np.where(chosen >= 0, self.numbers[sites, chosen], 0)


def drawn(min_distance_ang: float, matrix: Sequence[Sequence[int]]) -> Fill:
    """Return what fills a slab: drawn over all of it where the crystal is disordered.

    :param min_distance_ang: see `disorder.DisorderedCell.draw`.
    :param matrix: in-plane supercell of the slab, rows in a1 and a2 of the unit.
    """

    def fill(unit: Unit, translations: NDArray[np.int64], layers: int, seed: int) -> Occupants:
        if unit.is_ordered:
            return ordered(unit, translations, layers, seed)
        ions = tuple(_ions(unit, site) for site in range(unit.n_sites))
        out = np.append(unit.shift @ unit.in_plane, unit.spacing)
        cell = np.zeros((3, 3))
        cell[:2, :2], cell[2] = np.array(matrix) @ unit.in_plane, out
        # One layer of the whole slab is the unit cell, so that a supercell may be of any shape.
        fractional = np.empty((len(translations), unit.n_sites, 3))
        plane = translations[:, None] + unit.frac[None, :, :2]
        fractional[..., :2] = plane @ np.linalg.inv(np.array(matrix, dtype=np.float64))
        fractional[..., 2] = unit.frac[:, 2]
        n_cells = len(translations)
        layer = DisorderedCell(cell, fractional.reshape(-1, 3), unit.labels * n_cells, ions * n_cells)
        repeat = (1, 1, layers)
        choice = layer.draw(seed, repeat, min_distance_ang=min_distance_ang).choice
        numbers = np.zeros((unit.n_sites, max(map(len, ions))), dtype=np.int64)
        for site, of_site in enumerate(ions):
            numbers[site, : len(of_site)] = [atomic_numbers[ion.symbol] for ion in of_site]
        return Drawn(layer.counts(repeat), choice.reshape(layers, n_cells, unit.n_sites), numbers)

    return fill


def _ions(unit: Unit, site: int) -> tuple[Ion, ...]:
    """Return what may sit on a site.

    :raises ValueError: an element without a charge, in which the cell could not be made neutral.
    """
    found = []
    for symbol, share in sorted(unit.occupancy[site].items()):
        charge = unit.charges[site][symbol]
        if charge != charge:
            raise ValueError(f"{symbol} has no charge, and disorder is drawn neutral: give it in charges of the phase")
        found.append(Ion(symbol, charge, share))
    return tuple(found)


def with_occupancies(
    crystal: Structure, occupancies: Mapping[str, Mapping[str, float]], charges: Mapping[str, float]
) -> Structure:
    """Return a crystal with other occupancies and charges.

    :param occupancies: by label of a site, by element; what is missing to 1 is empty.
    :param charges: by element, e; they win over those of the crystal.
    :raises ValueError: a label or an element that the crystal does not have, or that does not exist.
    """
    labels = sorted({str(site.label) for site in crystal})
    unknown = sorted(set(occupancies) - set(labels))
    if unknown:
        raise ValueError(f"no site has the label {', '.join(unknown)}: the labels are {', '.join(labels)}")
    named = {symbol for of in occupancies.values() for symbol in of}
    if foreign := sorted((named | set(charges)) - (set(atomic_numbers) - {"X"})):
        raise ValueError(f"{', '.join(foreign)} is no chemical element")
    known: dict[str, Any] = {}
    for kind in crystal.composition:
        state = getattr(kind, "oxi_state", None)
        known.setdefault(str(getattr(kind, "symbol", kind)), state)
    strange = sorted(set(charges) - set(known) - named)
    if strange:
        raise ValueError(f"a charge is given for {', '.join(strange)}, which the crystal does not hold")
    known.update(charges)
    missing = sorted(named - set(known))
    if missing:
        raise ValueError(f"{', '.join(missing)} is new to the crystal: give its charge too, in charges")
    if not occupancies and not charges:
        return crystal
    contents = []
    for site in crystal:
        own = {str(getattr(kind, "symbol", kind)): float(share) for kind, share in site.species.items()}
        wanted = occupancies.get(str(site.label), own)
        contents.append({Species(symbol, known[symbol]): share for symbol, share in wanted.items() if share > 0})
    return Structure(crystal.lattice, contents, crystal.frac_coords, labels=[str(site.label) for site in crystal])

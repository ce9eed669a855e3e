"""How the sites of a slab are filled: as they are in an ordered crystal, drawn in a disordered one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymatgen.core.periodic_table import Species
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures.slab import Fill, ordered


def drawn(min_distance_ang: float) -> Fill:
    """Return what fills a slab."""
    return ordered


def with_occupancies(
    crystal: Structure, occupancies: Mapping[str, Mapping[str, float]], charges: Mapping[str, float]
) -> Structure:
    """Return a crystal with other occupancies and charges.

    :param occupancies: by label of a site, by element; what is missing to 1 is empty.
    :param charges: by element, e; they win over those of the crystal.
    :raises ValueError: a label or an element that the crystal does not have.
    """
    labels = sorted({str(site.label) for site in crystal})
    unknown = sorted(set(occupancies) - set(labels))
    if unknown:
        raise ValueError(f"no site has the label {', '.join(unknown)}: the labels are {', '.join(labels)}")
    known: dict[str, Any] = {}
    for kind in crystal.composition:
        state = getattr(kind, "oxi_state", None)
        known.setdefault(str(getattr(kind, "symbol", kind)), state)
    strange = sorted(set(charges) - set(known) - {symbol for of in occupancies.values() for symbol in of})
    if strange:
        raise ValueError(f"a charge is given for {', '.join(strange)}, which the crystal does not hold")
    known.update(charges)
    missing = sorted({symbol for of in occupancies.values() for symbol in of} - set(known))
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

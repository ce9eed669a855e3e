"""What is small enough to be made inside the graph, by a calcfunction, which holds up the process that called it."""

from __future__ import annotations

MAX_ATOMS = 100_000
"""Of all frames together: 100 draws of a thousand atoms take a second."""

MAX_EWALD_SITES = 700
"""An Ewald sum over so many sites takes a second: 2 x 2 x 2 argyrodite cells have 608."""

MAX_SMALL_ARRANGEMENTS = 20_000
"""Half as many are sorted into orbits in half a second."""


def refuse_atoms(n_atoms: int) -> None:
    """Refuse frames with too many atoms.

    :raises ValueError: more than `MAX_ATOMS`.
    """
    if n_atoms > MAX_ATOMS:
        raise ValueError(
            f"The frames have {n_atoms:,} atoms together, and up to {MAX_ATOMS:,} are made inside the profile: ask for "
            "fewer or smaller ones, or have one large cell built where it will run, by `seireact.build`."
        )


def refuse_sites(n_sites: int) -> None:
    """Refuse an Ewald sum over too many sites.

    :raises ValueError: more than `MAX_EWALD_SITES`.
    """
    if n_sites > MAX_EWALD_SITES:
        raise ValueError(
            f"The Ewald sum would run over {n_sites:,} sites, and up to {MAX_EWALD_SITES} are summed inside the "
            "profile: rank on files alone, or leave out the ranking; cells that large are built by `seireact.build`."
        )

"""What every builder of cells shares: one way to round, and atoms alone in a box."""

from __future__ import annotations

import numpy as np
from ase import Atoms

ISOLATED_ATOM = "isolated_atom"
ATOM_BOX_ANG = (12.0, 12.1, 12.2)
"""Unlike sides keep an electronic structure method away from a degenerate, symmetric atom."""


def isolated_atom(symbol: str) -> Atoms:
    """Return one atom alone in a box, of the config type that labelling engines compute spin-polarised."""
    atoms = Atoms(symbol, cell=ATOM_BOX_ANG, pbc=True)
    atoms.center()
    atoms.info.update(config_type=ISOLATED_ATOM, group=f"isolated-{symbol}")
    return atoms


def rounded(atoms: Atoms) -> Atoms:
    """Return a periodic copy with positions and cell rounded to 1e-8 Å, bare of everything else.

    Frames are known by the hash of their bytes, and the last bits of a product depend on the processor.
    """
    # Adding zero turns -0.0 into 0.0.
    return Atoms(
        numbers=atoms.numbers,
        positions=atoms.positions.round(8) + 0.0,
        cell=np.asarray(atoms.cell).round(8) + 0.0,
        pbc=True,
    )

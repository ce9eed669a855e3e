"""Polyhedral template matching: bcc, hcp, fcc or other, by OVITO."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.template_limit import RMSD_MAX

STRUCTURES = ("other", "fcc", "hcp", "bcc")
"""What the numbers of :func:`template_matching` mean, in OVITO's order."""

INSTALL_OVITO = (
    'Template matching needs the package ovito: install it with `pip install "aiida-seireact[ovito]"`, or set ptm to '
    "null."
)


class MissingOvitoError(RuntimeError):
    """OVITO is not installed; the message says how to install it."""


def template_matching(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, *, rmsd_max: float = RMSD_MAX
) -> NDArray[np.int8]:
    """Return the structure around each atom, an index into :data:`STRUCTURES`.

    By the modifier of OVITO (P. M. Larsen, S. Schmidt and J. Schiøtz, Model. Simul. Mater. Sci. Eng. 24, 055007
    (2016)), which takes every atom for a neighbour, of whatever element.

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param cell: ``(3, 3)``, rows are lattice vectors; ``pbc``: ``(3,)``.
    :param rmsd_max: largest deviation from a template, over the distance of neighbours; 0 for none.
    :returns: ``(n_atoms,)``.
    :raises MissingOvitoError: OVITO is not installed.
    """
    # Its threads would stand beside our processes.
    os.environ.setdefault("OVITO_THREAD_COUNT", os.environ.get("OMP_NUM_THREADS", "1"))
    try:
        from ovito.data import DataCollection
        from ovito.modifiers import PolyhedralTemplateMatchingModifier
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "ovito":
            raise
        raise MissingOvitoError(INSTALL_OVITO) from None
    places = np.asarray(positions, dtype=np.float64)
    data = DataCollection()
    data.create_particles(count=len(places)).create_property("Position", data=places)
    matrix = np.zeros((3, 4))
    matrix[:, :3] = np.asarray(cell, dtype=np.float64).T
    a, b, c = np.asarray(pbc)
    data.create_cell(matrix, pbc=(bool(a), bool(b), bool(c)))
    data.apply(PolyhedralTemplateMatchingModifier(rmsd_cutoff=rmsd_max))
    return np.asarray(data.particles["Structure Type"], dtype=np.int8)

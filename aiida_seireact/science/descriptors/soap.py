"""The source ``soap``: the smooth overlap of atomic positions, by dscribe."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import DTypeLike, NDArray

from aiida_seireact.science.descriptors.spec import DescriptorSpec, MissingSourceError
from aiida_seireact.science.descriptors.structure import Structure, check_apart
from aiida_seireact.science.descriptors.versions import check_version

INSTALL = "pip install 'aiida-seireact[soap]'"
# Centres a call: dscribe's memory grows as centres times atoms, 4 GB for 8,192 of 21,120 (2.1.2).
CHUNK = 512


def soap_rows(
    structure: Structure, spec: DescriptorSpec, *, dtype: DTypeLike = np.float32, chunk: int = CHUNK
) -> NDArray[Any]:
    """Compute the power spectrum of Gaussian densities (Bartók et al., Phys. Rev. B 87, 184115 (2013)).

    :returns: ``(n_centres, n_features)``.
    :raises DescriptorError: atoms on each other, another version of dscribe than the spec's.
    :raises MissingSourceError: no dscribe.
    """
    try:
        from dscribe.descriptors import SOAP
    except ImportError:
        raise MissingSourceError(f"Descriptors of the source soap need dscribe: `{INSTALL}`.") from None
    check_version(spec)
    check_apart(structure)
    maker = SOAP(
        r_cut=spec.cutoff_ang,
        n_max=spec.n_max,
        l_max=spec.l_max,
        sigma=spec.sigma_ang,
        rbf=spec.radial,
        species=list(spec.species),
        periodic=bool(structure.pbc.any()),
        sparse=False,
    )
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    # dscribe takes images of the cell, not of each atom: one outside the cell would miss neighbours (2.1.2).
    atoms.wrap()
    found = np.empty((len(structure.centres), spec.n_features), dtype=dtype)
    for start in range(0, len(found), chunk):
        some = structure.centres[start : start + chunk]
        found[start : start + chunk] = maker.create(atoms, centers=some.tolist())
    return found

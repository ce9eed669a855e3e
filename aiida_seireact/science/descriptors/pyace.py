"""The source ``pyace``: projections on the ACE basis of python-ace, by its own C++."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import DTypeLike, NDArray

from aiida_seireact.science.descriptors.spec import DescriptorError, DescriptorSpec, MissingSourceError
from aiida_seireact.science.descriptors.structure import Structure, check_apart
from aiida_seireact.science.descriptors.versions import check_version

ABSENT = (
    "Descriptors of the source pyace need python-ace, which is not in this environment (its licence is academic and "
    "non-commercial, so it never comes along): `aiida-seireact setup --with-pyace` shows the licence, makes an "
    "environment for it, and a code seireact-classify-pyace, to be chosen for classification."
)
RADIAL = {"bessel": "SBessel", "chebyshev": "ChebPow"}


def pyace_rows(structure: Structure, spec: DescriptorSpec, *, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Compute B1 and B2 with untrained radial functions (Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021)).

    python-ace knows no centres: all atoms are computed, and those of the centre element kept.

    :returns: ``(n_centres, n_features)``.
    :raises DescriptorError: atoms on each other, periodic along some axes only, another version than the spec's.
    :raises MissingSourceError: no python-ace.
    """
    try:
        from pyace import ACEBBasisSet, ACEBEvaluator, ACECalculator, create_multispecies_basis_config
        from pyace.atomicenvironment import aseatoms_to_atomicenvironment
    except ImportError:  # the package `pyace` of PyPI is one for sound
        raise MissingSourceError(ABSENT) from None
    check_version(spec)
    if structure.pbc.any() and not structure.pbc.all():
        raise DescriptorError("python-ace knows cells that are periodic along all axes or none, not along some.")
    check_apart(structure)
    basis = ACEBBasisSet(create_multispecies_basis_config(_config(spec)))
    # A calculator does not keep its evaluator alive: without this name it reads freed memory (0.4.0rc1).
    evaluator = ACEBEvaluator(basis)
    calculator = ACECalculator(evaluator)
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    calculator.compute(
        aseatoms_to_atomicenvironment(atoms, spec.cutoff_ang, basis.elements_to_index_map), compute_projections=True
    )
    projections = calculator.projections
    found = np.array([projections[centre] for centre in structure.centres.tolist()], dtype=dtype)
    if found.shape[1:] != (spec.n_features,):
        raise DescriptorError(
            f"python-ace {spec.source_version} gives {found.shape[1:]} features where {spec.n_features} are expected: "
            "tell the developers of aiida-seireact."
        )
    return found


def _config(spec: DescriptorSpec) -> dict[str, Any]:
    return {
        "deltaSplineBins": 0.001,
        "elements": sorted(spec.species),  # any other order is refused
        "embeddings": {"ALL": {"npot": "FinnisSinclairShiftedScaled", "fs_parameters": [1, 1], "ndensity": 1}},
        "bonds": {
            "ALL": {
                "radbase": RADIAL[spec.radial or "bessel"],
                "radparameters": [5.25],
                "rcut": spec.cutoff_ang,
                "dcut": 0.01,
                "NameOfCutoffFunction": "cos",
            }
        },
        "functions": {"ALL": {"nradmax_by_orders": [spec.n_max, spec.n_max], "lmax_by_orders": [0, spec.l_max]}},
    }

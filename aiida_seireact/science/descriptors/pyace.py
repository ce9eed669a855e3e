"""The source ``pyace``: projections on the ACE basis of python-ace, by its own C++."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from aiida_seireact.science.descriptors.spec import DescriptorSpec, MissingSourceError
from aiida_seireact.science.descriptors.structure import Structure, find_neighbours
from aiida_seireact.science.descriptors.versions import check_version

ABSENT = (
    "Descriptors of the source pyace need python-ace, which is not in this environment (its licence is academic and "
    "non-commercial, so it never comes along): `aiida-seireact setup --with-pyace` shows the licence, makes an "
    "environment for it, and a code seireact-classify-pyace, to be chosen for classification."
)
RADIAL = {"bessel": "SBessel", "chebyshev": "ChebPow"}
CHUNK = 512


def pyace_rows(
    structure: Structure, spec: DescriptorSpec, *, dtype: DTypeLike = np.float32, chunk: int = CHUNK
) -> NDArray[Any]:
    """Compute B1 and B2 with untrained radial functions (Lysogorskiy et al., npj Comput. Mater. 7, 97 (2021)).

    python-ace would compute all atoms of a cell periodic along all axes or none. So it gets clusters: some centres, and
    each of their neighbours as an atom of its own that has no neighbours.

    :param chunk: centres given to python-ace at a time; bounds the memory of its lists.
    :returns: ``(n_centres, n_features)``.
    :raises DescriptorError: atoms on each other, another version of python-ace than the spec's.
    :raises MissingSourceError: no python-ace or matscipy.
    """
    try:
        from pyace.catomicenvironment import ACEAtomicEnvironment
    except ImportError:  # the package `pyace` of PyPI is one for sound
        raise MissingSourceError(ABSENT) from None
    check_version(spec)
    neighbours = find_neighbours(structure, spec.cutoff_ang)
    basis, _, calculator = tools(spec)
    kinds = np.array([basis.elements_to_index_map[symbol] for symbol in spec.species])[structure.channels]
    found = np.empty((len(structure.centres), spec.n_features), dtype=dtype)
    for start in range(0, len(found), chunk):
        some = structure.centres[start : start + chunk]
        starts, rows = neighbours.rows_of(some)
        of = np.repeat(np.arange(len(some)), np.diff(starts))
        members = np.concatenate([some, neighbours.atoms[rows]])
        cluster = ACEAtomicEnvironment()
        cluster.x = np.concatenate(
            [structure.positions[some], structure.positions[some[of]] + neighbours.vectors[rows]]
        )
        cluster.species_type = kinds[members].tolist()
        # Only forces go there, and must find an atom with neighbours.
        cluster.origins = np.concatenate([np.arange(len(some)), of]).tolist()
        indices = np.arange(len(some), len(members))
        ghosts: list[list[int]] = [[]] * len(rows)
        cluster.neighbour_list = [part.tolist() for part in np.split(indices, starts[1:-1])] + ghosts
        cluster.n_atoms_real, cluster.n_atoms_extended = len(some), len(members)
        calculator.compute(cluster, compute_projections=True)
        found[start : start + chunk] = calculator.projections[: len(some)]
    return found


@lru_cache(maxsize=4)
def tools(spec: DescriptorSpec) -> tuple[Any, Any, Any]:
    """Return basis, evaluator and calculator; kept, since a large basis takes seconds.

    A calculator does not keep its evaluator alive: alone, it reads freed memory (python-ace 0.4.0rc1).
    """
    from pyace import ACEBBasisSet, ACEBEvaluator, ACECalculator, create_multispecies_basis_config

    basis = ACEBBasisSet(create_multispecies_basis_config(_config(spec)))
    evaluator = ACEBEvaluator(basis)
    return basis, evaluator, ACECalculator(evaluator)


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

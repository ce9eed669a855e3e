"""The recorded check of python-ace: run as a module by the Python of its environment; prints one JSON object."""

from __future__ import annotations

import importlib.metadata
import json
import time

import numpy as np

from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.descriptors.pyace import tools
from aiida_seireact.science.structures import argyrodite
from tests.science.descriptors.cells import mixture, rows
from tests.science.descriptors.claims import ALL


def of_its_own_environment(atoms, spec: DescriptorSpec) -> np.ndarray:
    """Return what python-ace says of a cell by its own neighbour list, ``(n_atoms, n_features)``."""
    from pyace.atomicenvironment import aseatoms_to_atomicenvironment

    basis, _, calculator = tools(spec)
    whole = aseatoms_to_atomicenvironment(atoms, spec.cutoff_ang, basis.elements_to_index_map)
    calculator.compute(whole, compute_projections=True)
    return np.array(calculator.projections)


def speed(n_max: int) -> float:
    """Return environments a CPU second on one thread, basis made before."""
    spec = DescriptorSpec(source="pyace", n_max=n_max)
    atoms = argyrodite(seed=3, repeat=(2, 2, 2))
    atoms.rattle(0.05, seed=1)
    rows(atoms, spec)
    start = time.process_time()
    n_environments = len(rows(atoms, spec))
    return n_environments / (time.process_time() - start)


def main() -> None:
    """Check and print."""
    for spec in (
        DescriptorSpec(source="pyace", cutoff_ang=5.0, n_max=3),
        DescriptorSpec(source="pyace", cutoff_ang=5.0, n_max=3, radial="chebyshev"),
    ):
        for claim in ALL:
            claim(spec)
    atoms, spec = mixture(7), DescriptorSpec(source="pyace")
    expected = of_its_own_environment(atoms, spec)[atoms.numbers == 3]
    told = {
        "python-ace": importlib.metadata.version("python-ace"),
        "numpy": importlib.metadata.version("numpy"),
        "claims": [claim.__name__ for claim in ALL],
        "difference": float(np.abs(rows(atoms, spec) - expected).max() / np.abs(expected).max()),
        "environments_per_cpu_s": {"n4 l3": speed(4), "n9 l3": speed(9)},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

"""All pairs at once against one pair at a time, in cells of any shape and size."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.science.analysis import partial_rdf
from aiida_seireact.science.analysis.pair_counts import pair_counts


@pytest.mark.parametrize(
    "cell",
    [
        np.diag([24.0, 19.0, 31.0]),
        np.diag([3.1, 40.0, 7.0]),  # narrower than the reach: an atom meets its own images
        np.array([[9.0, 0, 0], [4.0, 8.5, 0], [-3.5, 2.0, 9.5]]),
        np.array([[0.0, 7, 7], [7, 0, 7], [7, 7, 0]]),  # left-handed
    ],
)
def test_counts_are_those_of_the_distribution_functions(cell: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    n = max(3, int(abs(np.linalg.det(cell)) / 25))
    atoms = Atoms("Li" * n + "S" * (n // 2 + 1), cell=cell, pbc=True)
    atoms.positions = rng.uniform(-2, 2, (len(atoms), 3)) @ cell
    kinds = (atoms.numbers == 16).astype(int)
    counts = pair_counts(atoms.positions, kinds, 2, cell, r_max_ang=8.0, n_bins=37)
    shells = 4 / 3 * np.pi * np.diff(np.linspace(0, 8.0, 38) ** 3)
    for a, first in enumerate((3, 16)):
        for b, second in enumerate((3, 16)):
            g = partial_rdf(
                atoms.positions, atoms.numbers, cell, [True] * 3, (first, second), r_max_ang=8.0, n_bins=37
            )[1]
            amounts = (kinds == a).sum() * (kinds == b).sum()
            assert counts[a, b] * atoms.get_volume() / (amounts * shells) == pytest.approx(g, abs=1e-9)


def test_one_atom_and_a_cell_without_volume() -> None:
    counts = pair_counts([[1e-17, -1e-17, 5.0]], [0], 1, np.eye(3) * 3.0, r_max_ang=3.5, n_bins=7)
    assert counts[0, 0].tolist() == [0, 0, 0, 0, 0, 0, 6]
    with pytest.raises(ValueError, match="cell with a volume"):
        pair_counts([[0, 0, 0]], [0], 1, np.zeros((3, 3)), r_max_ang=3.0, n_bins=3)

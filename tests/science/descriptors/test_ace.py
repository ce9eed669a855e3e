"""The built-in source: known answers, FLARE as the oracle, memory."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.descriptors.ace import ace_rows
from aiida_seireact.science.descriptors.b3 import gaunt_terms
from aiida_seireact.science.descriptors.structure import check_structure
from tests.science.descriptors.cells import mixture, rows

SPEC = DescriptorSpec(cutoff_ang=5.0, n_max=3, l_max=3)


def b2(atoms: Atoms, spec: DescriptorSpec = SPEC) -> np.ndarray:
    return rows(atoms, spec)


def test_two_atoms_by_hand() -> None:
    pair = Atoms("LiS", [[0, 0, 0], [0, 0, 2.0]], cell=[30, 30, 30], pbc=True)
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=2, l_max=1)
    # c[S, n, l, m=0] = T_n(1/2) (2 − 4)² Y_l0(z), so B2[l] = T_n T_n' 16 (2l + 1)/4π.
    expected = np.zeros((4, 4, 2))
    for n, t in enumerate([1.0, 0.5]):
        for m, u in enumerate([1.0, 0.5]):
            expected[2 + n, 2 + m] = t * u * 16 * np.array([1.0, 3.0]) / (4 * np.pi)
    assert b2(pair, spec)[0] == pytest.approx(expected[np.triu_indices(4)].ravel(), rel=1e-6)


def test_neighbour_at_the_cutoff_comes_in_smoothly() -> None:
    def at(distance: float) -> np.ndarray:
        trimer = Atoms("LiSP", [[0, 0, 0], [2, 0, 0], [0, distance, 0]], cell=[30] * 3, pbc=True)
        return b2(trimer)

    assert at(5.001) == pytest.approx(at(4.999), abs=1e-4)
    assert np.abs(at(4.0) - at(5.001)).max() > 1


def test_isolated_centre_has_a_zero_descriptor() -> None:
    assert not b2(Atoms("Li", cell=[30] * 3, pbc=True)).any()


@pytest.mark.parametrize(
    "settings",
    [{}, {"n_max": 9, "cutoff_ang": 6.0}, {"cutoffs_ang": (5.0, 4.0, 4.5, 3.5)}],
)
def test_equal_to_flare(settings: dict) -> None:
    bffs = pytest.importorskip(
        "flare.bffs.sgp._C_flare", reason="the oracle, mir-flare, is not installed", exc_type=ImportError
    )
    spec = DescriptorSpec(**{"cutoff_ang": 5.0, **settings})
    atoms = mixture(4, n=24)
    kinds = [spec.species.index(symbol) for symbol in atoms.symbols]
    cutoffs = np.zeros((4, 4))
    cutoffs[0] = spec.cutoff_of
    theirs = bffs.B2("chebyshev", "quadratic", [0.0, spec.cutoff_ang], [], [4, spec.n_max, spec.l_max], cutoffs)
    structure = bffs.Structure(atoms.cell.array, kinds, atoms.positions, spec.cutoff_ang, [theirs])
    lithium = structure.descriptors[0]
    expected = np.asarray(lithium.descriptors[0])
    order = np.asarray(lithium.atom_indices[0]).astype(int)
    found = rows(atoms, spec)
    assert sorted(order) == np.flatnonzero(atoms.numbers == 3).tolist()
    scale = np.abs(expected).max()
    assert np.abs(found[np.argsort(np.argsort(order))] - expected).max() < 1e-12 * scale


def test_chunks_do_not_matter() -> None:
    atoms = mixture(3)
    spec = DescriptorSpec(cutoff_ang=5.0, n_max=3, b1=True, b3_n_max=1, b3_l_max=2)
    structure = check_structure(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
    assert np.array_equal(ace_rows(structure, spec, chunk=3), ace_rows(structure, spec))


def test_a_cutoff_of_its_own_hides_the_farther_atoms_of_a_species() -> None:
    atoms = Atoms("LiSP", [[0, 0, 0], [3.5, 0, 0], [0, 3.5, 0]], cell=[30] * 3, pbc=True)
    near = rows(atoms, DescriptorSpec(cutoffs_ang=(6.0, 6.0, 3.0, 6.0)))
    assert np.array_equal(near, rows(atoms[[0, 2]], DescriptorSpec()))


def test_b1_is_the_sum_over_the_neighbours_in_front_of_b2() -> None:
    atoms = Atoms("LiSS", [[0, 0, 0], [2.0, 0, 0], [0, 0, 3.0]], cell=[30] * 3, pbc=True)
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=2, l_max=1, b1=True)
    # c[S, n, 0, 0] = Σ T_n(r / 4) (r − 4)² √(1/4π), times r_c² = 16.
    expected = np.array([0, 0, 4.0 + 1.0, 0.5 * 4.0 + 0.75 * 1.0]) * 16 / np.sqrt(4 * np.pi)
    found = rows(atoms, spec)[0]
    assert found[:4] == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(found[4:], rows(atoms, DescriptorSpec(("Li", "S"), 4.0, 2, 1))[0])


def test_b3_tells_apart_what_b2_can_not() -> None:
    """B3 has its length, and is the cube of B1 where nothing has a direction."""
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=2, l_max=2, b1=True, b3_n_max=1)
    atoms = Atoms("LiS", [[0, 0, 0], [2.0, 0, 0]], cell=[30] * 3, pbc=True)
    found = rows(atoms, spec)[0]
    c = found[:4] / 16  # c[s n, 0 0]
    # G(00, 00, 00) = √(1/4π); channels (Li 0, S 0) of n = 0 only.
    expected = np.array([0, 0, 0, c[2] ** 3]) / np.sqrt(4 * np.pi) / 16
    assert found[-4:] == pytest.approx(expected, rel=1e-12)


def test_b3_has_each_product_once() -> None:
    terms = gaunt_terms(4, 2)
    assert len(terms.channels) == DescriptorSpec(b3_n_max=1, b3_l_max=2).n_features - 544
    atoms = mixture(6)
    found = rows(atoms, DescriptorSpec(b3_n_max=1, b3_l_max=2))[:, 544:]
    assert len(np.unique(np.round(found / np.abs(found).max(axis=0), 9), axis=1).T) == found.shape[1]


def test_bessel_functions_vanish_at_the_cutoff_and_are_those_of_the_formula() -> None:
    pair = Atoms("LiS", [[0, 0, 0], [0, 0, 2.0]], cell=[30, 30, 30], pbc=True)
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=2, l_max=0, radial="bessel", b1=True)
    # u = 1/2: the cutoff function is 1/2; √(2/4) sin(n π/2) / 2.
    radial = np.sqrt(0.5) / 2 * np.array([1.0, 0.0]) / 2
    assert rows(pair, spec)[0, 2:4] == pytest.approx(radial / np.sqrt(4 * np.pi), abs=1e-15)


def test_a_large_frame_needs_little_beside_neighbours_and_result() -> None:
    """Chunks: what lives at a time does not grow with the frame. 5,184 atoms, 3,456 Li, n9 l3."""
    import tracemalloc

    cell = 5.71 / 2 * (1 - np.eye(3))
    places = [[0, 0, 0], [0.25] * 3, [0.75] * 3]
    atoms = Atoms("SLi2", scaled_positions=places, cell=cell, pbc=True).repeat((12, 12, 12))
    spec = DescriptorSpec(n_max=9)
    rows(atoms[:3], spec)  # numba's own memory
    tracemalloc.start()
    try:
        found, _ = describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - found.nbytes < 80e6

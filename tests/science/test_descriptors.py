from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, b2_descriptors, mean_descriptors

SPEC = DescriptorSpec(cutoff_ang=5.0, n_max=3, l_max=3)


def mixture(seed: int = 0, n: int = 40, skewed: bool = True) -> Atoms:
    rng = np.random.default_rng(seed)
    cell = np.array([[9.0, 0, 0], [2.0 * skewed, 8.5, 0], [1.0 * skewed, -2.0 * skewed, 9.5]])
    symbols = rng.choice(["Li", "P", "S", "Cl"], size=n, p=[0.5, 0.1, 0.25, 0.15])
    return Atoms(symbols, scaled_positions=rng.random((n, 3)), cell=cell, pbc=True)


def b2(atoms: Atoms, spec: DescriptorSpec = SPEC) -> np.ndarray:
    return b2_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)[0]


def test_length_and_centres() -> None:
    atoms = mixture()
    cell = atoms.cell.array
    found, centres = b2_descriptors(atoms.positions, atoms.numbers, cell, atoms.pbc, DescriptorSpec())
    assert DescriptorSpec().n_features == 544
    assert found.shape == (len(centres), 544)
    assert found.dtype == np.float32
    assert centres.tolist() == [atom.index for atom in atoms if atom.symbol == "Li"]


def test_two_atoms_by_hand() -> None:
    pair = Atoms("LiS", [[0, 0, 0], [0, 0, 2.0]], cell=[30, 30, 30], pbc=True)
    spec = DescriptorSpec(species=("Li", "S"), cutoff_ang=4.0, n_max=2, l_max=1)
    # c[S, n, l, m=0] = T_n(1/2) (2 − 4)² Y_l0(z), so B2[l] = T_n T_n' 16 (2l + 1)/4π.
    expected = np.zeros((4, 4, 2))
    for n, t in enumerate([1.0, 0.5]):
        for m, u in enumerate([1.0, 0.5]):
            expected[2 + n, 2 + m] = t * u * 16 * np.array([1.0, 3.0]) / (4 * np.pi)
    assert b2(pair, spec)[0] == pytest.approx(expected[np.triu_indices(4)].ravel(), rel=1e-6)


def test_rotation_translation_and_wrapping_change_nothing() -> None:
    atoms = mixture(1)
    reference = b2(atoms)
    turned = atoms.copy()
    turned.rotate(73.0, (1, 2, -0.5), rotate_cell=True)
    assert b2(turned) == pytest.approx(reference, rel=1e-5, abs=1e-4)
    moved = atoms.copy()
    moved.positions += [3.3, -20.0, 7.7]
    moved.positions += np.random.default_rng(0).integers(-3, 4, size=(len(atoms), 3)) @ atoms.cell.array
    assert b2(moved) == pytest.approx(reference, rel=1e-5, abs=1e-4)


def test_permutation_permutes_the_rows() -> None:
    atoms = mixture(2)
    order = np.random.default_rng(1).permutation(len(atoms))
    lithium = np.cumsum(atoms.numbers == 3) - 1
    rows = [lithium[index] for index in order if atoms.numbers[index] == 3]
    assert b2(atoms[order]) == pytest.approx(b2(atoms)[rows], rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("repeats", [(2, 1, 1), (1, 3, 2)])
def test_supercell_repeats_the_rows(repeats: tuple[int, int, int]) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.13)  # primitive: the cutoff reaches over several images
    atoms.symbols = "LiCl"
    expected = b2(atoms)
    found = b2(atoms.repeat(repeats))
    assert len(found) == np.prod(repeats)
    assert found == pytest.approx(np.repeat(expected, len(found), axis=0), rel=1e-5, abs=1e-4)


def test_neighbour_at_the_cutoff_comes_in_smoothly() -> None:
    def at(distance: float) -> np.ndarray:
        trimer = Atoms("LiSP", [[0, 0, 0], [2, 0, 0], [0, distance, 0]], cell=[30] * 3, pbc=True)
        return b2(trimer)

    assert at(5.001) == pytest.approx(at(4.999), abs=1e-4)
    assert np.abs(at(4.0) - at(5.001)).max() > 1


def test_isolated_centre_has_a_zero_descriptor() -> None:
    assert not b2(Atoms("Li", cell=[30] * 3, pbc=True)).any()


def test_open_boundaries_see_no_images() -> None:
    atoms = Atoms("LiS", [[0.5, 0, 0], [-1.5, 0, 0]])
    periodic = Atoms("LiS", [[0.5, 0, 0], [-1.5, 0, 0]], cell=[40] * 3, pbc=True)
    assert b2(atoms) == pytest.approx(b2(periodic), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"species": ("Li", "S")}, "holds Cl, P, but the descriptors know only Li, S"),
        ({"species": ("Li", "P", "S", "Cl", "Mg"), "centre": "Mg"}, "holds no Mg"),
    ],
)
def test_structure_that_does_not_fit_the_spec_is_refused(change: dict, sentence: str) -> None:
    with pytest.raises(DescriptorError, match=sentence):
        b2(mixture(), DescriptorSpec(**change))


def test_nan_and_coinciding_atoms_are_refused() -> None:
    atoms = mixture()
    atoms.positions[7, 1] = np.nan
    with pytest.raises(DescriptorError, match="NaN"):
        b2(atoms)
    twins = mixture()
    twins.positions[1] = twins.positions[0]
    with pytest.raises(DescriptorError, match="lie on each other"):
        b2(twins)


@pytest.mark.parametrize(
    "wrong",
    [{"species": ("Li", "Li")}, {"species": ("Li", "Xy")}, {"centre": "Na"}, {"l_max": 4}, {"n_max": 0}],
)
def test_impossible_specs_are_refused(wrong: dict) -> None:
    with pytest.raises(DescriptorError):
        DescriptorSpec(**wrong)


def test_hash_tells_specs_apart() -> None:
    assert DescriptorSpec().content_hash == DescriptorSpec().content_hash
    assert DescriptorSpec().content_hash != DescriptorSpec(n_max=9).content_hash


@pytest.mark.parametrize("settings", [{"n_max": 4}, {"n_max": 9, "cutoff_ang": 6.0}])
def test_equal_to_flare(settings: dict) -> None:
    bffs = pytest.importorskip(
        "flare.bffs.sgp._C_flare", reason="the oracle, mir-flare, is not installed", exc_type=ImportError
    )
    spec = DescriptorSpec(**{"cutoff_ang": 5.0, "l_max": 3, **settings})
    atoms = mixture(4, n=24)
    numbers = {3: 0, 15: 1, 16: 2, 17: 3}
    cutoffs = np.full((4, 4), spec.cutoff_ang)
    theirs = bffs.B2("chebyshev", "quadratic", [0.0, spec.cutoff_ang], [], [4, spec.n_max, spec.l_max], cutoffs)
    kinds = [numbers[number] for number in atoms.numbers]
    structure = bffs.Structure(atoms.cell.array, kinds, atoms.positions, spec.cutoff_ang, [theirs])
    lithium = structure.descriptors[0]
    expected = np.asarray(lithium.descriptors[0])
    rows = np.asarray(lithium.atom_indices[0]).astype(int)
    found, centres = b2_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
    assert sorted(rows) == centres.tolist()
    scale = np.abs(expected).max()
    assert np.abs(found[np.argsort(np.argsort(rows))] - expected).max() < 1e-6 * scale  # float32 here


def test_mean_descriptors_have_a_row_for_each_species_whatever_the_size_of_the_cell() -> None:
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    atoms.rattle(0.1, seed=0)
    spec = DescriptorSpec(species=("Li", "S", "Cl"), centre="S", cutoff_ang=5.0, n_max=3, l_max=2)

    def means(atoms: Atoms) -> np.ndarray:
        return mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)

    found = means(atoms)
    assert found.shape == (3, spec.n_features)
    assert (found[1] == 0).all()
    own = b2(atoms, replace(spec, centre="Cl"))
    np.testing.assert_allclose(found[2], own.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(means(atoms.repeat((2, 1, 1))), found, rtol=1e-5)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator, SparseGPError, standard_deviations

MakeGP = Callable[..., SparseGP]


def crystal(seed: int = 0, *, amplitude: float = 0.15, strain: float = 0.03) -> Atoms:
    """A sheared, rattled fcc cell of sixteen atoms of four species."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ar", "fcc", a=3.9, cubic=True) * (2, 2, 1)
    atoms.set_chemical_symbols([("Li", "P", "S", "Cl")[index % 4] for index in range(16)])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, strain, (3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0, amplitude, (16, 3))
    return atoms


def predicted(gp: SparseGP, atoms: Atoms) -> dict:
    calculator = SparseGPCalculator(gp)
    calculator.calculate(atoms)
    return calculator.results


def energy(gp: SparseGP, atoms: Atoms, *, positions: np.ndarray | None = None, cell: np.ndarray | None = None) -> float:
    moved = atoms.copy()
    if cell is not None:
        moved.set_cell(cell, scale_atoms=True)
    if positions is not None:
        moved.positions = positions
    return predicted(gp, moved)["energy"]


def test_one_neighbour_by_hand() -> None:
    # With n_max 1 and l_max 0 the descriptor of either atom has one number that is not zero, so it is a unit vector:
    # each kernel is sigma², each energy sigma² alpha, and each variance sigma² − sigma⁴ / (sigma² + jitter).
    pair = Atoms("LiS", [[0, 0, 0], [0, 0, 2.0]], cell=[20] * 3, pbc=True)
    to_li, to_s = np.array([[1.0, 0, 0]]), np.array([[0, 0, 1.0]])
    gp = SparseGP(
        species=("Li", "S"),
        cutoff_ang=4.0,
        n_max=1,
        l_max=0,
        power=2,
        sigma=2.0,
        noises=(1.0, 1.0, 1.0),
        jitter=1.0,
        energies_ev=np.array([-3.0, -5.0]),
        descriptors=(to_s, to_li),
        alpha=(np.array([0.25]), np.array([0.5])),
        inverse_cholesky=(np.array([[5**-0.5]]), np.array([[5**-0.5]])),
        frame_ids=("x",),
        sparse_atoms=((0, 1),),
        settings_hash="",
    )
    found = predicted(gp, pair)
    assert found["energy"] == pytest.approx(-3 - 5 + 4 * 0.25 + 4 * 0.5)
    assert found["free_energy"] == found["energy"]
    assert found["forces"] == pytest.approx(np.zeros((2, 3)), abs=1e-12)
    assert found["stds"] == pytest.approx(np.sqrt([0.2, 0.2]))
    assert found["neighbours"].tolist() == [1, 1]
    # A neighbour of the other kind has a descriptor at right angles to all that is known.
    assert predicted(gp, Atoms("Li2", pair.positions, cell=[20] * 3, pbc=True))["stds"] == pytest.approx([1, 1])


@pytest.mark.parametrize(("l_max", "n_max", "power"), [(0, 1, 1), (1, 2, 2), (2, 3, 2), (3, 3, 3)])
def test_forces_are_the_slope_of_the_energy(sparse_gp: MakeGP, l_max: int, n_max: int, power: int) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0), l_max=l_max, n_max=n_max, power=power)
    forces, step = predicted(gp, atoms)["forces"], 1e-4
    assert np.abs(forces).max() > 0.01
    for atom, axis in [(0, 0), (5, 1), (11, 2)]:
        shift = np.zeros((16, 3))
        shift[atom, axis] = step
        ahead, behind = (energy(gp, atoms, positions=atoms.positions + sign * shift) for sign in (1, -1))
        assert forces[atom, axis] == pytest.approx((behind - ahead) / (2 * step), abs=1e-6)
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)


def test_stress_is_the_slope_of_the_energy_by_strain(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    stress, step = predicted(gp, atoms)["stress"], 1e-5
    for number, (row, column) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[row, column] += step / 2
        strain[column, row] += step / 2
        ahead, behind = (energy(gp, atoms, cell=atoms.cell.array @ (np.eye(3) + s * strain)) for s in (1, -1))
        slope = (ahead - behind) / (2 * step * atoms.get_volume())
        assert stress[number] == pytest.approx(slope, abs=1e-8)


def test_rotation_turns_forces_and_stress(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    before = predicted(gp, atoms)
    turned = atoms.copy()
    turned.rotate(73.0, (1, 2, -0.5), rotate_cell=True)
    after = predicted(gp, turned)
    rotation = np.linalg.solve(atoms.cell.array, turned.cell.array)
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-10)
    assert after["stds"] == pytest.approx(before["stds"], abs=1e-9)
    assert after["forces"] == pytest.approx(before["forces"] @ rotation, abs=1e-10)
    full = before["stress"][[[0, 5, 4], [5, 1, 3], [4, 3, 2]]]
    assert after["stress"][[[0, 5, 4], [5, 1, 3], [4, 3, 2]]] == pytest.approx(rotation.T @ full @ rotation, abs=1e-12)


def test_order_and_images_of_atoms_do_not_matter(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    before = predicted(gp, atoms)
    rng = np.random.default_rng(0)
    order = rng.permutation(16)
    moved = atoms[order]
    moved.positions += rng.integers(-3, 4, (16, 3)) @ atoms.cell.array + [0.3, -8.0, 1.1]
    after = predicted(gp, moved)
    assert after["energy"] == pytest.approx(before["energy"], abs=1e-10)
    assert after["forces"] == pytest.approx(before["forces"][order], abs=1e-10)
    assert after["stress"] == pytest.approx(before["stress"], abs=1e-12)
    assert after["stds"] == pytest.approx(before["stds"][order], abs=1e-9)


def test_a_supercell_has_the_energy_of_its_cells(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    single, double = predicted(gp, atoms), predicted(gp, atoms.repeat((1, 2, 1)))
    assert double["energy"] == pytest.approx(2 * single["energy"], abs=1e-9)
    assert double["forces"] == pytest.approx(np.tile(single["forces"], (2, 1)), abs=1e-10)
    assert double["stress"] == pytest.approx(single["stress"], abs=1e-12)


def test_what_is_known_is_certain_and_what_is_new_is_not(sparse_gp: MakeGP) -> None:
    known = crystal(0)
    gp = sparse_gp(known)
    # √(jitter / sigma²) ≈ 7e-5, and descriptors that went through single precision.
    assert standard_deviations(gp, known) == pytest.approx(np.zeros(16), abs=2e-3)
    near, far = crystal(0, amplitude=0.16), crystal(5, amplitude=0.5)
    assert 0 < standard_deviations(gp, near).max() < standard_deviations(gp, far).max() < 1


def test_a_species_without_sparse_environments_is_unknown(sparse_gp: MakeGP) -> None:
    atoms = crystal(0)
    chlorine = atoms.numbers == 17
    deviations = predicted(sparse_gp(atoms[~chlorine]), atoms)["stds"]
    assert deviations[chlorine].tolist() == [1.0] * 4
    assert deviations[~chlorine].max() < 1


@pytest.mark.parametrize("chunk", [1, 5, 16, 100])
def test_deviations_alone_are_those_of_the_calculator(sparse_gp: MakeGP, chunk: int) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    assert standard_deviations(gp, atoms, chunk=chunk) == pytest.approx(predicted(gp, atoms)["stds"], abs=1e-10)


def test_an_isolated_atom_is_unknown_and_feels_nothing(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    atoms.center(vacuum=6.0)
    before = predicted(gp, atoms)
    alone = atoms + Atoms("S", [atoms.cell.array.sum(axis=0) * 0.999])
    after = predicted(gp, alone)
    assert after["neighbours"][-1] == 0
    assert after["stds"][-1] == 1.0
    assert after["forces"][-1].tolist() == [0, 0, 0]
    assert after["energy"] == pytest.approx(before["energy"] + gp.energies_ev[2], abs=1e-10)
    assert after["forces"][:-1] == pytest.approx(before["forces"], abs=1e-12)
    assert standard_deviations(gp, Atoms("Li", cell=[20] * 3, pbc=True)).tolist() == [1.0]
    assert predicted(gp, Atoms("Li", cell=[20] * 3, pbc=True))["forces"].tolist() == [[0, 0, 0]]


def test_open_boundaries_see_no_images_and_have_no_stress(sparse_gp: MakeGP) -> None:
    gp = sparse_gp(crystal(0))
    cluster = Atoms("LiPS", [[0, 0, 0], [2.2, 0, 0], [0, 2.0, 1.0]])
    inside = cluster.copy()
    inside.set_cell([30] * 3)
    inside.pbc = True
    found, expected = predicted(gp, cluster), predicted(gp, inside)
    assert found["forces"] == pytest.approx(expected["forces"], abs=1e-12)
    assert "stress" not in found


def test_the_same_structure_gives_the_same_bits(sparse_gp: MakeGP) -> None:
    atoms, gp = crystal(1), sparse_gp(crystal(0))
    first, second = predicted(gp, atoms), predicted(gp, atoms)
    assert first["energy"] == second["energy"]
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_torch_keeps_its_default_precision(precision: str, sparse_gp: MakeGP) -> None:
    import torch

    # Other programs of ours, run by other tests in this process, set a default of their own.
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, precision))
    try:
        predicted(sparse_gp(crystal(0)), crystal(1))
        assert torch.get_default_dtype() == getattr(torch, precision)
    finally:
        torch.set_default_dtype(before)


def test_one_evaluation_gives_everything(sparse_gp: MakeGP, monkeypatch: pytest.MonkeyPatch) -> None:
    atoms, calls = crystal(1), []
    atoms.calc = SparseGPCalculator(sparse_gp(crystal(0)))
    calculate = SparseGPCalculator.calculate
    monkeypatch.setattr(SparseGPCalculator, "calculate", lambda self, *args: [calls.append(1), calculate(self, *args)])
    atoms.get_forces(), atoms.get_stress(), atoms.get_potential_energy(), atoms.calc.get_property("stds", atoms)
    assert len(calls) == 1


@pytest.mark.parametrize("predict", [predicted, standard_deviations])
def test_structures_without_a_prediction_are_refused(sparse_gp: MakeGP, predict: Callable) -> None:
    gp = sparse_gp(crystal(0))
    foreign, broken, twins = crystal(1), crystal(1), crystal(1)
    foreign.symbols[3] = "O"
    broken.positions[7, 1] = np.nan
    twins.positions[1] = twins.positions[0] + twins.cell.array[0]
    with pytest.raises(SparseGPError, match="holds O, but the Gaussian process knows only Li, P, S, Cl"):
        predict(gp, foreign)
    with pytest.raises(SparseGPError, match="NaN"):
        predict(gp, broken)
    with pytest.raises(SparseGPError, match="Atoms 0 and 1 lie on each other"):
        predict(gp, twins)


def test_hash_follows_the_numbers_and_not_the_names(sparse_gp: MakeGP) -> None:
    gp = sparse_gp(crystal(0))
    assert gp.n_sparse == 16
    assert gp.content_hash == sparse_gp(crystal(0)).content_hash
    assert gp.content_hash == replace(gp, frame_ids=("other",)).content_hash
    assert gp.content_hash != sparse_gp(crystal(0), seed=1).content_hash
    assert gp.content_hash != replace(gp, sigma=1.6).content_hash
    nudged = gp.energies_ev.copy()
    nudged[0] = np.nextafter(nudged[0], 0)
    assert gp.content_hash != replace(gp, energies_ev=nudged).content_hash


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"species": ("Li", "Li", "S", "Cl")}, "different element symbols"),
        ({"species": ("Li", "S", "Cl")}, "energies_ev must be float64"),
        ({"l_max": 4}, "l_max 0 to 3"),
        ({"n_max": 2}, "descriptors must be float64 of the shapes"),
        ({"sigma": 0.0}, "must be positive"),
        ({"noises": (0.5, np.nan, 0.1)}, "must be positive"),
        ({"energies_ev": np.full(4, np.nan)}, "energies_ev holds NaN"),
        ({"energies_ev": np.zeros(4, dtype=np.float32)}, "float64"),
        ({"frame_ids": ("a", "b")}, "each frame is learned once"),
        ({"sparse_atoms": ((0, 1),)}, "16 sparse environments, but the frames give 2"),
        ({"alpha": (np.zeros(4),)}, "alpha must be float64 of the shapes"),
    ],
)
def test_numbers_that_are_no_process_are_refused(sparse_gp: MakeGP, change: dict, sentence: str) -> None:
    with pytest.raises(SparseGPError, match=sentence):
        replace(sparse_gp(crystal(0)), **change)

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry.rdf import get_rdf
from ase.neighborlist import neighbor_list

from aiida_seireact.science import analysis

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def ps4_at(places: np.ndarray, bond: float = 2.05, cell: object = 20.0, elements: str = "SSSS") -> Atoms:
    """PS4 units on given places."""
    atoms = Atoms(cell=[cell] * 3 if isinstance(cell, float) else cell, pbc=True)
    for place in np.atleast_2d(places):
        atoms += Atoms(f"P{elements}", np.vstack([place, place + bond * TETRAHEDRON]))
    return atoms


def intact(atoms: Atoms, **kwargs: float) -> np.ndarray:
    return analysis.intact_ps4(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, **kwargs)


def test_tetrahedron_is_intact_wherever_the_boundary_cuts_it() -> None:
    for place in ([10, 10, 10], [0, 0, 0], [19.9, 0.1, 10], [-31, 57, 3]):
        assert intact(ps4_at(place)).tolist() == [True]


def test_stretched_bond_missing_sulfur_and_foreign_neighbour_are_not_intact() -> None:
    stretched = ps4_at([5, 5, 5])
    stretched.positions[1] += 0.56 * TETRAHEDRON[0]  # 2.61 Å
    assert intact(stretched).tolist() == [False]
    assert intact(stretched, cutoff_ang=2.62).tolist() == [True]
    assert intact(ps4_at([5, 5, 5])[:4]).tolist() == [False]
    foreign = ps4_at([5, 5, 5]) + Atoms("Li", [[5, 5, 3.3]])
    assert intact(foreign).tolist() == [False]


def test_answers_are_in_the_order_of_the_phosphorus_atoms() -> None:
    atoms = ps4_at([[3, 3, 3], [10, 10, 10], [16, 3, 10]])
    atoms.positions[6] += 1.0
    assert intact(atoms).tolist() == [True, False, True]
    assert intact(Atoms("Li2", positions=[[0, 0, 0], [3, 0, 0]], cell=[9, 9, 9], pbc=True)).shape == (0,)


def test_intact_agrees_with_ase_neighbour_list_in_a_skewed_cell() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[7.0, 0, 0], [3.0, 6.5, 0], [-2.5, 1.0, 7.5]])
    verdicts = []
    for _ in range(40):
        atoms = ps4_at(rng.random(3) @ cell * 3 - 5, cell=cell)
        atoms.positions += rng.normal(scale=0.25, size=(5, 3))
        atoms.positions += rng.integers(-2, 3, size=(5, 3)) @ cell
        expected = sum(1 for i in neighbor_list("i", atoms, 2.6) if i == 0) >= 4
        verdicts.append(expected)
        assert intact(atoms).tolist() == [expected]
    assert 5 < sum(verdicts) < 40


def rdf(atoms: Atoms, pair: tuple[int, int], **kwargs: object) -> tuple[np.ndarray, np.ndarray]:
    return analysis.partial_rdf(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, pair, **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lattice", "shells", "members"),
    [("bcc", [np.sqrt(3) / 2, 1.0], [8, 6]), ("fcc", [np.sqrt(0.5), 1.0], [12, 6])],
)
def test_first_shells_of_crystals(lattice: str, shells: list[float], members: list[int]) -> None:
    a = 4.0
    crystal = bulk("Li", lattice, a=a)  # primitive: one atom, all neighbours are its images
    r, g = rdf(crystal, (3, 3), r_max_ang=4.5, n_bins=450)
    edges = np.linspace(0, 4.5, 451)
    shell_volume = 4 / 3 * np.pi * np.diff(edges**3)
    counts = g * shell_volume / crystal.get_volume()
    filled = np.flatnonzero(counts > 1e-9)
    assert r[filled] == pytest.approx(np.array(shells) * a, abs=0.01)
    assert counts[filled] == pytest.approx(members, abs=1e-9)
    assert np.allclose(rdf(crystal.repeat((2, 3, 1)), (3, 3), r_max_ang=4.5, n_bins=450)[1], g)


def test_ideal_gas_has_g_of_one_also_between_species() -> None:
    rng = np.random.default_rng(0)
    cell = np.array([[20.0, 0, 0], [5, 18, 0], [2, 3, 22]])
    gas = Atoms("Li2000S2000", scaled_positions=rng.random((4000, 3)), cell=cell, pbc=True)
    for pair in ((3, 3), (3, 16)):
        _, g = rdf(gas, pair, r_max_ang=8.0, n_bins=16)
        assert g[6:] == pytest.approx(1.0, abs=0.02)  # 60,000 pairs in the thinnest of these shells: 0.4 %


def test_rdf_agrees_with_ase() -> None:
    rng = np.random.default_rng(1)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True).repeat(3)
    atoms.positions += rng.normal(scale=0.2, size=atoms.positions.shape)
    ours = rdf(atoms, (11, 17), r_max_ang=8.0, n_bins=80)[1]
    theirs = get_rdf(atoms, 8.0, 80, elements=(11, 17), no_dists=True)
    # ASE takes the thin shell 4πr²dr at the bin's centre, we its exact volume.
    assert ours[20:] == pytest.approx(theirs[20:], rel=2e-3)


def test_rdf_refuses_what_has_no_answer() -> None:
    atoms = bulk("Li", "bcc", a=3.4)
    with pytest.raises(ValueError, match="atomic number 16"):
        rdf(atoms, (3, 16))
    atoms.pbc = False
    with pytest.raises(ValueError, match="periodic in all directions"):
        rdf(atoms, (3, 3))


def test_pairs_from_the_centres_of_one_label_only() -> None:
    crystal = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * 3
    everything = rdf(crystal, (11, 17), n_bins=159)[1]
    # In a crystal all sites are alike: any subset sees the same, also given as a mask with atoms of the other element.
    assert rdf(crystal, (11, 17), n_bins=159, centres=np.arange(5))[1] == pytest.approx(everything)
    assert rdf(crystal, (11, 17), n_bins=159, centres=np.arange(len(crystal)) < 40)[1] == pytest.approx(everything)
    with pytest.raises(ValueError, match="None of the centres given is of atomic number 11"):
        rdf(crystal, (11, 17), n_bins=159, centres=np.flatnonzero(crystal.numbers == 17))


def direct_msd(paths: np.ndarray) -> np.ndarray:
    n_frames = len(paths)
    out = np.zeros((n_frames, 3))
    for lag in range(1, n_frames):
        out[lag] = np.mean([(paths[t + lag] - paths[t]) ** 2 for t in range(n_frames - lag)], axis=(0, 1))
    return out


def test_msd_equals_the_double_loop_far_from_the_origin() -> None:
    rng = np.random.default_rng(5)
    paths = np.cumsum(rng.normal(scale=[0.1, 0.2, 0.3], size=(37, 11, 3)), axis=0) + 1e4
    ours = analysis.mean_squared_displacement(paths, chunk=4)
    assert ours == pytest.approx(direct_msd(paths), rel=1e-9, abs=1e-9)


def test_ballistic_msd_is_quadratic_and_drift_removal_takes_it_away() -> None:
    velocity = np.array([0.3, 0.0, -0.1])
    paths = np.arange(20.0)[:, None, None] * velocity + np.zeros((20, 6, 3))
    lags = np.arange(20.0)[:, None]
    assert analysis.mean_squared_displacement(paths) == pytest.approx((lags * velocity) ** 2, abs=1e-9)
    drift = analysis.centre_of_mass_path(paths, np.ones(6))
    assert analysis.mean_squared_displacement(paths, drift=drift) == pytest.approx(0.0, abs=1e-12)


def test_msd_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="expected"):
        analysis.mean_squared_displacement(np.zeros((5, 3)))


def test_profile_counts_each_atom_once() -> None:
    profile = analysis.profile_along_z([0.0, 0.1, 0.49999, 0.5, 0.99999], [0, 1, 1, 0, 1], 2, 2)
    assert profile.tolist() == [[1, 1], [2, 1]]


def test_z_fractions_are_wrapped_and_follow_the_origin() -> None:
    cell = np.array([[5.0, 0, 0], [0, 5, 0], [1, 0, 10]])
    z = analysis.z_fractions([[0, 0, 1], [0, 0, -1], [0, 0, -1e-18], [0, 0, 21]], cell)
    assert z == pytest.approx([0.1, 0.9, 0.0, 0.1])
    assert (z < 1).all()
    assert analysis.z_fractions([[0, 0, -4]], cell, origin=[0, 0, -5]) == pytest.approx([0.1])
    assert analysis.height_along_z(cell) == pytest.approx(10.0)


def layered(shift: float) -> Atoms:
    """Li | S at 10, PS4 at 15 and 25, Cl at 31 | Li in a cell of 40 Å."""
    atoms = ps4_at([[10, 10, 15.0], [10, 10, 25.0]], cell=np.diag([20.0, 20.0, 40.0]))
    atoms += Atoms("SCl", [[3, 3, 10.0], [3, 3, 31.0]])
    atoms += Atoms("Li4", [[0, 0, 0], [0, 0, 2.5], [0, 0, 5], [0, 0, 37.0]])
    atoms.positions[:, 2] += shift
    return atoms


@pytest.mark.parametrize("shift", [0.0, 12.0, 20.0, 29.9, -71.0])
def test_outermost_thickness_does_not_depend_on_where_the_cell_is_cut(shift: float) -> None:
    atoms = layered(shift)
    got = analysis.thickness_to_outermost(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    assert got is not None
    assert (got.lower_ang, got.upper_ang) == pytest.approx((5.0, 6.0))


def test_outermost_thickness_ends_with_the_last_ps4_and_with_the_metal() -> None:
    atoms = layered(0.0)
    arguments = (atoms.numbers, atoms.cell.array, atoms.pbc)
    assert analysis.thickness_to_outermost(atoms.positions, *arguments, min_metal_ang=20.0) is None
    assert analysis.thickness_to_outermost(atoms.positions, *arguments, cutoff_ang=2.0) is None


def test_profile_thickness_counts_slabs_filled_by_neither() -> None:
    #        metal 0, electrolyte 1, other 2; the last slab is empty
    profile = np.array([[9, 3, 0, 0, 5, 0], [0, 2, 1, 8, 0, 0], [1, 5, 9, 2, 6, 0]])
    rows = {"metal": 0, "electrolyte": 1}
    assert analysis.thickness_of_profile(profile, 60.0, **rows) == pytest.approx(20.0)
    assert analysis.thickness_of_profile(profile, 60.0, **rows, threshold=0.4) == pytest.approx(30.0)


def test_sides_of_the_profile_add_up_wherever_the_cell_is_cut() -> None:
    #                  metal 0            electrolyte 1       interphase 2; 12 slabs of 1 Å
    kinds = np.array([0, 0, 2, 2, 1, 1, 1, 1, 2, 2, 2, 0])
    profile = (np.arange(3)[:, None] == kinds).astype(int) * 5
    rows = {"metal": 0, "electrolyte": 1}
    for shift in range(12):
        sides = analysis.sides_of_profile(np.roll(profile, shift, axis=1), 12.0, **rows)
        assert sides is not None
        assert (sides.lower_ang, sides.upper_ang) == pytest.approx((2.0, 3.0))
        assert analysis.thickness_of_profile(np.roll(profile, shift, axis=1), 12.0, **rows) == pytest.approx(5.0)
    # All electrolyte is gone: nine slabs of interphase are cut in their middle.
    gone = np.where(profile[1:2] > 0, 0, profile) + (np.arange(3)[:, None] == 2) * profile[1]
    for shift in range(12):
        sides = analysis.sides_of_profile(np.roll(gone, shift, axis=1), 12.0, **rows)
        assert sides is not None
        assert (sides.lower_ang, sides.upper_ang) == pytest.approx((4.5, 4.5))
    assert analysis.sides_of_profile(profile[:, 2:11], 9.0, **rows) is None


def test_ends_of_the_intact_block_wherever_the_cell_is_cut() -> None:
    for shift in (0.0, 10.0, 17.0, 33.0):
        boundary = analysis.ps4_boundary((np.array([15.0, 20.0, 26.0]) + shift) % 40.0, 40.0)
        assert boundary is not None
        assert boundary.lower_ang == pytest.approx((15.0 + shift) % 40.0)
        assert boundary.upper_ang == pytest.approx((26.0 + shift) % 40.0)
    assert analysis.ps4_boundary([], 40.0) is None
    assert analysis.ps4_boundary([7.0], 40.0) == analysis.ps4.Boundary(7.0, 7.0)

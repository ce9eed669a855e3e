"""Work of adhesion from three labelled frames: known energies, and slabs that were cut out of what joins them."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, make_supercell
from ase.calculators.emt import EMT

from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.programs._adhesion import adhesion_of, joined_and_slabs, three_of
from aiida_seireact.science.analysis.slabs_apart import cut_apart


def labelled(frames: Frames, settings_hash: str = "emt") -> Frames:
    """The frames with energies and forces of EMT."""
    images = list(frames.iter_atoms())
    for atoms in images:
        atoms.calc = EMT()
        atoms.get_forces()
    return Frames.from_atoms(images, settings_hash=settings_hash)


def copper(vacuum: float) -> Atoms:
    """Eight layers of Cu(111), periodic or with vacuum."""
    if vacuum:
        atoms = fcc111("Cu", (1, 1, 8), vacuum=vacuum / 2)
    else:
        atoms = fcc111("Cu", (1, 1, 9))
        spacing = np.diff(np.sort(atoms.positions[:, 2]))[0]
        # Nine layers are a whole number of ABC.
        atoms.set_cell([*atoms.cell.array[:2], [0, 0, 9 * spacing]])
    atoms.pbc = True
    return atoms


def test_cleaving_a_periodic_crystal_and_a_slab_costs_the_same_for_each_interface() -> None:
    found = {}
    for vacuum, cuts in ((0.0, (0.0, 0.5)), (20.0, (0.0, 0.5))):
        three = joined_and_slabs(Frames.from_atoms([copper(vacuum)]), 0, *cuts, 15.0)
        found[vacuum] = adhesion_of(labelled(three))
    assert found[0.0]["n_interfaces"] == 2
    assert found[20.0]["n_interfaces"] == 1
    # Twice the surface energy of Cu(111) by EMT.
    surface = fcc111("Cu", (1, 1, 8), vacuum=10.0)
    surface.pbc, surface.calc = True, EMT()
    crystal = bulk("Cu")
    crystal.calc = EMT()
    area = np.linalg.norm(np.cross(*surface.cell.array[:2]))
    twice = (surface.get_potential_energy() - 8 * crystal.get_potential_energy()) / area
    for one in found.values():
        assert one["work_ev_per_ang2"] == pytest.approx(twice, rel=0.01)
        assert one["work_j_per_m2"] == pytest.approx(twice * 16.02176634, rel=0.01)
        assert one["energies_ev"]["joined"] < one["energies_ev"]["first"] + one["energies_ev"]["second"]


def test_slabs_are_cut_in_one_piece_and_nothing_in_them_moves() -> None:
    tilted = make_supercell(bulk("Cu", cubic=True), [[1, 0, 0], [0, 1, 0], [1, 1, 4]])
    tilted.positions += [0.3, 0.2, 5.1]  # out of the cell
    first, second = cut_apart(tilted.positions, tilted.cell.array, 0.3, 0.8, vacuum_ang=12.0)
    assert sorted([*first.atoms, *second.atoms]) == list(range(len(tilted)))
    for slab in (first, second):
        assert slab.cell[:2] == pytest.approx(tilted.cell.array[:2])
        atoms = Atoms(tilted.numbers[slab.atoms], slab.positions, cell=slab.cell, pbc=True)
        z = np.sort(atoms.get_scaled_positions()[:, 2]) * atoms.cell.array[2, 2]
        assert atoms.cell.array[2, 2] - (z[-1] - z[0]) == pytest.approx(12.0)
        # The distances along z between its own layers are those of the crystal.
        assert np.diff(np.unique(z.round(6))) == pytest.approx(3.61 / 2)
        # Moved by one vector but for whole lattice vectors of the joined cell.
        moved = (slab.positions - tilted.positions[slab.atoms]) @ np.linalg.inv(tilted.cell.array)
        apart = moved - moved[0]
        assert apart == pytest.approx(np.rint(apart), abs=1e-9)
    with pytest.raises(ValueError, match="LOW < HIGH"):
        cut_apart(tilted.positions, tilted.cell.array, 0.8, 0.3)
    with pytest.raises(ValueError, match="No atom lies between"):
        cut_apart(tilted.positions, tilted.cell.array, 0.300, 0.3001)


def test_what_can_not_be_told_is_refused() -> None:
    three = joined_and_slabs(Frames.from_atoms([copper(0.0)]), 0, 0.0, 0.5, 15.0)
    with pytest.raises(FramesError, match="have no energy"):
        adhesion_of(three)
    known = labelled(three)
    with pytest.raises(FramesError, match="2 frames were given"):
        adhesion_of(known.select([0, 1]))
    with pytest.raises(FramesError, match="different settings"):
        three_of([(known, 0), (labelled(three, "other"), 1), (known, 2)])
    with pytest.raises(FramesError, match="no frame 3 among 3"):
        three_of([(known, 3)])
    assert adhesion_of(three_of([(known, 2), (known, 0), (known, 1)]))["work_j_per_m2"] == pytest.approx(
        adhesion_of(known)["work_j_per_m2"]
    )
    # A slab that fills its cell has no surface.
    touching = list(three.iter_atoms())
    touching[1].set_cell([*touching[1].cell.array[:2], [0, 0, 10.0]])
    with pytest.raises(ValueError, match="first slab has no vacuum"):
        adhesion_of(labelled(Frames.from_atoms(touching)))
    assert adhesion_of(known, 1)["work_j_per_m2"] == pytest.approx(2 * adhesion_of(known)["work_j_per_m2"])


def test_the_energy_without_smearing_is_taken_where_there_is_one() -> None:
    images = list(labelled(joined_and_slabs(Frames.from_atoms([copper(0.0)]), 0, 0.0, 0.5, 15.0)).iter_atoms())
    plain = adhesion_of(Frames.from_atoms(images))
    for atoms, energy in zip(images, (-10.0, -4.0, -5.0), strict=True):
        atoms.info["energy_e0"] = energy
    found = adhesion_of(Frames.from_atoms(images))
    assert found["work_ev_per_ang2"] * 2 * found["area_ang2"] == pytest.approx(1.0)
    assert found["energy"] != plain["energy"]

"""What must hold of the descriptors of every source; without pytest, which the environment of pyace lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, describe
from tests.science.descriptors.cells import mixture, rows


def same(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-11) -> bool:
    """Whether no value is off by more than so much of the largest."""
    return found.shape == expected.shape and np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def nothing_turns_moves_or_wraps_them(spec: DescriptorSpec) -> None:
    atoms = mixture(1)
    reference = rows(atoms, spec)
    assert reference.shape == ((atoms.numbers == 3).sum(), spec.n_features)
    turned = atoms.copy()
    turned.rotate(73.0, (1, 2, -0.5), rotate_cell=True)
    assert same(rows(turned, spec), reference)
    moved = atoms.copy()
    moved.positions += [3.3, -20.0, 7.7]
    moved.positions += np.random.default_rng(0).integers(-3, 4, size=(len(atoms), 3)) @ atoms.cell.array
    assert same(rows(moved, spec), reference)


def a_permutation_permutes_them(spec: DescriptorSpec) -> None:
    atoms = mixture(2)
    order = np.random.default_rng(1).permutation(len(atoms))
    lithium = np.cumsum(atoms.numbers == 3) - 1
    own = [lithium[index] for index in order if atoms.numbers[index] == 3]
    assert same(rows(atoms[order], spec), rows(atoms, spec)[own])


def some_centres_have_what_they_have_among_all(spec: DescriptorSpec) -> None:
    atoms = mixture(3)
    frame = (atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    everything, centres = describe(*frame, spec)
    for chosen in ([4, 1, 9], []):
        found, own = describe(*frame, spec, rows=chosen)
        assert np.array_equal(found, everything[np.array(chosen, dtype=int)])
        assert np.array_equal(own, centres[np.array(chosen, dtype=int)])


def a_supercell_repeats_them(spec: DescriptorSpec) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.13)  # primitive: the cutoff reaches over several images
    atoms.symbols = "LiCl"
    assert min(atoms.cell.lengths()) < spec.cutoff_ang
    expected = rows(atoms, spec)
    for repeats in ((2, 1, 1), (1, 3, 2)):
        found = rows(atoms.repeat(repeats), spec)
        assert same(found, np.repeat(expected, np.prod(repeats), axis=0))


def open_boundaries_see_no_images(spec: DescriptorSpec) -> None:
    atoms = Atoms("LiS", [[0.5, 0, 0], [-1.5, 0, 0]])
    periodic = Atoms("LiS", [[0.5, 0, 0], [-1.5, 0, 0]], cell=[40] * 3, pbc=True)
    assert same(rows(atoms, spec), rows(periodic, spec))


def a_slab_has_no_images_across_the_vacuum(spec: DescriptorSpec) -> None:
    slab = mixture(5, skewed=False)
    tall = slab.copy()
    tall.cell[2] = [0, 0, 60.0]
    slab.pbc = (True, True, False)
    assert same(rows(slab, spec), rows(tall, spec))
    slab.pbc = True
    assert not same(rows(slab, spec), rows(tall, spec), 1e-3)


def liars_are_refused(spec: DescriptorSpec) -> None:
    spec = replace(spec, cutoffs_ang=())
    refused(mixture(), replace(spec, species=("Li", "S")), "holds Cl, P, but the descriptors know only Li, S")
    refused(mixture(), replace(spec, species=("Li", "P", "S", "Cl", "Mg"), centre="Mg"), "holds no Mg")
    nowhere = mixture()
    nowhere.positions[7, 1] = np.nan
    refused(nowhere, spec, "NaN")
    twins = mixture()
    twins.positions[1] = twins.positions[0]
    refused(twins, spec, "Atoms 0 and 1 lie on each other")


def refused(atoms: Atoms, spec: DescriptorSpec, sentence: str) -> None:
    told = "nothing: not refused"
    try:
        rows(atoms, spec)
    except DescriptorError as error:
        told = str(error)
    assert sentence in told, told


ALL = (
    nothing_turns_moves_or_wraps_them,
    a_permutation_permutes_them,
    some_centres_have_what_they_have_among_all,
    a_supercell_repeats_them,
    open_boundaries_see_no_images,
    a_slab_has_no_images_across_the_vacuum,
    liars_are_refused,
)

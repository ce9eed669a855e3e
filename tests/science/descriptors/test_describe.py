"""The door: the same must hold whatever the source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.science.descriptors import (
    DescriptorError,
    DescriptorSpec,
    MissingSourceError,
    describe,
    describe_blocks,
    mean_descriptors,
    structure,
)
from tests.science.descriptors.cells import mixture, rows
from tests.science.descriptors.claims import ALL

SPECS = {
    "ace": DescriptorSpec(cutoff_ang=5.0, n_max=3),
    "ace whole": DescriptorSpec(
        cutoff_ang=5.0, n_max=3, radial="bessel", cutoffs_ang=(5.0, 4.5, 4.0, 4.8), b1=True, b3_n_max=2, b3_l_max=2
    ),
    "soap": DescriptorSpec(cutoff_ang=5.0, n_max=3, source="soap"),
    "soap polynomial": DescriptorSpec(cutoff_ang=5.0, n_max=3, l_max=5, source="soap", radial="polynomial"),
}


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.__name__)
@pytest.mark.parametrize("name", SPECS)
def test_of_every_source(name: str, claim) -> None:
    if name.startswith("soap"):
        pytest.importorskip("dscribe")
    claim(SPECS[name])


def test_length_centres_and_precision() -> None:
    atoms = mixture()
    found, centres = describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, DescriptorSpec())
    assert DescriptorSpec().n_features == 544
    assert found.shape == (len(centres), 544)
    assert found.dtype == np.float32
    assert centres.tolist() == [atom.index for atom in atoms if atom.symbol == "Li"]


def test_mean_descriptors_have_a_row_for_each_species_whatever_the_size_of_the_cell() -> None:
    atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
    atoms.rattle(0.1, seed=0)
    spec = DescriptorSpec(species=("Li", "S", "Cl"), centre="S", cutoff_ang=5.0, n_max=3, l_max=2)

    def means(atoms) -> np.ndarray:
        return mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)

    found = means(atoms)
    assert found.shape == (3, spec.n_features)
    assert (found[1] == 0).all()
    own = rows(atoms, replace(spec, centre="Cl"))
    np.testing.assert_allclose(found[2], own.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(means(atoms.repeat((2, 1, 1))), found, rtol=1e-5)


def structure_blocks(atoms, spec: DescriptorSpec, **settings):
    return describe_blocks(
        atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec, dtype=np.float64, **settings
    )


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, True)])
@pytest.mark.parametrize("axis", [0, 2])
def test_slabs_of_a_large_frame_give_what_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, pbc: tuple[bool, bool, bool], axis: int
) -> None:
    spec = DescriptorSpec(cutoff_ang=4.0, n_max=3, l_max=2)
    repeat = [1, 1, 1]
    repeat[axis] = 4
    atoms = mixture().repeat(repeat)
    atoms.cell[1] += 0.2 * atoms.cell[2]
    atoms.rattle(0.1, seed=1)
    # Unwrapped, out of the cell, and on its faces.
    atoms.positions += np.random.default_rng(0).integers(-2, 3, (len(atoms), 3)) * pbc @ atoms.cell.array
    atoms.positions[0] = -1e-17
    atoms.pbc = pbc
    whole = rows(atoms, spec)
    for most in (1, 60):
        monkeypatch.setattr(structure, "SLAB_ATOMS", most)
        found = rows(atoms, spec)
        np.testing.assert_allclose(found, whole, rtol=1e-9, atol=1e-9 * np.abs(whole).max())
        some = np.array([5, 0, 17])
        part, centres = describe(
            atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec, rows=some, dtype=np.float64
        )
        # Whoever else is asked for.
        assert part.tolist() == found[some].tolist()
        assert (atoms.numbers[centres] == 3).all()
    checked = structure.check_structure(atoms.positions, atoms.numbers, atoms.cell.array, pbc, spec)
    n_parts = len(list(structure.neighbours_by_slab(checked, 4.0, 1)))
    assert n_parts > 1 or not pbc[axis]
    parts = [
        (places, block.copy())
        for places, block in structure_blocks(atoms, spec, rows=np.arange(len(whole))[::-1], most=11)
    ]
    assert [len(places) for places, _ in parts[:-1]] == [11] * (len(parts) - 1)
    order = np.concatenate([places for places, _ in parts])
    assert sorted(order) == list(range(len(whole)))
    assert np.concatenate([block for _, block in parts]).tolist() == found[::-1][order].tolist()
    atoms.positions[7] = atoms.positions[3] + atoms.cell.array[2]
    with pytest.raises(DescriptorError, match="Atoms 3 and 7 lie on each other"):
        rows(atoms, spec)


@pytest.mark.parametrize(
    ("module", "source", "command"),
    [
        ("aiida_seireact.science.descriptors.kernels", "ace", r"numba.*pip install 'aiida-seireact\[classify\]'"),
        ("matscipy.neighbours", "ace", r"matscipy.*pip install 'aiida-seireact\[classify\]'"),
        ("dscribe.descriptors", "soap", r"dscribe: `pip install 'aiida-seireact\[soap\]'`"),
        ("pyace.catomicenvironment", "pyace", "licence is academic.*aiida-seireact setup --with-pyace"),
    ],
)
def test_a_missing_source_is_one_sentence_with_the_command(monkeypatch, module: str, source: str, command: str) -> None:
    import sys

    import aiida_seireact.science.descriptors as package

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr(package, "kernels", raising=False)
    with pytest.raises(MissingSourceError, match=command):
        rows(mixture(), DescriptorSpec(source=source))


def test_specs_and_the_door_need_no_program(tmp_path) -> None:
    """What only names a spec, AiiDA's side for one, imports none of the sources."""
    import subprocess
    import sys

    code = (
        "import sys; import aiida_seireact.science.descriptors; "
        "print(sorted({'numba', 'matscipy', 'dscribe', 'pyace', 'torch'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

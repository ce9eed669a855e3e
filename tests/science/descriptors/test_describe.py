"""The door: the same must hold whatever the source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.science.descriptors import DescriptorSpec, MissingSourceError, describe, mean_descriptors
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

"""One door to every potential file: the calculators agree with each other where they hold the same model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs.potentials import calculator_of, committee_forces, with_images

from .conftest import Trained, crystal


def tilted(repeat: tuple[int, int, int]) -> Atoms:
    """A rattled, strained crystal in a cell without right angles."""
    atoms = crystal(repeat)
    atoms.set_cell(atoms.cell.array @ np.array([[1.02, 0.05, 0], [0, 0.97, 0.1], [0.03, 0, 1]]), scale_atoms=True)
    atoms.rattle(0.1, seed=5)
    return atoms


# Cells thinner than twice the cutoff: an atom meets several images of one neighbour, and of itself.
@pytest.mark.parametrize("repeat", [(2, 2, 2), (1, 1, 1)])
def test_the_file_that_lammps_runs_says_what_its_package_says(trained: Trained, compiled, repeat) -> None:
    package = calculator_of(trained.package, "allegro-package")
    file = calculator_of(trained.compiled, "allegro-compiled")
    atoms = tilted(repeat)
    assert file.get_property("energy", atoms) == pytest.approx(package.get_property("energy", atoms), rel=1e-5)
    for name, tolerance in (("forces", 1e-5), ("stress", 1e-6), ("energies", 1e-5)):
        # Single precision, another order of sums.
        np.testing.assert_allclose(
            file.get_property(name, atoms), package.get_property(name, atoms), atol=tolerance, err_msg=name
        )


def test_a_committee_of_a_model_and_its_compiled_self_agrees(trained: Trained, compiled) -> None:
    calculators = [
        calculator_of(trained.package, "allegro-package"),
        calculator_of(trained.compiled, "allegro-compiled"),
    ]
    (first, second) = committee_forces(calculators, [tilted((1, 1, 1)), tilted((2, 1, 1))])
    assert (first.shape, second.shape) == ((2, 4, 3), (2, 8, 3))
    np.testing.assert_allclose(first[0], first[1], atol=1e-5)


def test_an_unknown_species_is_told(trained: Trained, compiled) -> None:
    with pytest.raises(InvalidInput, match="knows Li, P, S, Cl only, not Br"):
        calculator_of(trained.compiled, "allegro-compiled").get_property("energy", bulk("Br", "fcc", a=4.0))


def test_a_process_tells_its_uncertainty_too(sparse_gp, tmp_path: Path) -> None:
    atoms = tilted((1, 1, 1))
    save_gp(tmp_path / "sgp.npz", sparse_gp(atoms))
    calculator = calculator_of(tmp_path / "sgp.npz", "sgp")
    assert calculator.get_property("forces", atoms).shape == (4, 3)
    assert calculator.results["stds"].shape == (4,)


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("model.yace", "pace", "no calculator for a potential of kind 'pace'"),
        ("absent.nequip.zip", "allegro-package", "There is no package"),
        ("absent.nequip.pt2", "allegro-compiled", "There is no compiled model"),
        ("absent.npz", "sgp", "absent.npz"),
    ],
)
def test_what_is_no_potential_is_refused(tmp_path: Path, name: str, kind: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        calculator_of(tmp_path / name, kind)


def test_images_are_where_the_cell_repeats_itself() -> None:
    atoms = Atoms("Li", cell=[3, 4, 50], pbc=[True, True, False])
    places, edges, owner = with_images(atoms, 3.5)
    np.testing.assert_allclose(sorted(map(tuple, places)), [(-3, 0, 0), (0, 0, 0), (3, 0, 0)])
    assert edges[0].tolist() == [0, 0]
    assert sorted(edges[1].tolist()) == [1, 2]
    assert owner.tolist() == [0, 0, 0]

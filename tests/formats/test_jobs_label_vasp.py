"""The level of theory of VASP: which mesh a cell gets, what enters the hash, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pydantic import ValidationError

from aiida_seireact.formats.jobs.label_vasp import VaspSettings, deviations
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.science.structures import argyrodite
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.protocol import merge

POTCARS = {element: element.lower() * 64 for element in ("Li", "P", "S", "Cl")}


def paper(**changes: Any) -> VaspSettings:
    return VaspSettings.model_validate(merge(LabelWorkChain.get_protocol_inputs("paper")["parameters"], changes))


def mesh(atoms: Atoms, **changes: Any) -> tuple[int, int, int]:
    return paper(**changes).mesh(atoms.numbers, atoms.cell.array, atoms.pbc)


def interface() -> Atoms:
    """Return 228 atoms in about the cell of the paper: one argyrodite cell in plane, 124 Li around 104 atoms."""
    electrolyte = argyrodite(seed=1).repeat((1, 1, 2))
    metal = Atoms("Li124", positions=np.zeros((124, 3)))
    both = electrolyte + metal
    both.set_cell(np.diag([9.91, 9.91, 19.82 + 124 * 20.0 / 9.91**2]))
    return both


LITHIUM, ELECTROLYTE, INTERFACE = bulk("Li", a=3.42, cubic=True).repeat(3), argyrodite(seed=1), interface()
# SCIENCE.md 1.3, as reported in arXiv:2506.10944.
REPORTED = [(LITHIUM, 54, (3, 3, 3)), (ELECTROLYTE, 52, (4, 4, 4)), (INTERFACE, 228, (1, 1, 1))]


@pytest.mark.parametrize(("atoms", "size", "reported"), REPORTED)
def test_the_cells_of_the_paper_get_its_meshes(atoms, size, reported):
    assert len(atoms) == size
    assert mesh(atoms) == reported


@pytest.mark.parametrize(("atoms", "size", "reported"), REPORTED)
@pytest.mark.parametrize("strain", [0.9, 1.1])
def test_a_strain_of_ten_per_cent_changes_no_mesh(strain, atoms, size, reported):
    strained = atoms.copy()
    strained.set_cell(atoms.cell * strain)
    assert mesh(strained) == reported


def test_other_cells_get_sensible_meshes():
    assert mesh(bulk("Li", a=3.42, cubic=True)) == (9, 9, 9)
    assert mesh(bulk("Li", a=3.42, cubic=True).repeat(5)) == (2, 2, 2), "250 atoms of the metal alone keep its length"
    assert mesh(bulk("LiCl", "rocksalt", a=5.15, cubic=True)) == (8, 8, 8)
    assert mesh(ELECTROLYTE.repeat((1, 1, 2))) == (4, 4, 2)


def test_a_mesh_follows_from_the_cell_whatever_it_is_called():
    renamed = ELECTROLYTE.copy()
    renamed.info["config_type"] = "Li"
    assert mesh(renamed) == mesh(ELECTROLYTE)


def test_an_isolated_atom_has_gamma_and_the_moment_of_its_ground_state():
    settings = paper()
    assert settings.mesh([15], np.diag([12.0, 12.1, 12.2]), (True, True, True), isolated=True) == (1, 1, 1)
    # Hund: s1, p3, p4, p5.
    assert {symbol: settings.tags(symbol)["magmom"] for symbol in ("Li", "P", "S", "Cl")} == {
        "Li": "1", "P": "3", "S": "2", "Cl": "1",
    }  # fmt: skip
    atom = settings.tags("P")
    assert (atom["ispin"], atom["isym"], atom["sigma"], atom["encut"]) == (2, 0, 0.002, settings.tags()["encut"])


@pytest.mark.parametrize(
    "changes",
    [
        {"incar": {"encut": 700}},
        {"incar": {"sigma": 0.1}},
        {"kmesh": [{"length_ang": 30.0}]},
        {"isolated_atom_incar": {"sigma": 0.01}},
    ],
)
def test_what_decides_a_label_changes_the_hash(changes):
    assert level_hash(paper(**changes).identity("6.4.2", POTCARS)) != level_hash(paper().identity("6.4.2", POTCARS))


@pytest.mark.parametrize(
    "changes",
    [
        {"parallel": {"ncore": 8, "kpar": 2}},
        {"max_runs": 1},
        {"potential_family": "PBE.54.mine"},
        {"acceptance": {"max_force_ev_per_ang": 20.0}},
    ],
)
def test_what_decides_no_label_does_not_change_the_hash(changes):
    assert level_hash(paper(**changes).identity("6.4.2", POTCARS)) == level_hash(paper().identity("6.4.2", POTCARS))


def test_version_and_potcars_are_of_the_hash():
    one = level_hash(paper().identity("6.4.2", POTCARS))
    assert one != level_hash(paper().identity("6.4.3", POTCARS))
    assert one != level_hash(paper().identity("6.4.2", {**POTCARS, "Li": "0" * 128}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"incar": {"ENCUT": 500}}, "tags are written in small letters: ENCUT"),
        ({"incar": {"nsw": 10}}, "a label is a single point"),
        ({"incar": {"kpar": 2}}, "kpar divides the work and changes no label: move it to parallel"),
        ({"incar": {"magmom": "1 1"}}, "magmom belongs to one cell only"),
        ({"isolated_atom_incar": {"pstress": 1.0}}, "pstress adds p·V to the energy"),
        ({"parallel": {"encut": 500}}, "parallel may hold .* not encut"),
        ({"kmesh": [{"length_ang": 30.0, "species": ["Li"]}]}, "the last rule must fit any cell"),
        ({"kmesh": []}, "kmesh"),
        ({"potential_mapping": {"Xx": "Xx"}}, "no elements: Xx"),
    ],
)
def test_settings_that_don_t_fit_are_refused(changes, sentence):
    with pytest.raises(ValidationError, match=sentence):
        paper(**changes)


def test_an_incar_that_leans_on_defaults_is_refused():
    content = paper().model_dump()
    del content["incar"]["encut"]
    with pytest.raises(ValidationError, match="incar lacks encut: a label must not hang on the defaults of VASP"):
        VaspSettings.model_validate(content)


def test_deviations_name_tags_changed_added_and_left_out():
    told = deviations({"algo": "Normal", "nelm": 150, "istart": 0}, {"algo": "all", "nelm": 150, "amix": 0.2})
    assert told == {
        "algo": "ALGO = all (asked: Normal)",
        "amix": "AMIX = 0.2 (asked: none)",
        "istart": "ISTART = none (asked: 0)",
    }

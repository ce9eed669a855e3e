"""One level of theory of Quantum ESPRESSO: what pw.x is asked for, and what its identity is made of."""

from __future__ import annotations

from typing import Any

import pytest
from ase.build import bulk

from aiida_seireact.formats.jobs.label_qe import QeSettings, deviations, reduced
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains.label import LabelWorkChain

FAMILY = {"Li": "a" * 32, "S": "b" * 32}


def settings(**changes: Any) -> QeSettings:
    return QeSettings.model_validate({**LabelWorkChain.get_protocol_inputs("qe")["parameters"], **changes})


def hash_of(**changes: Any) -> str:
    return level_hash(settings(**changes).identity("6.7MaX", FAMILY))


def test_an_insulator_is_known_by_its_composition_and_all_else_is_smeared():
    fixed = settings().parameters(["S"] * 4 + ["Li"] * 8)["SYSTEM"]
    assert fixed["occupations"] == "fixed"
    assert "degauss" not in fixed
    # A lithium too many, and it may be a metal.
    smeared = settings().parameters(["S"] * 4 + ["Li"] * 9)["SYSTEM"]
    assert (smeared["occupations"], smeared["smearing"], smeared["degauss"]) == ("smearing", "mv", 0.02)


@pytest.mark.parametrize(("formula", "smallest"), [("Li8S4", "Li2S"), ("PS5ClLi6", "ClLi6PS5"), (["Li"] * 54, "Li")])
def test_compositions_are_told_by_their_smallest_numbers(formula, smallest):
    assert reduced(formula) == smallest


def test_a_label_asks_for_forces_and_stress_and_nothing_of_symmetry():
    asked = settings().parameters(["Li"] * 2)
    assert asked["CONTROL"]["tprnfor"]
    assert asked["CONTROL"]["tstress"]
    assert asked["CONTROL"]["disk_io"] == "low"
    assert asked["SYSTEM"]["nosym"]
    assert asked["ELECTRONS"]["conv_thr"] == 2e-8
    # 3e-8 is 3.0000000000000004e-08 by multiplication, and AiiDA stores 3e-08.
    assert settings().parameters(["Li"] * 3)["ELECTRONS"]["conv_thr"] == 3e-8


def test_an_atom_is_spin_polarised_at_gamma_and_has_no_stress():
    asked = settings().parameters(["P"], isolated=True)
    assert asked["SYSTEM"]["nspin"] == 2
    assert asked["SYSTEM"]["starting_magnetization"] == {"P": 0.9}
    assert (asked["SYSTEM"]["smearing"], asked["SYSTEM"]["degauss"]) == ("gaussian", 0.002)
    assert asked["SYSTEM"]["nbnd"] == 8
    assert not asked["CONTROL"]["tstress"]
    assert settings().mesh(["P"], [[2, 0, 0], [0, 2, 0], [0, 0, 2]], isolated=True) == (1, 1, 1)


@pytest.mark.parametrize(
    ("symbols", "cell", "mesh"),
    [
        (["Li"] * 2, bulk("Li", cubic=True).cell, (9, 9, 9)),
        (["S", "Li", "Li"] * 4, bulk("Cu", a=5.71, cubic=True).cell, (4, 4, 4)),
        (["Li"] * 24 + ["S"] * 28, bulk("Cu", a=10.2, cubic=True).cell, (2, 2, 2)),
        (["Li"] * 228, [[10, 0, 0], [0, 10, 0], [0, 0, 40]], (1, 1, 1)),
    ],
)
def test_meshes_of_the_protocol(symbols, cell, mesh):
    assert settings().mesh(symbols, cell) == mesh


@pytest.mark.parametrize(
    "changes",
    [
        {"acceptance": {"stress": False}},
        {"max_runs": 2},
        {"electron_maxstep": 30},
        {"mixing_beta": 0.2},
        {"mixing_mode": "local-TF"},
        {"pseudo_family": "the same files under another name"},
        {"insulators": ["Li3P", "Cl2Li2", "Li2S", "Li3PS4", "Li6PS5Cl"]},
    ],
)
def test_what_decides_no_label_is_no_part_of_the_level_of_theory(changes):
    assert hash_of(**changes) == hash_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"ecutwfc_ry": 50.0},
        {"kmesh": [{"length_ang": 20.0}]},
        {"insulators": []},
        {"degauss_ry": 0.01},
        {"smearing": "gaussian"},
        {"conv_thr_ry_per_atom": 1e-9},
        {"isolated_atom": {"bands": 10}},
    ],
)
def test_what_decides_a_label_is(changes):
    assert hash_of(**changes) != hash_of()


def test_version_and_pseudopotentials_are_too():
    others = [("7.2", FAMILY), ("6.7MaX", {**FAMILY, "S": "c" * 32})]
    assert hash_of() not in [level_hash(settings().identity(*other)) for other in others]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ecutrho_ry": 200.0}, "it needs at least 240"),
        ({"kmesh": [{"length_ang": 20.0, "species": ["Li"]}]}, "the last rule must fit any cell"),
        ({"species": ["Li", "Xx"]}, "no elements: Xx"),
        ({"insulators": ["Li2S?"]}, "'Li2S.' is no chemical formula"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        settings(**changes)


def test_deviations_name_key_and_both_values():
    asked = {"SYSTEM": {"ecutwfc": 60.0}, "ELECTRONS": {"mixing_beta": 0.4}}
    used = {"SYSTEM": {"ecutwfc": 60.0, "nbnd": 11}, "ELECTRONS": {"mixing_beta": 0.32}}
    assert deviations(asked, used) == {
        "ELECTRONS.mixing_beta": "ELECTRONS.mixing_beta = 0.32 (asked: 0.4)",
        "SYSTEM.nbnd": "SYSTEM.nbnd = 11 (asked: none)",
    }

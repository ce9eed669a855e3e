"""One level of theory of CP2K: its input, word by word, and what its identity is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_seireact.formats.jobs.label_cp2k import Cp2kSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains.label import LabelWorkChain

GOLDEN = Path(__file__).parent / "cp2k"


def settings(**changes: Any) -> Cp2kSettings:
    return Cp2kSettings.model_validate({**LabelWorkChain.get_protocol_inputs("cp2k")["parameters"], **changes})


def hash_of(version: str = "2023.1", **changes: Any) -> str:
    return level_hash(settings(**changes).identity(version))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("cell.inp", {"symbols": ["S", "Li", "Li"], "n_frames": 5}),
        ("mesh.inp", {"symbols": ["Li", "Li"], "mesh": (3, 3, 4)}),
        ("atom.inp", {"symbols": ["P"], "isolated": True}),
    ],
)
def test_the_input_is_the_golden_one(name, asked):
    generator = pytest.importorskip("aiida_cp2k.utils", reason="pip install 'aiida-seireact[cp2k]'")
    rendered = generator.Cp2kInput(settings().parameters(**asked)).render() + "\n"
    assert rendered == (GOLDEN / name).read_text(encoding="utf-8")


def test_orbitals_for_the_smearing_grow_with_the_cell():
    def added(n_atoms: int) -> int:
        return settings().parameters(["Li"] * n_atoms)["FORCE_EVAL"]["DFT"]["SCF"]["ADDED_MOS"]

    assert (added(2), added(34)) == (4, 34)


def test_gamma_is_the_default_and_a_mesh_follows_from_the_cell():
    assert settings().mesh(["Li"] * 2, 3.43 * np.eye(3)) == (1, 1, 1)
    meshed = settings(kmesh=[{"length_ang": 13.7}])
    assert meshed.mesh(["Li"] * 2, 3.43 * np.eye(3)) == (4, 4, 4)
    assert meshed.mesh(["Li"], 3.43 * np.eye(3), isolated=True) == (1, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"cutoff_ry": 400.0},
        {"rel_cutoff_ry": 60.0},
        {"eps_scf": 1e-7},
        {"electronic_temperature_k": 300.0},
        {"added_mos_per_atom": 2.0},
        {"kmesh": [{"length_ang": 20.0}]},
        {"isolated_atom": {"eps_scf": 1e-7}},
        {"version": "2024.2"},
    ],
)
def test_what_decides_a_label_changes_the_hash(changes):
    assert hash_of(**changes) != hash_of()


@pytest.mark.parametrize(
    "changes", [{"max_scf": 7}, {"mixing_alpha": 0.1}, {"max_runs": 1}, {"acceptance": {"stress": False}}]
)
def test_how_long_one_tries_does_not(changes):
    assert hash_of(**changes) == hash_of()


def test_what_is_no_element_is_refused():
    with pytest.raises(ValueError, match="no elements: Xx"):
        settings(kinds={"Xx": {"potential": "GTH-PBE-q1", "multiplicity": 1}})

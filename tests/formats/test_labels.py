"""A label is taken on positive evidence only; a frame that fails costs no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.labels import AcceptanceSettings, Label, join_labels, level_hash, refusal
from aiida_seireact.science.structures import isolated_atom


def frames(count: int = 3) -> Frames:
    images = [bulk("Li", "bcc", a=3.42 + 0.01 * index, cubic=True) for index in range(count)]
    for image in images:
        image.info["config_type"] = "Li"
    return Frames.from_atoms(images)


def label(**changes: Any) -> Label:
    whole = Label(energy=-3.8, forces=np.full((2, 3), 0.1), converged=True, stress=np.full(6, 0.01))
    return replace(whole, **changes)


def test_a_whole_label_is_taken() -> None:
    sent = frames()
    came = label(
        numbers=sent.numbers[:2],
        # Wrapped into the cell, by the last digit of a text file off.
        positions=sent.positions[:2] + sent.cells[0][1] + 1e-9,
        cell=sent.cells[0],
    )
    assert refusal(sent, 0, came, AcceptanceSettings()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"converged": False}, "not converged"),
        ({"stress": None}, "no stress"),
        ({"energy": float("nan")}, "its energy is not a number"),
        ({"forces": np.full((2, 3), np.inf)}, "its forces is not a number"),
        ({"stress": np.full(6, np.nan)}, "its stress is not a number"),
        ({"stress": np.zeros((3, 3))}, "shape"),
        ({"forces": np.zeros((3, 3))}, "shape"),
        ({"forces": np.full((2, 3), 40.0)}, "69.3 eV/Å, allowed up to 50"),
        ({"numbers": np.array([3, 15])}, "another order"),
        ({"positions": np.zeros((2, 3))}, "moved by"),
        ({"cell": np.eye(3) * 3.5}, "changed"),
    ],
)
def test_a_label_without_evidence_is_refused(changes: dict[str, Any], reason: str) -> None:
    found = refusal(frames(), 0, label(**changes), AcceptanceSettings())
    assert found is not None
    assert reason in found


def test_the_limit_of_forces_is_that_of_the_type() -> None:
    hard = label(forces=np.full((2, 3), 40.0))
    assert refusal(frames(), 0, hard, AcceptanceSettings(max_force_by_type={"Li": 80.0})) is None


def test_a_bad_frame_costs_no_good_one() -> None:
    sent = frames()
    taken, failures = join_labels(
        sent, [label(energy=1.0), "it was killed", label(energy=3.0)], "abc", AcceptanceSettings()
    )
    assert taken is not None
    assert taken.structure_ids == [sent.structure_ids[0], sent.structure_ids[2]]
    assert taken.energy is not None
    assert taken.energy.tolist() == [1.0, 3.0]
    assert taken.config_type.tolist() == ["Li", "Li"]
    assert failures == [{"index": 1, "structure_id": sent.structure_ids[1], "reason": "it was killed"}]


def test_a_stress_that_is_not_asked_for_is_not_kept() -> None:
    taken, _ = join_labels(frames(1), [label()], "abc", AcceptanceSettings(stress=False))
    assert taken is not None
    assert taken.is_labelled
    assert not taken.has_stress


def test_no_label_at_all_gives_no_frames() -> None:
    taken, failures = join_labels(frames(2), ["a", "b"], "abc", AcceptanceSettings())
    assert taken is None
    assert [failure["reason"] for failure in failures] == ["a", "b"]


def test_the_hash_of_a_level_is_of_its_content() -> None:
    assert level_hash({"b": 1, "a": {"d": 2, "c": 3}}) == level_hash({"a": {"c": 3, "d": 2}, "b": 1})
    assert level_hash({"a": 1}) != level_hash({"a": 2})


def test_isolated_atoms_have_no_stress() -> None:
    atom = Frames.from_atoms([isolated_atom("Li")])
    taken, failures = join_labels(atom, [label(forces=np.zeros((1, 3)))], "abc", AcceptanceSettings())
    assert taken is not None
    assert not taken.has_stress
    assert failures == []

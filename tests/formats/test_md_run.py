"""Runs become frames step by step: what one step lacks costs no other, and what is missing is told once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.md import MdSettings
from aiida_seireact.formats.labels import AcceptanceSettings, Label
from aiida_seireact.formats.md_run import MdFrames, MdRun, frames_of_run

ATOMS = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
MD = MdSettings(
    steps=6, temperature_k=300.0, thermostat="nose-hoover", label_every=1, block_steps=3, gap_steps=1, seed=5
)


def start() -> Frames:
    atoms = ATOMS.copy()
    atoms.info.update(config_type="LiCl", group="library")
    return Frames.from_atoms([atoms])


def labels(count: int = 7) -> list[Label | str]:
    """Return the labels of a path on which all atoms but the first move along x, back and forth."""
    moved = np.ones((8, 1)) * [0.01, 0, 0]
    moved[0] = 0
    return [
        Label(
            energy=-float(step),
            forces=np.zeros((8, 3)),
            converged=True,
            stress=np.zeros(6),
            numbers=ATOMS.numbers,
            positions=ATOMS.positions + moved * (step % 2),
            cell=ATOMS.cell.array,
        )
        for step in range(count)
    ]


def frames_of(run: MdRun, **acceptance: Any) -> MdFrames:
    return frames_of_run(start(), 0, run, MD, AcceptanceSettings(**acceptance), "level")


def test_start_and_gaps_are_left_out_and_a_block_is_a_group():
    found = frames_of(MdRun(labels()))
    assert found.failures == []
    # Blocks 0 to 2 and 4 to 6, 3 lies in the gap.
    assert found.frames.md_step.tolist() == [1, 2, 4, 5, 6]
    assert found.frames.energy.tolist() == [-1, -2, -4, -5, -6]
    parent = start().frame_ids[0]
    assert found.frames.group.tolist() == [f"md-{parent[:12]}-300K-s5-b00{block}" for block in (0, 0, 1, 1, 1)]
    assert set(found.frames.parent_id.tolist()) == {parent}
    assert set(found.frames.config_type.tolist()) == {"LiCl"}
    assert found.frames.settings_hash == "level"
    assert (found.report["n_frames"], found.report["steps"]) == (5, 6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"converged": False}, "its electronic structure is not converged"),
        ({"numbers": ATOMS.numbers[::-1]}, "its atoms came back in another order, or are others"),
        ({"cell": ATOMS.cell.array * 1.001}, "its cell came back changed"),
        ({"stress": None}, "it has no stress"),
        ({"energy": float("nan")}, "its energy is not a number"),
        ({"forces": np.full((8, 3), 40.0)}, "the force on an atom is 69.3 eV/Å, allowed up to 50 eV/Å"),
        ({"positions": ATOMS.positions[[1, 1, *range(2, 8)]]}, "atoms 0 and 1 came 0.00 Å close"),
        ({"positions": ATOMS.positions * np.nan}, "its positions are not numbers any more"),
        ({"positions": None}, "its output does not tell where the atoms are"),
    ],
)
def test_what_one_step_lacks_costs_no_other(change, reason):
    steps = labels()
    steps[4] = replace(steps[4], **change)
    found = frames_of(MdRun(steps))
    assert found.frames.md_step.tolist() == [1, 2, 5, 6]
    assert found.failures == [{"index": 0, "structure_id": start().structure_ids[0], "md_step": 4, "reason": reason}]


def test_a_run_that_ended_early_keeps_what_it_has_and_says_what_is_missing():
    found = frames_of(MdRun(labels(3), ended="the scheduler ended it"))
    assert found.frames.md_step.tolist() == [1, 2]
    (failure,) = found.failures
    assert failure["md_step"] == 4
    assert failure["reason"] == "its run ended before MD step 3 of 6, 3 frames are missing: the scheduler ended it"


def test_a_run_that_came_nowhere_has_no_frames():
    found = frames_of(MdRun(ended="no job was started for it"))
    assert found.frames is None
    assert found.failures[0]["reason"].endswith("5 frames are missing: no job was started for it")
    assert "mean_temperature_k" not in found.report


def test_steps_that_are_not_looked_at_are_not_told():
    md = MD.model_copy(update={"label_every": 2, "steps": 6})
    steps = labels()
    steps[3] = "it has no label"
    assert frames_of_run(start(), 0, MdRun(steps), md, AcceptanceSettings(), "level").failures == []

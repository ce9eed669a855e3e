"""What is finished survives a kill at any byte: whole records come back, a torn one does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.finished import Finished, finished_log, read_finished, write_finished


def record(structure_id: str = "a", **changes: object) -> Finished:
    rng = np.random.default_rng(0)
    whole = Finished(
        task="t",
        structure_id=structure_id,
        positions=rng.normal(size=(2, 3, 3)),
        cells=rng.normal(size=(2, 3, 3)),
        energy=np.array([0.1, -1 / 3]),
        forces=rng.normal(size=(2, 3, 3)),
        stress=None,
        energy_e0=None,
        md_steps=np.array([10, 20]),
        blocks=np.array([0, 1]),
        report={"mean_temperature_k": 1 / 3},
    )
    return replace(whole, **changes)


def test_a_record_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    sent = record(stress=np.full((2, 6), 1 / 7))
    with finished_log(tmp_path / "f.jsonl") as (_, append):
        append(sent)
    (came,) = read_finished(tmp_path / "f.jsonl")
    assert came.line() == sent.line()
    assert came.forces.tobytes() == sent.forces.tobytes()
    assert came.energy_e0 is None
    assert came.report == {"mean_temperature_k": 1 / 3}


@pytest.mark.parametrize("lost", [1, 40, 300])
def test_a_torn_last_line_costs_its_record_only(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "f.jsonl"
    with finished_log(path) as (_, append):
        append(record("a"))
        append(record("b"))
    path.write_bytes(path.read_bytes()[:-lost])
    with finished_log(path) as (found, append):
        assert [item.structure_id for item in found] == ["a"]
        append(record("c"))
    assert [item.structure_id for item in read_finished(path)] == ["a", "c"]


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    write_finished(path, [record("a")])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert read_finished(path) == []


def test_the_order_in_which_workers_were_done_leaves_no_trace(tmp_path: Path) -> None:
    write_finished(tmp_path / "one", [record("a"), record("b"), record("a")])
    write_finished(tmp_path / "two", [record("b"), record("a")])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert read_finished(tmp_path / "nothing.jsonl") == []

"""The end of a running segment is read by a command of its computer, and no more of it however long it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.halt import stop_request
from aiida_seireact.formats.run_tail import RunTail, last_frames, last_rows, read_tail, stop_command, tail_command
from tests.runs import dump_of, grid, log_of, steps_of, write_run

FRAMES = [grid() + 0.01 * index for index in range(20)]


def shell(command: str) -> str:
    """Run a command as a transport does."""
    return subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout.decode("ascii")


def look(folder: Path, **options: int) -> RunTail:
    """Look at a folder."""
    tail = read_tail(shell(tail_command(str(folder), **options)))
    assert tail is not None
    return tail


def test_last_rows_and_frames_of_a_running_segment(tmp_path):
    write_run(tmp_path, log_of(2000), dump_of(FRAMES, 9.0))
    tail = look(tmp_path, frames_of=27)
    assert tail.rows["step"][-1] == 19990
    assert len(tail.rows["step"]) < 2000
    np.testing.assert_array_equal(np.diff(tail.rows["step"]), 10)
    assert set(tail.rows) == {"step", "temp", "pe", "ke", "etotal", "econserve", "press", "vol"}
    assert steps_of(tail.frames) == [180, 190]
    np.testing.assert_allclose(tail.frames[1].positions, FRAMES[19], atol=1e-6)
    assert tail.frames[1].unwrapped
    assert tail.quiet_seconds < 60
    assert tail.now - 60 < tail.begun <= tail.now
    assert (tail.first_step, tail.last_step) == (0, 19990)
    assert (tail.is_stopping, tail.has_ended, tail.is_broken) == (False, False, False)


def test_what_is_read_does_not_grow_with_the_run(tmp_path):
    sizes = []
    for length in (5_000, 50_000):
        write_run(tmp_path, log_of(length), dump_of(FRAMES * (length // 1000), 9.0))
        sizes.append(len(shell(tail_command(str(tmp_path), frames_of=27))))
    assert sizes[1] - sizes[0] < 200  # steps have more digits


def test_lines_that_are_torn_at_either_end_are_left_out():
    text = log_of(6)
    head, _, body = text.partition("data:\n")
    torn = head + "1.5, 2, 3, ]\n" + body[body.index("\n") :] + "  - [60, 301.2, -4"
    rows = last_rows(torn)
    assert rows["step"].tolist() == [10, 20, 30, 40, 50]
    assert last_rows("keywords: ['Step', 'Temp', ]\n  - [1, 2, 3]\n") == {}
    assert last_rows("") == {}


@pytest.mark.parametrize("word", ["nan", "-nan", "inf", ".nan"])
def test_rows_keep_what_is_no_number(word):
    rows = last_rows(f"keywords: ['Step', 'Press', ]\n  - [10, {word}, ]\n")
    assert not np.isfinite(rows["press"][-1])


def test_a_frame_that_is_being_written_is_not_there_yet():
    text = dump_of(FRAMES[:5], 9.0)
    assert steps_of(last_frames(text)) == [30, 40]
    assert steps_of(last_frames(text[:-30])) == [20, 30]
    assert steps_of(last_frames(dump_of(FRAMES[:1], 9.0))) == [0]
    assert last_frames("") == ()


def test_frames_that_are_no_numbers_are_told(tmp_path):
    broken = np.full_like(FRAMES[0], np.nan)
    write_run(tmp_path, log_of(5), dump_of([*FRAMES[:3], broken], 9.0))
    tail = look(tmp_path, frames_of=27)
    assert tail.is_broken
    assert tail.frames == ()


def test_a_dump_of_another_form_has_no_frames(tmp_path):
    write_run(tmp_path, log_of(5), dump_of(FRAMES[:3], 9.0).replace("id element", "number kind"))
    assert look(tmp_path, frames_of=27).frames == ()


def test_letters_that_no_transport_decodes_are_dropped(tmp_path):
    (tmp_path / "log.lammps").write_bytes("Å\n".encode() + b"\xff\n" + log_of(5).encode())
    assert look(tmp_path).rows["step"][-1] == 40


def test_a_segment_that_has_not_begun_or_is_gone(tmp_path):
    tail = look(tmp_path)
    assert (tail.rows, tail.quiet_seconds, tail.begun) == ({}, None, None)
    assert (tail.first_step, tail.last_step) == (-1, -1)
    missing = subprocess.run(["bash", "-c", tail_command(str(tmp_path / "gone"))], capture_output=True, check=False)
    assert read_tail(missing.stdout.decode()) is None


def test_a_log_that_does_not_grow_and_one_that_has_ended(tmp_path):
    write_run(tmp_path, log_of(5) + "...\nLoop time of 1 on 1 procs for 40 steps\nTotal wall time: 0:00:01\n")
    os.utime(tmp_path / "log.lammps", (1e9, 1e9))
    tail = look(tmp_path)
    assert tail.has_ended
    assert tail.quiet_seconds > 1e6


def test_a_stop_file_is_put_once(tmp_path):
    shell(stop_command(str(tmp_path), stop_request("2 Å are 'too' $near", unhealthy=True)))
    assert (tmp_path / "STOP").read_text() == "health: 2 Å are 'too' $near\n"
    shell(stop_command(str(tmp_path), stop_request("again")))
    assert (tmp_path / "STOP").read_text().startswith("health")
    assert [path.name for path in tmp_path.iterdir()] == ["STOP"]
    write_run(tmp_path, log_of(2))
    assert look(tmp_path).is_stopping

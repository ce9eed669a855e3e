from __future__ import annotations

from pathlib import Path

from aiida_seireact.formats.lammps_log import read_log

HEAD = "LAMMPS (22 Jul 2025 - Update 4)\n  using 2 OpenMP thread(s) per MPI task\n  108 atoms\n"
TABLE = "keywords: ['Step', 'Temp', ]\ndata:\n  - [100, 300]\n  - [120, 301]\n...\n"
LOOP = "Loop time of 1.5 on 4 procs for 20 steps with 108 atoms\n"


def test_a_whole_log_tells_ranks_threads_and_time(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(HEAD + TABLE + LOOP + "Total wall time: 0:00:02\n")
    facts = read_log(tmp_path / "log")
    assert (facts.version, facts.n_atoms, facts.last_step) == ("22 Jul 2025 - Update 4", 108, 120)
    assert (facts.ranks, facts.threads, facts.loop_seconds) == (4, 2, 1.5)
    assert facts.error is None
    assert facts.is_whole


def test_an_error_is_told_without_the_place_in_the_source(tmp_path: Path) -> None:
    error = "ERROR on proc 0: Lost atoms: original 108 current 107 (src/thermo.cpp:494)\n"
    (tmp_path / "log").write_text(HEAD + TABLE + error)
    facts = read_log(tmp_path / "log")
    assert facts.error == "Lost atoms: original 108 current 107"
    assert not facts.is_whole


def test_a_log_that_ends_anywhere_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(HEAD + TABLE[:-20])
    assert read_log(tmp_path / "log").last_step == 100
    facts = read_log(tmp_path / "none")
    assert (facts.last_step, facts.n_atoms, facts.is_whole) == (-1, 0, False)

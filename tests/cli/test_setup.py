"""The commands as a person calls them, in a folder of AiiDA of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_seireact.cli.programs import PROGRAMS

COMMAND = str(Path(sys.executable).parent / "aiida-seireact")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("aiida")


def call(folder, *arguments):
    environment = {**os.environ, "AIIDA_PATH": str(folder)}
    return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_before_setup_one_sentence_tells_what_to_do(tmp_path):
    done = call(tmp_path, "status", "1")
    assert done.returncode == 1
    assert "`aiida-seireact setup` makes one" in done.stderr


def test_setup_twice_then_doctor(folder):
    first = call(folder, "setup")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "made  profile seireact" in first.stdout
    assert "made  computer localhost" in first.stdout
    assert first.stdout.count("made  code seireact-") == len(PROGRAMS)
    config = (folder / ".aiida" / "config.json").read_text()
    options = json.loads(config)["profiles"]["seireact"]["options"]
    assert options["daemon.default_workers"] == 2
    assert options["daemon.timeout"] == 30
    assert "aiida.calculations:seireact.*" in options["caching.enabled_for"]

    second = call(folder, "setup")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Nothing to do." in second.stdout
    assert second.stdout.count("reused  code seireact-") == len(PROGRAMS)
    assert (folder / ".aiida" / "config.json").read_text() == config

    doctor = call(folder, "doctor", "--quick")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "✗" not in doctor.stdout
    assert doctor.stdout.count("answers (") == len(PROGRAMS)


def test_a_missing_program_is_one_sentence_with_its_command(folder, tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    done = call(folder, "setup", "--profile", "other", "--bin-dir", str(tmp_path), "--program", "lmp")
    assert done.returncode == 1
    assert (
        f"seireact-lmp is not in {tmp_path}: install it there with `pip install 'aiida-seireact[md]'`." in done.stdout
    )
    assert "Traceback" not in done.stderr

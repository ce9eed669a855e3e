"""The plan of the demo: sizes and times, with nothing touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from aiida_seireact.cli.demo import demo
from aiida_seireact.cli.demo_plan import EXPECTED_SECONDS
from aiida_seireact.query.family import STAGES


def test_dry_run_tells_sizes_and_touches_nothing(tmp_path: Path) -> None:
    """In a process of its own, since it must not import AiiDA, which would open the user's configuration."""
    code = (
        "import sys; from click.testing import CliRunner; from aiida_seireact.cli.demo import demo;"
        "result = CliRunner().invoke(demo, ['--dry-run'], catch_exceptions=False); print(result.output);"
        "print('aiida' in sys.modules, result.exit_code)"
    )
    home = {**os.environ, "HOME": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=home, capture_output=True, text=True)
    assert found.stdout.split()[-2:] == ["False", "0"], found.stderr
    for words in (
        "176 frames",
        "interface_300, interface_600, Li6PS5Cl_300: up to 300 steps in 4 legs each",
        "28 frames to learn from, 10 to measure it by",
        "2000 steps of 2 fs at 300 K",
        "Li, Li6PS5Cl, Li2S, Li3P, LiCl",
        "Nothing was done.",
    ):
        assert words in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_careful_demo_says_that_it_starts_safely(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--folder", str(tmp_path / "demo"), "--dry-run", "--protocol", "careful"])
    assert result.exit_code == 0, result.output
    assert "minimises, warms up and judges the cell" in result.output
    assert "36 epochs" in result.output


def test_unknown_protocol_is_refused_with_those_there_are(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--folder", str(tmp_path / "demo"), "--dry-run", "--protocol", "quick"])
    assert result.exit_code == 1
    assert "no protocol 'quick'" in result.output
    assert "fast" in result.output


def test_time_is_planned_for_stages_there_are_in_their_order() -> None:
    for expected in EXPECTED_SECONDS.values():
        assert list(expected) == [stage for stage in STAGES if stage in expected]


def test_stages_left_out_are_not_planned(tmp_path: Path) -> None:
    changes = tmp_path / "changes.yaml"
    changes.write_text("explore: null\naugment: null\n")
    result = CliRunner().invoke(
        demo, ["--folder", str(tmp_path / "demo"), "--dry-run", "--overrides", str(changes)], catch_exceptions=False
    )
    assert "explore  " not in result.output
    assert "augment  " not in result.output
    assert "Nothing was done." in result.output

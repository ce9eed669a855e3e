"""From the profile of a real loop: its bundle holds on an empty profile, to every figure and number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_seireact.cli.main import cli

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def call(*words: object) -> str:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_bundle_of_a_loop_is_what_it_says(finished_loop: orm.WorkChainNode, tmp_path: Path) -> None:
    asked = ("--title", "A small loop", "--license", "CC-BY-4.0", "--creator", "Doe, Jane")
    call("publish", finished_loop.pk, tmp_path / "bundle", *asked)
    index = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert index["counts"]["figures"] >= 20
    assert index["without_citation"] == []
    said = call("verify", tmp_path / "bundle")
    assert [line.split()[1] for line in said.splitlines() if line.startswith("ok ")] == [
        *("checksums", "metadata", "archive", "datasets", "models", "trajectories", "figures", "report")
    ]
    assert f"{index['counts']['figures']} figures made anew" in said
    assert "equal to what the archive gives, and so is the page" in said

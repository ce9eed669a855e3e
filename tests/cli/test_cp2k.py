"""Setup for CP2K: what is there is reused, what is missing is told with the command."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.cli import cp2k
from aiida_seireact.cli.cp2k import find_cp2k
from aiida_seireact.cli.machine import Answer, run_here
from aiida_seireact.workchains.codes import find_plugin_code

WORDS = "/usr/bin/cp2k.psmp\n CP2K version {version}\n Source code revision git:b888bd8\n"


@pytest.fixture
def set_up(aiida_profile_clean, aiida_localhost, monkeypatch):
    """Return a function that looks after a machine with one version of CP2K, None for none."""

    def run(version: str | None = "2023.1", *, dry_run: bool = False) -> dict[str, tuple[str, str]]:
        words = WORDS.format(version=version) if version else ""
        monkeypatch.setattr(cp2k, "find_cp2k", lambda _: find_cp2k(lambda command: Answer(0, words, "")))
        told = {}
        cp2k.look_after(
            aiida_localhost,
            dry_run=dry_run,
            tell=lambda thing, outcome, detail="": told.update({thing: (outcome, detail)}),
        )
        return told

    return run


def test_the_code_is_made_and_then_reused(set_up):
    assert set_up() == {"code cp2k-2023.1": ("made", "/usr/bin/cp2k.psmp")}
    assert set_up() == {"code cp2k-2023.1": ("reused", "/usr/bin/cp2k.psmp")}
    code = find_plugin_code("cp2k")
    assert code.with_mpi is None  # the options say it
    assert "CP2K 2023.1" in code.prepend_text


def test_another_version_is_another_code(set_up):
    set_up("2023.1")
    told = set_up("2024.2")
    assert (told["code cp2k-2024.2"][0], told["code cp2k-2023.1"][0]) == ("made", "hidden")


def test_a_missing_cp2k_is_told_with_the_command(set_up):
    outcome, detail = set_up(None)["code of CP2K"]
    assert outcome == "missing"
    assert "`apt-get install --no-install-recommends cp2k cp2k-data`" in detail


def test_a_dry_run_makes_nothing(set_up):
    assert set_up(dry_run=True)["code cp2k-2023.1"][0] == "would make"
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_a_missing_plugin_is_told_with_the_command(set_up, monkeypatch):
    monkeypatch.setattr(cp2k, "find_spec", lambda name: None)
    assert set_up()["CP2K"][1].endswith("`pip install 'aiida-seireact[cp2k]'`.")


def test_the_first_of_the_programs_on_path_tells_its_version(tmp_path, monkeypatch):
    for name, version in (("cp2k", "1"), ("cp2k.psmp", "2")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho ' CP2K version {version}'\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_cp2k(run_here) == (str(tmp_path / "cp2k.psmp"), "2")

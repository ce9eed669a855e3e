"""Setup for Quantum ESPRESSO: what is there is reused, what is missing is told with the command."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.plugins import DataFactory, GroupFactory

from aiida_seireact.cli import quantum_espresso
from aiida_seireact.cli.machine import Answer, run_here
from aiida_seireact.cli.pseudopotentials import FAMILY, SHA256, FetchError
from aiida_seireact.cli.quantum_espresso import find_pw
from aiida_seireact.workchains.codes import find_plugin_code

WORDS = "/opt/qe/bin/pw.x\n\n     Program PWSCF v.{version} starts on 25Nov2026 at  7:37:33\n"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with made-up pseudopotentials."""
    for name in SHA256:
        element = name.partition("_")[0]
        text = f'<UPF version="2.0.1"><PP_HEADER element="{element}" z_valence="1.0"/></UPF>'
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def set_up(aiida_profile_clean, aiida_localhost, folder, monkeypatch):
    """Return a function that looks after a machine with one version of pw.x, None for none."""

    def run(version: str | None = "7.2", *, dry_run: bool = False, fetch=lambda: (folder, True)):
        words = WORDS.format(version=version) if version else ""
        monkeypatch.setattr(quantum_espresso, "find_pw", lambda _: find_pw(lambda command: Answer(1, words, "")))
        monkeypatch.setattr(quantum_espresso, "fetch_sg15", fetch)
        told = {}
        quantum_espresso.look_after(
            aiida_localhost,
            dry_run=dry_run,
            tell=lambda thing, outcome, detail="": told.update({thing: (outcome, detail)}),
        )
        return told

    return run


def test_code_and_family_are_made_and_then_reused(set_up):
    told = set_up()
    assert told["code pw-7.2"] == ("made", "/opt/qe/bin/pw.x")
    assert told[f"pseudopotentials {FAMILY}"][0] == "made"
    assert "CC BY-SA 4.0" in told[f"pseudopotentials {FAMILY}"][1]
    assert {outcome for outcome, _ in set_up().values()} == {"reused"}

    code = find_plugin_code("quantumespresso.pw")
    assert code.with_mpi is None  # the options say it
    assert "pw.x 7.2" in code.prepend_text
    family = orm.QueryBuilder().append(GroupFactory("pseudo.family")).one()[0]
    assert sorted(family.elements) == ["Cl", "Li", "P", "S"]
    assert isinstance(family.get_pseudo("Li"), DataFactory("pseudo.upf"))
    assert family.get_recommended_cutoffs(elements=("Li",), unit="Ry") == pytest.approx((60.0, 240.0))


def test_another_version_is_another_code_and_the_old_one_comes_back(set_up):
    set_up("7.2")
    old = find_plugin_code("quantumespresso.pw")
    told = set_up("7.3")
    assert (told["code pw-7.3"][0], told["code pw-7.2"][0]) == ("made", "hidden")
    new = find_plugin_code("quantumespresso.pw")
    assert new.base.caching.compute_hash() != old.base.caching.compute_hash()
    assert set_up("7.2")["code pw-7.2"][0] == "reused"
    assert find_plugin_code("quantumespresso.pw").pk == old.pk


def test_a_missing_pw_is_told_with_the_command(set_up):
    outcome, detail = set_up(None)["code of pw.x"]
    assert outcome == "missing"
    assert "`apt-get install --no-install-recommends quantum-espresso`" in detail
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_files_that_can_not_be_had_make_no_family(set_up):
    def fetch():
        raise FetchError("no way to PyPI")

    assert set_up(fetch=fetch)[f"pseudopotentials {FAMILY}"] == ("missing", "no way to PyPI")
    assert orm.QueryBuilder().append(GroupFactory("pseudo.family")).count() == 0


def test_a_dry_run_makes_nothing(set_up):
    assert {outcome for outcome, _ in set_up(dry_run=True).values()} == {"would make"}
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0
    assert orm.QueryBuilder().append(GroupFactory("pseudo.family")).count() == 0


def test_a_missing_plugin_is_told_with_the_command(set_up, monkeypatch):
    monkeypatch.setattr(quantum_espresso, "find_spec", lambda name: None)
    assert set_up()["Quantum ESPRESSO"][1].endswith("`pip install 'aiida-seireact[qe]'`.")


def test_a_program_that_does_not_tell_its_version_is_no_pw(tmp_path, monkeypatch):
    other = tmp_path / "pw.x"
    other.write_text("#!/bin/sh\necho hello\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_pw(run_here) is None

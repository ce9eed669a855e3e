"""Setup for LAMMPS on several ranks: one code a build, made once; what is missing is told with the command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from aiida import orm

from aiida_seireact.cli import pair_style
from aiida_seireact.cli.machine import Answer

BUILD = {
    "folder": "/venv/share/aiida-seireact/pair_style/0123",
    "lmp": "/venv/lib/lammps/lmp",
    "mpiexec": "/venv/bin/mpiexec",
    "versions": {"lammps": "2025.7.22.4.0", "torch": "2.13.0", "mpich": "5.0.2"},
    "exports": ["export LAMMPS_PLUGIN_PATH=/venv/share/aiida-seireact/pair_style/0123"],
    "built": True,
    "is_new": True,
}
CODE = "code lmp-allegro-2025.7.22.4.0"


@pytest.fixture
def set_up(aiida_profile_clean, aiida_localhost, monkeypatch):
    """Return a function that looks after a machine whose builder gives an answer."""

    def run(answer: Answer, *, dry_run: bool = False) -> dict[str, tuple[str, str]]:
        monkeypatch.setattr("aiida_seireact.cli.machine.run_here", lambda command: answer)
        told = {}
        pair_style.look_after(
            aiida_localhost,
            "/venv/bin",
            dry_run=dry_run,
            tell=lambda thing, outcome, detail="": told.update({thing: (outcome, detail)}),
        )
        return told

    return run


def built(**changes) -> Answer:
    return Answer(0, "Welcome to the cluster\n" + json.dumps(BUILD | changes), "building")


def test_the_code_is_made_and_then_reused(set_up):
    assert set_up(built()) == {"pair_style allegro": ("made", BUILD["folder"]), CODE: ("made", BUILD["lmp"])}
    told = set_up(built(is_new=False))
    assert [outcome for outcome, _ in told.values()] == ["reused", "reused"]
    (code,) = orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)
    assert code.with_mpi is None  # the options say it
    assert code.default_calc_job_plugin == "seireact.lammps"
    assert "LAMMPS with pair_style allegro 2025.7.22.4.0" in code.prepend_text
    assert "torch 2.13.0" in code.prepend_text
    assert BUILD["exports"][0] in code.prepend_text


def test_a_computer_without_mpi_gets_the_one_that_it_was_built_with(set_up, aiida_localhost):
    aiida_localhost.set_mpirun_command([])
    told = set_up(built())
    assert told[f"MPI of {aiida_localhost.label}"] == ("changed", "to /venv/bin/mpiexec -n {tot_num_mpiprocs}")
    assert orm.load_computer(aiida_localhost.label).get_mpirun_command()[0] == BUILD["mpiexec"]
    assert not [thing for thing in set_up(built(is_new=False)) if thing.startswith("MPI")]


def test_another_build_for_the_same_lammps_is_another_code(set_up):
    set_up(built())
    told = set_up(built(folder="/venv/4567", exports=["export LAMMPS_PLUGIN_PATH=/venv/4567"]))
    assert told[f"{CODE}-2"][0] == "made"
    assert told[CODE][0] == "hidden"


def test_no_compiler_is_one_sentence_and_no_code(set_up):
    sentence = "seireact-pair-style: There is no C++ compiler 'g++' here, which pair_style allegro needs: install g++"
    told = set_up(Answer(3, "", f"something before\n{sentence}\n"))
    assert told == {"pair_style allegro": ("missing", sentence)}
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0


def test_an_environment_without_the_builder_is_told(set_up):
    _, detail = set_up(Answer(127, "", "bash: no such file"))["pair_style allegro"]
    assert (
        detail == "seireact-pair-style is not in /venv/bin: install it there with `pip install 'aiida-seireact[md]'`."
    )


def test_a_dry_run_builds_and_makes_nothing(aiida_profile_clean, aiida_localhost):
    """The builder of this environment, for real."""
    told = {}
    bin_dir = str(Path(sys.executable).parent)
    pair_style.look_after(
        aiida_localhost, bin_dir, dry_run=True, tell=lambda thing, outcome, detail="": told.update({thing: outcome})
    )
    assert told["pair_style allegro"] in ("would make", "reused")
    assert [outcome for thing, outcome in told.items() if thing.startswith(CODE)] == ["would make"]
    assert orm.QueryBuilder().append(orm.InstalledCode).count() == 0

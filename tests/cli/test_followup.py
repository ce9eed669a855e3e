"""``aiida-seireact follow-up``: the plan, what is refused, and what came of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from ase.io import read
from click.testing import CliRunner, Result
from plumpy.process_states import ProcessState

from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.followup import FollowUpSettings, make_orderings
from aiida_seireact.science.structures.library import structure

RESULT = Path(__file__).parents[2] / "docs" / "howto" / "follow_up.json"
FOUND = "Li2S0.72P0.14Cl0.14"


@pytest.fixture
def call(aiida_profile_clean: Any, aiida_localhost: orm.Computer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that calls the command in a profile that has seireact-label."""
    monkeypatch.setenv("COLUMNS", "140")
    for program in ("label", "lmp", "analyse"):
        orm.InstalledCode(
            label=f"seireact-{program}-0",
            computer=aiida_localhost,
            filepath_executable=str(Path(sys.executable).parent / f"seireact-{program}"),
        ).store()
    profile = get_manager().get_profile().name

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["-p", profile, "follow-up", *map(str, arguments)])

    return run


def test_a_dry_run_says_orderings_labels_and_atoms_and_submits_nothing(call):
    result = call(FOUND, "--parent", "Li2S", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Li2S0.75P0.125Cl0.125 is the nearest neutral composition" in result.output
    assert "4 orderings of 56 arrangements; degeneracies 8, 32, 8, 8" in result.output
    assert "17 cells" in result.output
    assert "no band gap" in result.output
    assert "no MD" in result.output
    assert "Nothing was submitted (--dry-run)" in result.output
    assert not orm.QueryBuilder().append(orm.ProcessNode).count()


def test_options_reach_the_plan(call):
    result = call(
        "Li2S0.75P0.125Cl0.125", "--parent", "Li2S", "--primitive", "--repeat", 2, 2, 2, "--phase", "Li2S", "--phase",
        "LiCl", "--max-orderings", 1, "--charge", "P=-3", "--dry-run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "2 orderings of 56 arrangements; degeneracies 48" in result.output
    assert "1 were left out" in result.output
    assert "Li2S, LiCl" in result.output


def test_a_potential_adds_md_and_asks_for_a_verdict(call, tmp_path):
    (tmp_path / "model.txt").write_text("a model\n")
    model = PotentialData.of_pair_style(tmp_path / "model.txt", "lammps-file", species=["Li", "P", "S", "Cl"]).store()
    asked = (FOUND, "--parent", "Li2S", "--potential", model.pk, "--ns", 10, "--md-temperature", 600, "--dry-run")
    refused = call(*asked)
    assert refused.exit_code != 0
    assert "Nobody has judged this model" in refused.output
    result = call(*asked, "--unjudged")
    assert result.exit_code == 0, result.output
    assert "MD of 1,536 atoms: 5,000,000 steps of 2 fs (10 ns) at 600 K" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((FOUND,), "Give the --parent"),
        ((FOUND, "--parent", "Li2S", "--exact"), "take 25 times as many unit cells"),
        ((FOUND, "--parent", "Li2Z"), "Li2Z"),
        ((FOUND, "--parent", "Li2S", "--charge", "P"), "--charge is El=Q"),
        ((FOUND, "--parent", "Li2S", "--phase", "Li3S"), "Li3S"),
        ((FOUND, "--parent", "Li2S", "--plot", "a.svg"), "give the PK"),
        (("Li2S0.8Cl0.2", "--parent", "Li2S"), "nominal charge is +0.2 e"),
        ((FOUND, "--parent", "Li2S", "--protocol", "slow"), "no protocol 'slow'"),
    ],
)
def test_what_does_not_fit_is_told(call, arguments, sentence):
    result = call(*arguments, "--dry-run")
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.replace("│", " ").split())


def test_two_crystals_of_one_name_are_refused(call, tmp_path):
    """The name of the file is the name of the phase: one would replace the other in silence."""
    text = structure("Li3P").to(fmt="cif")
    paths = [tmp_path / name for name in ("a/Li3P_new.cif", "b/Li3P_new.cif", "Li3P (new).cif")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    asked = (FOUND, "--parent", "Li2S", "--phase", "Li2S", "--phase", "LiCl", "--phase", "Li3P", "--dry-run")
    refused = call(*asked, "--cif", paths[0], "--cif", paths[1])
    assert refused.exit_code != 0
    assert "there is a phase Li3P_new already" in " ".join(refused.output.split())
    assert "'Li3P (new)' can't be the name of a phase in the graph" in " ".join(
        call(*asked, "--cif", paths[2]).output.split()
    )
    result = call(*asked, "--cif", paths[0])
    assert result.exit_code == 0, result.output
    assert "Li3P_new" in result.output


def test_the_protocols_are_listed(call):
    result = call("--protocols")
    assert result.exit_code == 0, result.output
    assert "fast (default): " in result.output


@pytest.fixture
def ended(call) -> orm.WorkChainNode:
    """Return a follow-up that has ended with the result beside the how-to."""
    node = orm.WorkChainNode()
    node.set_process_label("FollowUpWorkChain")
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(0)
    node.store()
    made = make_orderings(FollowUpSettings(composition="Li2S0.75P0.125Cl0.125", parent="Li2S"))
    for label, data in (
        ("followup", orm.Dict(json.loads(RESULT.read_text(encoding="utf-8")))),
        ("orderings", FramesData(made.frames)),
    ):
        data.store()
        data.base.links.add_incoming(node, LinkType.RETURN, label)
    return node


def test_a_result_is_told_drawn_and_written(call, ended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(ended.pk, "--plot", "hull.svg", "-o", "orderings.extxyz")
    assert result.exit_code == 0, result.output
    assert "meV/atom by ideal mixing (19.0 meV a shared site)" in result.output
    assert "Li2S0.75P0.125Cl0.125 ordering 4" in result.output
    assert "ensemble of this cell (24 atoms)" in Path("hull.svg").read_text(encoding="utf-8")
    assert [len(atoms) for atoms in read("orderings.extxyz", index=":")] == [24] * 4
    assert json.loads(call(ended.pk, "--json").stdout)["schema"] == "seireact-followup/1"


def test_a_process_without_a_result_and_a_strange_picture_are_refused(call, ended):
    other = orm.WorkChainNode()
    other.set_process_label("FollowUpWorkChain")
    other.set_process_state(ProcessState.RUNNING)
    other.store()
    assert f"aiida-seireact status {other.pk}" in call(other.pk).output
    assert "not hull.txt" in call(ended.pk, "--plot", "hull.txt").output


def test_what_failed_is_told_beside_the_rest(call, ended):
    failed = orm.WorkChainNode()
    failed.set_process_label("FollowUpWorkChain")
    failed.set_process_state(ProcessState.FINISHED)
    failed.set_exit_status(460)
    failed.set_exit_message("Stage md failed in ProduceWorkChain: the atoms flew apart")
    failed.store()
    ended.outputs.followup.base.links.add_incoming(failed, LinkType.RETURN, "followup")
    told = " ".join(call(failed.pk).output.split())
    assert "meV/atom by ideal mixing" in told
    assert "It ended with 460: Stage md failed in ProduceWorkChain: the atoms flew apart" in told

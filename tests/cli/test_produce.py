"""Long runs from the command line: what is told before anything is submitted, what is refused, and one for real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.manage import get_manager
from aiida.tools import delete_nodes
from ase import Atoms
from ase.io import write
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.computers import local_computer
from tests.models import compiled_card
from tests.programs.conftest import SPECIES, crystal
from tests.verdicts import stored_verdict

SHORT = "parameters: {md: {timestep_fs: 1.0, dump_every: 10, tau_t_ps: 0.02, tau_p_ps: 0.2, restart_every: 10}}\n"


@pytest.fixture(scope="module")
def machine(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """Return this machine, with seireact-lmp and something that calls itself LAMMPS."""
    computer = local_computer(tmp_path_factory.mktemp("scratch"), "mpirun")
    programs = {"seireact-lmp-0": str(Path(sys.executable).parent / "seireact-lmp"), "lmp": "/bin/true"}
    for label, path in programs.items():
        orm.InstalledCode(label=label, computer=computer, filepath_executable=path).store()
    return computer


@pytest.fixture(scope="module")
def model(machine: orm.Computer, trained: Any, compiled: dict[str, Any]) -> PotentialData:
    """Return the small compiled model."""
    return PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()


@pytest.fixture
def call(machine: orm.Computer, model: PotentialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that calls a command; what it submits runs in this process."""
    monkeypatch.chdir(tmp_path)
    write("cell.extxyz", crystal((2, 2, 2)))
    Path("short.yaml").write_text(SHORT)
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])
    profile = get_manager().get_profile().name

    def run(command: str, *arguments: object, code: str = "seireact-lmp-0") -> Result:
        chosen = ["--code", f"{code}@{machine.label}"] if command == "produce" else []
        return CliRunner().invoke(cli, ["-p", profile, command, *map(str, arguments), *chosen])

    return run


def test_a_dry_run_tells_steps_jobs_frames_and_what_a_kill_costs(call, model):
    run = ("cell.extxyz", model.pk, "--protocol", "long", "--ns", 35, "--segment-ns", 0.5, "--temperature", 330)
    refused = call("produce", *run, "--dry-run")
    assert refused.exit_code == 1
    assert "Nobody has judged this model" in refused.output
    told = call("produce", *run, "--unjudged", "--dry-run")
    assert told.exit_code == 0, told.output
    assert "the run is a look at it" in told.output
    assert "17,500,000 steps of 2 fs, 35 ns, NPT at 330 K and 0 GPa, by seireact-lmp-0@" in told.output
    assert "70 jobs or more, after a safe start; 7,000 frames; a kill costs 5,000 steps at most" in told.output
    assert "Nothing was submitted" in told.output


@pytest.fixture
def validated(model: PotentialData) -> Iterator[Callable[..., orm.Dict]]:
    """Return a factory of verdicts on the model, as a validation that is over leaves them; they are gone afterwards."""
    made: list[int] = []

    def judge(value: float, **scorecard: Any) -> orm.Dict:
        verdict = _validated(model, value, **scorecard)
        made.append(verdict.pk)
        return verdict

    yield judge
    delete_nodes(made, dry_run=False)


def _validated(model: PotentialData, value: float, **scorecard: Any) -> orm.Dict:
    verdict = stored_verdict(model.model_hash, value, **scorecard)
    node = orm.WorkChainNode()
    node.set_process_type("aiida.workflows:seireact.validate")
    node.set_process_state("finished")
    node.set_exit_status(0)
    node.store()
    verdict.base.links.add_incoming(node, LinkType.RETURN, "verdict")
    node.seal()
    return verdict


def test_the_newest_verdict_on_the_model_decides(call, model, validated):
    run = ("cell.extxyz", model.pk, "--protocol", "long", "--ns", 0.1, "--dry-run")
    good = validated(3.0)
    told = call("produce", *run)
    assert told.exit_code == 0, told.output
    assert "says production: no line failed" in told.output
    validated(331.0)
    refused = call("produce", *run)
    assert refused.exit_code == 1
    assert "was rejected by the scorecard toy: Li3P" in " ".join(refused.output.split())
    assert call("produce", *run, "--accept-rejected").exit_code == 0
    assert call("produce", *run, "--verdict", good.pk).exit_code == 0
    assert "a verdict is a Dict" in call("produce", *run, "--verdict", model.pk).output


def test_an_easier_scorecard_does_not_undo_a_rejection_but_the_same_one_does(call, model, validated):
    run = ("cell.extxyz", model.pk, "--protocol", "long", "--ns", 0.1, "--dry-run")
    validated(331.0, name="strict")
    validated(331.0, name="easy", limit=500.0)
    refused = call("produce", *run)
    assert refused.exit_code == 1
    assert "was rejected by the scorecard strict: Li3P" in " ".join(refused.output.split())
    validated(3.0, name="strict")
    assert call("produce", *run).exit_code == 0


def test_a_run_and_its_extension(call, model):
    told = call("produce", "cell.extxyz", model.pk, "--ns", 2e-5, "--overrides", "short.yaml", "--wait")
    assert told.exit_code == 0, told.output
    run = orm.QueryBuilder().append(ProduceWorkChain, project="*").order_by({ProduceWorkChain: {"id": "desc"}}).first()
    node = run[0]
    assert f"aiida-seireact watch {node.pk}" in told.output
    assert node.outputs.restart.step == 20
    told = call("extend", node.pk, "--steps", 30, "--dry-run")
    assert told.exit_code == 0, told.output
    assert "10 steps of 1 fs, 1e-05 ns, on from step 20" in told.output
    told = call("extend", node.pk)
    assert "has 20 steps already: ask for more than that" in told.output
    job = node.called[0]
    assert "give the ProduceWorkChain under it" in call("extend", job.pk, "--steps", 30).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--gpus", 4), "is seireact-lmp, which takes one GPU if the model was compiled for it: gpus_per_node"),
        (("--ranks", 2), "seireact-lmp runs on one MPI rank"),
        (("--protocol", "slow"), "There is no protocol 'slow'"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_queue(call, model, arguments, message):
    told = call("produce", "cell.extxyz", model.pk, *arguments, "--dry-run")
    assert told.exit_code == 1
    assert message in " ".join(told.output.split())


def test_lammps_itself_gets_its_companion(call, model):
    told = call("produce", "cell.extxyz", model.pk, "--ranks", 4, "--gpus", 4, "--dry-run", code="lmp")
    assert told.exit_code == 0, told.output
    told = call("produce", "cell.extxyz", model.pk, "--ranks", 2, "--gpus", 4, "--dry-run", code="lmp")
    assert "ask for 4 ranks a node" in told.output


def test_other_nodes_and_atoms_are_named(call, model):
    assert "a model is a PotentialData" in call("produce", "cell.extxyz", orm.Int(1).store().pk).output
    write("LiBr.extxyz", Atoms("LiBr", positions=[(0, 0, 0), (2.7, 0, 0)], cell=[5.4] * 3, pbc=True))
    assert "the structure holds Br" in call("produce", "LiBr.extxyz", model.pk, "--dry-run").output

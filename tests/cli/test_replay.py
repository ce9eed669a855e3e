"""What a replay would do is what it then does; what has changed since is named, and what comes after it too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import engine, orm
from aiida.engine import run_get_node
from aiida.engine.processes.ports import PortNamespace
from aiida.manage.caching import enable_caching
from aiida.plugins import WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names

from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.cli.replay_plan import Plan, plan_of
from aiida_seireact.cli.replay_told import Hours, cost_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.parsers.ase import AseParser
from aiida_seireact.workchains.label import LabelWorkChain
from tests.computers import local_computer
from tests.workchains.conftest import EMT_LABELS, alloy

from .conftest import finish, workchain
from .test_status import run

OPTIONS = {"max_wallclock_seconds": 600, "queue_name": "", "environment_variables": {"OMP_NUM_THREADS": "1"}}


@pytest.fixture(scope="module")
def labelled(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.WorkChainNode:
    """Return a finished process: three alloys labelled by EMT in two jobs, one after the other, then joined."""
    code = orm.InstalledCode(
        label="seireact-label",
        computer=local_computer(tmp_path_factory.mktemp("scratch")),
        filepath_executable=str(Path(sys.executable).parent / "seireact-label"),
    ).store()
    _, node = run_get_node(
        LabelWorkChain,
        frames=FramesData.from_ase([alloy(seed=seed) for seed in range(3)]),
        code=code,
        parameters=orm.Dict(EMT_LABELS),
        batch_size=orm.Int(2),
        options=OPTIONS,
        max_parallel=1,
        reuse=False,
        metadata={"label": "three alloys"},
    )
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture
def cached() -> Iterator[None]:
    """Switch the cache on, as `aiida-seireact setup` does for a profile."""
    with enable_caching():
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, cached: None) -> list[orm.ProcessNode]:
    """Let what is submitted run in this process; return what was."""
    ran: list[orm.ProcessNode] = []

    def submit(builder: Any) -> orm.ProcessNode:
        ran.append(run_get_node(builder)[1])
        return ran[-1]

    monkeypatch.setattr(engine, "submit", submit)
    return ran


def fates(plan: Plan) -> dict[str, list[str]]:
    """Return the call labels of the calculations by fate."""
    found: dict[str, list[str]] = {}
    for item in sorted(plan.items, key=lambda item: item.member.pk):
        if item.fate != "workflow":
            caller = next(one for one in plan.items if one.member.pk == item.member.caller).member
            found.setdefault(item.fate, []).append(f"{caller.call_label}/{item.member.call_label}".lstrip("/"))
    return found


ALL = ["cut_batches", "batch_000/iteration_01", "batch_001/iteration_01", "join_shards", "join_failures"]


def test_inputs_that_are_no_nodes_survive(labelled: orm.WorkChainNode) -> None:
    builder = labelled.get_builder_restart()
    assert builder.options == OPTIONS
    assert (builder.max_parallel, builder.reuse, builder.metadata.label) == (1, False, "three alloys")
    assert builder.frames.uuid == labelled.inputs.frames.uuid


def lost_ports(namespace: Any, prefix: str = "") -> list[str]:
    """Return the ports whose value AiiDA would not keep."""
    found = []
    for name, port in namespace.items():
        if isinstance(port, PortNamespace):
            found += lost_ports(port, f"{prefix}{name}.")
        elif port.non_db:
            found.append(prefix + name)
    return found


def test_no_process_of_ours_loses_an_input() -> None:
    names = [name for name in get_entry_point_names("aiida.workflows") if name.startswith("seireact.")]
    assert len(names) > 20
    for name in names:
        process = WorkflowFactory(name)
        assert not lost_ports(process.spec().inputs), name
        assert "options" in process.get_builder() or "options" not in process.spec().inputs, name


def test_all_comes_from_the_cache_and_that_is_what_the_replay_does(
    labelled: orm.WorkChainNode, here: list[orm.ProcessNode]
) -> None:
    plan = json.loads(run("replay", labelled.pk, "--dry-run", "--json").output)
    assert not here
    promised = [item for item in plan["processes"] if item["fate"] != "workflow"]
    assert plan["counts"] == {"cache": len(promised)}
    assert plan["cost"]["sure"]["n_jobs"] == plan["cost"]["possible"]["n_jobs"] == 0

    result = run("replay", labelled.pk, "--yes")
    assert result.exit_code == 0, result.output
    assert f"{len(promised)} of {len(promised)} calculations came from the cache." in result.output
    assert "All 2 outputs have the content of those of the first run." in result.output
    (again,) = here
    made = [node for node in again.called_descendants if isinstance(node, orm.CalculationNode)]
    assert sorted(node.base.caching.get_cache_source() for node in made) == sorted(item["source"] for item in promised)
    assert again.base.attributes.get("metadata_inputs")["options"] == OPTIONS


def test_a_new_version_of_a_job_runs_and_what_comes_after_it_is_named(
    labelled: orm.WorkChainNode, cached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AseCalculation, "CACHE_VERSION", 99)
    plan = plan_of(labelled)
    assert fates(plan) == {"cache": ALL[:1], "run": ALL[1:3], "after": ALL[3:]}
    reason = plan.of("run")[0].reason
    assert reason.startswith(f"CACHE_VERSION of its job is 99, and was {2} when it ran")
    assert "takes what AseCalculation <" in plan.of("after")[0].reason
    cost = cost_of(plan)
    assert cost.sure.n_jobs == 2
    assert cost.sure.core_hours > 0
    assert cost.possible == Hours()
    assert "2 jobs: " in cost.sentence
    told = run("replay", labelled.pk, "--dry-run").output
    assert "2 calculations to run" in told
    assert f"2 × AseCalculation: {reason}" in " ".join(told.split())
    assert "Nothing was submitted (--dry-run)." in told


def test_a_new_version_of_a_parser_is_named(
    labelled: orm.WorkChainNode, cached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AseParser, "CACHE_VERSION", 99)
    assert "CACHE_VERSION of its parser seireact.ase is 99" in plan_of(labelled).of("run")[0].reason


def test_what_runs_is_asked_for_and_told_afterwards(
    labelled: orm.WorkChainNode, here: list[orm.ProcessNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AseCalculation, "CACHE_VERSION", 98)
    assert run("replay", labelled.pk).exit_code == 1  # nobody says yes
    assert not here
    told = json.loads(run("replay", labelled.pk, "--yes", "--json").output)
    assert {one["process"] for one in told["ran"]} >= {"AseCalculation"}
    # EMT is exact: what was joined of equal labels comes from the cache after all.
    assert len(told["ran"]) == 2
    assert (told["n_calculations"], told["n_from_cache"], told["other_outputs"]) == (5, 3, [])
    # It runs no third time: what ran is in the cache now.
    assert not plan_of(labelled).of("run", "after")


@pytest.mark.parametrize(
    ("spoil", "mend", "reason"),
    [
        ("is_valid_cache", True, "it is marked as not to be taken (extra _aiida_valid_cache)"),
        ("hash", None, "its hash was taken away: `verdi node rehash"),
        ("other hash", None, "it or an input of it is not what was hashed when it ran"),
    ],
)
def test_a_spoilt_node_is_named_with_those_after_it(
    labelled: orm.WorkChainNode, cached: None, spoil: str, mend: Any, reason: str
) -> None:
    jobs = sorted(
        (node for node in labelled.called_descendants if isinstance(node, orm.CalcJobNode)), key=lambda one: one.pk
    )
    twins = [node for node in orm.QueryBuilder().append(orm.CalcJobNode).all(flat=True)
             if node.base.caching.get_hash() == jobs[1].base.caching.get_hash()]  # fmt: skip
    hashes = {node.pk: node.base.caching.get_hash() for node in twins}
    try:
        for node in twins:
            if spoil == "is_valid_cache":
                node.base.caching.is_valid_cache = False
            elif spoil == "hash":
                node.base.caching.clear_hash()
            else:
                node.base.extras.set("_aiida_hash", "0" * 64)
        plan = plan_of(labelled)
    finally:
        for node in twins:
            node.base.caching.is_valid_cache = True
            node.base.extras.set("_aiida_hash", hashes[node.pk])
    assert fates(plan) == {"cache": ALL[:2], "run": ALL[2:3], "after": ALL[3:]}
    assert plan.of("run")[0].reason.startswith(reason)


def test_without_caching_all_runs_and_the_switch_is_named(labelled: orm.WorkChainNode) -> None:
    plan = plan_of(labelled)
    assert not plan.of("cache", "after")
    assert "is off in this profile: `aiida-seireact setup` switches it on" in plan.of("run")[0].reason


def test_a_program_that_is_gone_is_told_before_anything_is_submitted(
    labelled: orm.WorkChainNode, here: list[orm.ProcessNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: "seireact-label" not in self.name)
    plan = plan_of(labelled)
    assert len(plan.refusals) == 1
    assert "The program" in plan.refusals[0]


def test_what_is_not_replayed_is_told_in_a_sentence(labelled: orm.WorkChainNode) -> None:
    running = workchain("LabelWorkChain")
    failed = workchain("LabelWorkChain")
    finish(failed, 460, "Stage label failed")
    failed.seal()
    lost = workchain("LabelWorkChain")
    finish(lost)
    lost.seal()
    function = next(node for node in labelled.called if isinstance(node, orm.CalcFunctionNode))
    for what, sentence in (
        (labelled.outputs.frames.pk, "is a FramesData, not a process"),
        (running.pk, f"is not over: `aiida-seireact status {running.pk}`"),
        (failed.pk, "ended with exit status 460: only what ended well is replayed"),
        (lost.pk, "can't be submitted as it was: no process type"),
        (function.pk, f"is a function, which is never submitted by itself: replay what called it, LabelWorkChain "
                      f"<{labelled.pk}>"),
    ):  # fmt: skip
        result = run("replay", what, "--dry-run")
        assert result.exit_code == 1
        assert sentence in " ".join(result.output.split())

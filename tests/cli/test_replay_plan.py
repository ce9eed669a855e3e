"""What a replay would do, of a graph whose PKs and times tell nothing of who made what, as after an import."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.cli import replay_plan
from aiida_seireact.cli.cache_answer import Answer
from tests.query.graph import chain, ends, function, job


@pytest.fixture
def backwards(aiida_profile: Any) -> tuple[orm.WorkChainNode, dict[str, orm.CalculationNode]]:
    """Return a process that called three calculations, each of which takes what the one stored after it made."""
    top = chain("ReactWorkChain")
    between = [orm.Int(number).store() for number in range(2)]
    nodes = {
        "last": job("seireact.analyse", top, "last", part=between[1]),
        "middle": job("seireact.classify", top, "middle", whole=between[0]),
        "first": job("seireact.lammps", top, "first"),
    }
    between[1].base.links.add_incoming(nodes["middle"], LinkType.CREATE, "result")
    between[0].base.links.add_incoming(nodes["first"], LinkType.CREATE, "result")
    for node in (*nodes.values(), top):
        ends(node)
    return top, nodes


def test_what_comes_after_is_told_by_links_not_by_pks(
    backwards: tuple[orm.WorkChainNode, dict[str, orm.CalculationNode]], monkeypatch: pytest.MonkeyPatch
) -> None:
    top, nodes = backwards
    assert nodes["last"].pk < nodes["middle"].pk < nodes["first"].pk
    asked: list[str] = []

    def answer(node: orm.CalculationNode, hashes: Any) -> Answer:
        asked.append(node.uuid)
        runs = node.uuid == nodes["first"].uuid
        return Answer("" if runs else node.uuid, "it has changed" if runs else "", node.uuid)

    monkeypatch.setattr(replay_plan, "answer_of", answer)
    plan = replay_plan.plan_of(top)
    assert asked == [nodes[name].uuid for name in ("first", "middle", "last")]
    fates = {item.member.call_label: item.fate for item in plan.items if item.fate != "workflow"}
    assert fates == {"first": "run", "middle": "after", "last": "after"}
    assert [item.member.call_label for item in plan.under(top.pk)] == ["last", "middle", "first"]


def test_a_repetition_is_asked_after_the_try_that_failed(aiida_profile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    top = chain("TrainWorkChain")
    start = orm.Int(1).store()
    tries = [job("seireact.allegro", top, f"iteration_{number:02d}", start=start) for number in (1, 2)]
    taker = function("tell", top, "tell", model=ends(tries[1], potential=orm.Int(2)))
    for node, status in ((tries[0], 410), (taker, 0), (top, 0)):
        ends(node, status)
    monkeypatch.setattr(replay_plan, "answer_of", lambda node, hashes: Answer(
        tries[1].uuid, "", "same" if isinstance(node, orm.CalcJobNode) else node.uuid))  # fmt: skip
    fates = {item.member.call_label: item.fate for item in replay_plan.plan_of(top).items}
    assert (fates["iteration_01"], fates["tell"]) == ("cache", "cache")
    assert fates["iteration_02"] == "spared"

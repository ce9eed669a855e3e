from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.cli.render.gather import gather
from aiida_seireact.cli.render.sources import Source, source_of, value_at
from aiida_seireact.cli.render.summary import summary_of
from tests.cli import loop_graph

FACTS_OF_PROCESSES = {
    "schema", "react_pk", "react_uuid", "process_state", "exit_status", "exit_message", "n_processes",
    "n_failed_processes", "n_cached_processes", "wall_seconds_by_stage", "versions", "missing", "sources",
    "ledger", "ledger_bases", "troubles", "tables",
}  # fmt: skip


@pytest.fixture(scope="module")
def summary(aiida_profile):
    return summary_of(gather(loop_graph.whole_loop()))


def test_each_number_of_the_summary_stands_where_its_source_says(summary):
    assert len(summary["sources"]) > 40
    for key, told in summary["sources"].items():
        node = orm.load_node(told["uuid"])
        held = value_at(node.base.attributes.all, told["path"])
        if told["is_value"]:
            assert held == value_at(summary, key), key
        else:
            assert held is not None


def test_every_number_that_is_there_has_a_source(summary):
    sources = {key: Source(**told) for key, told in summary["sources"].items()}
    without = [
        key
        for key, value in summary.items()
        if key not in FACTS_OF_PROCESSES and value not in (None, {}, [])
        and source_of(sources, key) is None
        and not any(other.startswith(f"{key}.") for other in sources)
    ]  # fmt: skip
    # The hand-made loop has no summary node, in which the labels are counted.
    assert without == ["n_label_calls"]


def test_what_lies_below_a_key_has_its_source_too():
    sources = {"phase_fractions.last": Source("a", "phase_fractions.last_tenth"), "n": Source("b", "lines", False)}
    assert source_of(sources, "phase_fractions.last.Li2S") == Source("a", "phase_fractions.last_tenth.Li2S")
    assert source_of(sources, "phase_fractions.first.Li2S") is None
    assert source_of(sources, "n") == Source("b", "lines", False)


def test_a_key_may_hold_a_dot():
    content = {"by_type": {"Li5.5PS4.5Cl1.5": {"force": 0.1}}, "none": {"b": None}}
    assert value_at(content, "by_type.Li5.5PS4.5Cl1.5.force") == 0.1
    assert value_at(content, "none.b") is None
    with pytest.raises(KeyError, match="by_type.Li"):
        value_at(content, "by_type.Li")

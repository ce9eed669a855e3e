"""The tables hang on the nodes of our processes."""

from __future__ import annotations

import inspect
import pydoc
from importlib.metadata import entry_points
from typing import Any

import pytest
from aiida import orm

from aiida_seireact import query
from aiida_seireact.query.tools import Tables

from .graph import ends, job, trajectory


@pytest.mark.parametrize(("of", "ours"), [("workflows", "workchains"), ("calculations", "calculations")])
def test_every_process_of_ours_has_the_tools(of: str, ours: str) -> None:
    processes = {
        one.name for one in entry_points(group=f"aiida.{of}") if one.value.startswith(f"aiida_seireact.{ours}.")
    }
    functions = {one.name for one in entry_points(group=f"aiida.{of}") if one.value.split(":")[1].islower()}
    assert {one.name for one in entry_points(group=f"aiida.tools.{of}")} >= processes - functions


def test_tables_of_a_node_are_those_of_the_query(aiida_profile: Any) -> None:
    produce = orm.WorkChainNode(process_type="aiida.workflows:seireact.produce")
    produce.store()
    segment = job("seireact.lammps", produce, "segment_001")
    ends(segment, trajectory=trajectory([0, 10]))
    assert produce.tools.runs().equals(query.runs(produce))
    assert segment.tools.runs()["steps"].tolist() == [10]
    assert produce.tools.costs(by="kind")["kind"].tolist() == ["MD"]
    assert produce.tools.parity("energy").empty


def test_the_methods_are_the_queries_with_their_words_and_arguments() -> None:
    methods = {name: method for name, method in vars(Tables).items() if not name.startswith("_")}
    assert set(methods) == {name for name in query.__all__ if name.islower()} - {"walked"}
    assert {"members", "entropy", "conductivity", "eos"} <= set(methods)
    assert all(method.__doc__ == getattr(query, name).__doc__ for name, method in methods.items())
    assert list(inspect.signature(methods["parity"]).parameters) == ["self", "quantity"]
    assert "parity(self, quantity" in pydoc.render_doc(Tables, renderer=pydoc.plaintext)

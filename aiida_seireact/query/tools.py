"""``node.tools`` of our processes: the tables of `aiida_seireact.query` as methods of the node."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
from aiida import orm
from aiida.tools.calculations import CalculationTools
from aiida.tools.workflows import WorkflowTools

from aiida_seireact import query

TABLES = tuple(name for name in query.__all__ if name[0].islower() and name != "walked")
"""The functions of `aiida_seireact.query` that return a table."""


class Tables:
    """The tables of one process: a method for each of `TABLES`, with the further arguments of the function."""

    _node: orm.ProcessNode


def _method(name: str) -> Callable[..., pd.DataFrame]:
    function = getattr(query, name)
    first, *further = inspect.signature(function).parameters.values()

    def method(self: Tables, *args: Any, **kwargs: Any) -> pd.DataFrame:
        found: pd.DataFrame = function(self._node, *args, **kwargs)
        return found

    itself = first.replace(name="self", annotation=inspect.Parameter.empty)
    # What `help(node.tools)` shows.
    method.__signature__ = inspect.Signature([itself, *further], return_annotation="pd.DataFrame")  # type: ignore[attr-defined]
    method.__name__, method.__qualname__ = name, f"{Tables.__name__}.{name}"
    method.__doc__ = function.__doc__
    return method


for _name in TABLES:
    setattr(Tables, _name, _method(_name))


class WorkTools(Tables, WorkflowTools):
    """Of a WorkChain."""


class JobTools(Tables, CalculationTools):
    """Of a job."""

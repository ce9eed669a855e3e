"""``node.tools`` of our processes: the tables of `aiida_seireact.query` as methods of the node."""

from __future__ import annotations

import pandas as pd
from aiida import orm
from aiida.tools.calculations import CalculationTools
from aiida.tools.workflows import WorkflowTools

from aiida_seireact import query


class Tables:
    """The tables of one process; see the functions of the same names in `aiida_seireact.query`."""

    _node: orm.ProcessNode

    def labels(self) -> pd.DataFrame:
        """`aiida_seireact.query.labels` of this process."""
        return query.labels(self._node)

    def datasets(self) -> pd.DataFrame:
        """`aiida_seireact.query.datasets` of this process."""
        return query.datasets(self._node)

    def coverage(self) -> pd.DataFrame:
        """`aiida_seireact.query.coverage` of this process."""
        return query.coverage(self._node)

    def campaigns(self) -> pd.DataFrame:
        """`aiida_seireact.query.campaigns` of this process."""
        return query.campaigns(self._node)

    def calls(self) -> pd.DataFrame:
        """`aiida_seireact.query.calls` of this process."""
        return query.calls(self._node)

    def canaries(self) -> pd.DataFrame:
        """`aiida_seireact.query.canaries` of this process."""
        return query.canaries(self._node)

    def models(self) -> pd.DataFrame:
        """`aiida_seireact.query.models` of this process."""
        return query.models(self._node)

    def curves(self) -> pd.DataFrame:
        """`aiida_seireact.query.curves` of this process."""
        return query.curves(self._node)

    def parity(self, quantity: str | None = None) -> pd.DataFrame:
        """`aiida_seireact.query.parity` of this process."""
        return query.parity(self._node, quantity)

    def scores(self) -> pd.DataFrame:
        """`aiida_seireact.query.scores` of this process."""
        return query.scores(self._node)

    def runs(self) -> pd.DataFrame:
        """`aiida_seireact.query.runs` of this process."""
        return query.runs(self._node)

    def traces(self) -> pd.DataFrame:
        """`aiida_seireact.query.traces` of this process."""
        return query.traces(self._node)

    def speeds(self) -> pd.DataFrame:
        """`aiida_seireact.query.speeds` of this process."""
        return query.speeds(self._node)

    def costs(self, by: str | list[str] | None = None) -> pd.DataFrame:
        """`aiida_seireact.query.costs` of this process."""
        return query.costs(self._node, by)

    def phases(self) -> pd.DataFrame:
        """`aiida_seireact.query.phases` of this process."""
        return query.phases(self._node)

    def profiles(self) -> pd.DataFrame:
        """`aiida_seireact.query.profiles` of this process."""
        return query.profiles(self._node)

    def ps4(self) -> pd.DataFrame:
        """`aiida_seireact.query.ps4` of this process."""
        return query.ps4(self._node)

    def thickness(self) -> pd.DataFrame:
        """`aiida_seireact.query.thickness` of this process."""
        return query.thickness(self._node)

    def templates(self) -> pd.DataFrame:
        """`aiida_seireact.query.templates` of this process."""
        return query.templates(self._node)

    def msd(self) -> pd.DataFrame:
        """`aiida_seireact.query.msd` of this process."""
        return query.msd(self._node)

    def diffusion(self) -> pd.DataFrame:
        """`aiida_seireact.query.diffusion` of this process."""
        return query.diffusion(self._node)

    def onsager(self) -> pd.DataFrame:
        """`aiida_seireact.query.onsager` of this process."""
        return query.onsager(self._node)

    def rdf(self) -> pd.DataFrame:
        """`aiida_seireact.query.rdf` of this process."""
        return query.rdf(self._node)

    def xrd(self) -> pd.DataFrame:
        """`aiida_seireact.query.xrd` of this process."""
        return query.xrd(self._node)

    def clusters(self) -> pd.DataFrame:
        """`aiida_seireact.query.clusters` of this process."""
        return query.clusters(self._node)

    def hull(self) -> pd.DataFrame:
        """`aiida_seireact.query.hull` of this process."""
        return query.hull(self._node)

    def gaps(self) -> pd.DataFrame:
        """`aiida_seireact.query.gaps` of this process."""
        return query.gaps(self._node)

    def stages(self) -> pd.DataFrame:
        """`aiida_seireact.query.stages` of this process."""
        return query.stages(self._node)

    def processes(self) -> pd.DataFrame:
        """`aiida_seireact.query.processes` of this process."""
        return query.processes(self._node)

    def failures(self) -> pd.DataFrame:
        """`aiida_seireact.query.failures` of this process."""
        return query.failures(self._node)


class WorkTools(Tables, WorkflowTools):
    """Of a WorkChain."""


class JobTools(Tables, CalculationTools):
    """Of a job."""

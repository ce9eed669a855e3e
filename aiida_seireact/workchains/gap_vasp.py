"""``seireact.gap.vasp``: band gaps by VASP, from the levels of the very jobs that label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from aiida_seireact.calculations.functions.gaps import collect_vasp_gaps
from aiida_seireact.workchains.gap import GapEngine
from aiida_seireact.workchains.label_vasp import VaspLabelWorkChain


class VaspGapWorkChain(GapEngine, VaspLabelWorkChain):
    """Band gaps of a batch by VASP, with the settings of labels: the same jobs, computed once where caching is on."""

    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_vasp_gaps)

"""``seireact.gap.qe``: band gaps by Quantum ESPRESSO, from the levels of the very jobs that label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from aiida_seireact.calculations.functions.gaps import collect_pw_gaps, prepare_pw_bands, smeared
from aiida_seireact.workchains.gap import GapEngine
from aiida_seireact.workchains.label_qe import QeLabelWorkChain


class QeGapWorkChain(GapEngine, QeLabelWorkChain):
    """Band gaps of a batch by pw.x, with the settings of labels.

    Every cell is smeared, since pw.x computes no empty band otherwise: one that the labels smear too is computed once,
    where caching is on.
    """

    PREPARE: ClassVar[Callable[..., Any]] = staticmethod(prepare_pw_bands)
    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_pw_gaps)
    LEFT: ClassVar[tuple[str, ...]] = ("output_band", *QeLabelWorkChain.LEFT)

    @property
    def settings(self) -> Any:
        """The level of theory, all cells smeared."""
        return smeared(super().settings)

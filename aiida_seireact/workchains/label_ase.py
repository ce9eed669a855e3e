"""``seireact.label.ase``: labels from any calculator of ASE, in the same environment or on a computer of its own."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob

from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class AseLabelWorkChain(ProgramWorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    Every engine under ``seireact.label.*`` has these ports, so that :class:`LabelWorkChain` can call any of them.
    """

    _process_class: ClassVar[type[CalcJob]] = AseCalculation

"""``seireact.draw``: the frames of a plan, drawn again when the program is killed."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob

from aiida_seireact.calculations.sample import SampleCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class DrawWorkChain(ProgramWorkChain):
    """Draws the frames of a plan, chooses those worth a label, and tells what they cover."""

    _process_class: ClassVar[type[CalcJob]] = SampleCalculation

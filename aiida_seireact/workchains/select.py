"""``seireact.select``: frames of a model's own runs to label, chosen again when the program is killed."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob

from aiida_seireact.calculations.select import SelectCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class SelectWorkChain(ProgramWorkChain):
    """Chooses frames of runs by what Gaussian processes don't know of them, and by difference."""

    _process_class: ClassVar[type[CalcJob]] = SelectCalculation

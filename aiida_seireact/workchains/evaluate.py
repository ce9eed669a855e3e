"""``seireact.evaluate``: the numbers of a scorecard, measured again when the program is killed."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob

from aiida_seireact.calculations.validate import ValidateCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class EvaluateWorkChain(ProgramWorkChain):
    """Measures every line of a scorecard for one potential; what they look at is given."""

    _process_class: ClassVar[type[CalcJob]] = ValidateCalculation

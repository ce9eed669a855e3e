"""``seireact.leg``: one leg of on-the-fly learning, started again from the same inputs when it is killed."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob

from aiida_seireact.calculations.flare import FlareCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class LegWorkChain(ProgramWorkChain):
    """Learns the new labels, then runs MD until the GP is unsure or the steps are done."""

    _process_class: ClassVar[type[CalcJob]] = FlareCalculation

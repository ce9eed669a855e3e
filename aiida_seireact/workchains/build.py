"""``seireact.build``: a large cell, built again when the program is killed."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob, ProcessSpec

from aiida_seireact.calculations.build import BuildCalculation
from aiida_seireact.workchains.base import ProgramWorkChain


class BuildWorkChain(ProgramWorkChain):
    """Builds a cell on a computer and gives the folder in which it lies."""

    _process_class: ClassVar[type[CalcJob]] = BuildCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        # The cell itself lies there. All ports: what is exposed last is all that is handed on (aiida-core 2.9).
        spec.expose_outputs(cls._process_class, exclude=("retrieved",))

"""``seireact.produce``: one MD segment of a trained model, started again when it is killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ProcessBuilder

from aiida_seireact.calculations.lammps import LammpsCalculation
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin


class ProduceWorkChain(ProtocolMixin, ProgramWorkChain):
    """Runs MD from a structure with a compiled model; a stop rule ends a run that goes wrong, and that is a result."""

    _process_class: ClassVar[type[CalcJob]] = LammpsCalculation
    PROTOCOL_FILE: ClassVar[str] = "produce.yaml"

    @classmethod
    def get_builder_from_protocol(
        cls,
        structure: FramesData,
        potential: PotentialData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 4 ps at 300 K and zero pressure."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.code = code or find_code("lmp")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder

"""``seireact.classify``: which phases the atoms of a trajectory belong to, and which are unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ProcessBuilder

from aiida_seireact.calculations.classify import ClassifyCalculation
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin


class ClassifyWorkChain(ProtocolMixin, ProgramWorkChain):
    """Clusters local environments by density peaks, once, and names the clusters by reference runs of known phases."""

    _process_class: ClassVar[type[CalcJob]] = ClassifyCalculation
    PROTOCOL_FILE: ClassVar[str] = "classify.yaml"

    @classmethod
    def get_builder_from_protocol(
        cls,
        trajectory: TrajectoryData,
        references: Mapping[str, TrajectoryData | FramesData],
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder; ``references`` are runs of the pure phases, by name."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.trajectory = trajectory
        builder.references = dict(references)
        builder.code = code or find_code("classify")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder

"""``seireact.analyse``: what happened along a trajectory: PS4, thickness, distances, distribution functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ProcessBuilder

from aiida_seireact.calculations.analyse import AnalyseCalculation
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin


class AnalyseWorkChain(ProtocolMixin, ProgramWorkChain):
    """Follows quantities along a run; with phase labels also the thickness of the interphase by its profile."""

    _process_class: ClassVar[type[CalcJob]] = AnalyseCalculation
    PROTOCOL_FILE: ClassVar[str] = "analyse.yaml"

    @classmethod
    def get_builder_from_protocol(
        cls,
        trajectory: TrajectoryData | FramesData,
        labels: orm.ArrayData | None = None,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder; ``labels`` are those of `seireact.classify` for the same run."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.trajectory = trajectory
        if labels is not None:
            builder.labels = labels
        builder.code = code or find_code("analyse")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder

"""``seireact.aimd``: short MD with the labeller itself, from each of a few structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin


class AimdWorkChain(ProtocolMixin, AseLabelWorkChain):
    """Runs NVT from each frame, velocities seeded; gives labelled frames of the frame's config type.

    Frames of a run fall into time blocks with gaps between them. A block is a group, which training and test never
    share. A run that is finished when the job is killed is not run again.
    """

    PROTOCOL_FILE: ClassVar[str] = "aimd.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.inputs["frames"].required = True
        spec.inputs["frames"].help = "The structures to start from; labels they carry are ignored."
        job = spec.inputs["parameters"].validator
        spec.inputs["parameters"].validator = lambda parameters, port: (
            job(parameters, port) or validate_task(parameters)
        )
        spec.outputs["frames"].required = True
        spec.outputs["failures"].required = True

    @classmethod
    def get_builder_from_protocol(
        cls,
        frames: FramesData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 0.5 ps at 600 K with CHGNet."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.frames = frames
        builder.code = code or find_code("label")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder


def validate_task(parameters: orm.Dict) -> str | None:
    """Refuse jobs of another task."""
    task = parameters.get_dict().get("task", "label")
    return None if task == "md" else f"seireact.aimd runs MD: set the task to 'md', not {task!r}."

"""``seireact.aimd.ase``: MD with any calculator of ASE, by `seireact-label`."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_seireact.workchains.label_ase import AseLabelWorkChain


class AseAimdWorkChain(AseLabelWorkChain):
    """Runs NVT from each frame; a run that is finished when the job is killed is not run again."""

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


def validate_task(parameters: orm.Dict) -> str | None:
    """Refuse jobs of another task."""
    task = parameters.get_dict().get("task", "label")
    return None if task == "md" else f"seireact.aimd runs MD: set the task to 'md', not {task!r}."

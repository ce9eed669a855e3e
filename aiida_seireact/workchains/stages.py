"""What the WorkChains of several stages share: a stage that is refused, or fails, ends them and says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, Process, ProcessSpec, ToContext, WorkChain

from aiida_seireact.workchains.restartable import RestartableMixin

Child = tuple[type[Process], Mapping[str, Any]]
STAGE_REFUSED = 250


class StagedWorkChain(RestartableMixin, WorkChain):
    """A WorkChain whose steps are processes of ours, asked for stage by stage."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("options", valid_type=dict, is_metadata=True, default=dict, help="Scheduler options of each job.")
        define_refusal(spec)
        spec.exit_code(460, "ERROR_STAGE_FAILED", message="Stage {stage} failed in {process} <{pk}>: {message}")

    def begin(self, stage: str, /, **children: Child) -> ToContext | ExitCode:
        """Submit the children of a stage, or none of them if one refuses its inputs.

        :param children: by call link, which is their name in the context too: process and inputs, all but metadata;
            options among them are laid over those of all jobs.
        """
        for process, inputs in children.values():
            if message := refusal_of(process, inputs):
                return self.refused(stage, message)
        return ToContext(
            **{
                label: self.submit(
                    process,
                    **{**inputs, "options": {**self.inputs.options, **inputs.get("options", {})}},
                    metadata={"call_link_label": label},
                )
                for label, (process, inputs) in children.items()
            }
        )

    def refused(self, stage: str, refusal: str) -> ExitCode:
        """Return the exit code of a stage that refused its inputs."""
        return self.exit_codes.ERROR_STAGE_REFUSED.format(stage=stage, message=refusal)

    def failure(self, stage: str, child: orm.ProcessNode, *, whole: bool = False) -> ExitCode | None:
        """Return the exit code that tells why a stage failed, or None if it did not.

        :param whole: a frame that failed fails the stage, since all that follows stands on it.
        """
        lost = child.outputs.failures["failures"] if whole and "failures" in child.outputs else []
        if child.is_finished_ok and not lost:
            return None
        reason = f"{name_of(child, lost[0]['index'])}: {lost[0]['reason']}" if lost else why(child)
        return self.exit_codes.ERROR_STAGE_FAILED.format(
            stage=stage, process=child.process_label, pk=child.pk, message=reason
        )


def define_refusal(spec: ProcessSpec) -> None:
    """Define the exit code of a stage that refuses what the stages before it gave."""
    spec.exit_code(
        STAGE_REFUSED, "ERROR_STAGE_REFUSED", message="Stage {stage} can't be done with these inputs: {message}"
    )


def refusal_of(process: type[Process], inputs: Mapping[str, Any]) -> str:
    """Return the sentence with which a process would refuse its inputs when it is submitted, empty if it takes them.

    Submitted all the same it would raise, and its caller would end as excepted, without an exit code.
    """
    ports = process.spec().inputs
    error = ports.validate(ports.pre_process(_copied(inputs)))
    return "" if error is None else error.message


def why(child: orm.ProcessNode) -> str:
    """Return why a process did not end well."""
    return child.exit_message or f"it was {child.process_state.value}"


def name_of(child: orm.ProcessNode, index: int) -> str:
    """Return the config type of a frame that a process was given, or its number where it has no type."""
    return str(child.inputs.frames.frames.config_type[index]) or f"frame {index}"


def _copied(inputs: Mapping[str, Any]) -> dict[str, Any]:
    # `pre_process` fills in defaults in place, at every depth.
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in inputs.items()}

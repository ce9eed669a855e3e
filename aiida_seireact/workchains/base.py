"""What the WorkChains around one program share: restart what was killed, stop at what a restart can't cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from aiida.common import AttributeDict
from aiida.engine import (
    BaseRestartWorkChain,
    CalcJob,
    ExitCode,
    ProcessHandlerReport,
    ProcessSpec,
    process_handler,
    while_,
)
from aiida.orm import CalcJobNode

from aiida_seireact.calculations.base import UNPARSED, ProgramCalculation, missing_outputs
from aiida_seireact.workchains.restartable import RestartableMixin

OUTPUT_UNREADABLE, NO_RESULT, PROGRAM_FAILED, TOO_LITTLE_MEMORY = 310, 410, 420, 426
OUT_OF_WALLTIME, NODE_FAILED = 120, 140  # aiida-core's own, by the word of the scheduler


def attempt(function: Callable[..., Any], *arguments: Any, **inputs: Any) -> tuple[Any, str]:
    """Return what a calcfunction gives and an empty string, or None and the sentence with which it refused.

    The refusing process stays in the graph as excepted, with its traceback, and is never taken from the cache.
    """
    try:
        return function(*arguments, **inputs), ""
    except ValueError as error:
        return None, str(error)
    except (KeyError, TypeError) as error:
        return None, f"{type(error).__name__}: {error}"


def lost_the_database(calculation: CalcJobNode) -> bool:
    """Return whether a job excepted since AiiDA's database did not answer: locked (SQLite), or gone (PostgreSQL).

    Neither the program nor its input is to blame, so another try may go well. SQLite gives up after five seconds,
    which a machine under heavy load can need.
    """
    return bool(calculation.is_excepted and "OperationalError" in (calculation.exception or ""))


class ProgramWorkChain(RestartableMixin, BaseRestartWorkChain):
    """Runs one of our programs to a good end: a killed one starts again from the same inputs, seeded, so alike."""

    _process_class: ClassVar[type[CalcJob]] = ProgramCalculation
    # What ended the job from outside: it starts again, as often as `max_iterations` allows.
    KILLED: ClassVar[tuple[int, ...]] = (NO_RESULT, OUT_OF_WALLTIME, NODE_FAILED)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(cls._process_class, exclude=("metadata",))
        spec.input(
            "options",
            valid_type=dict,
            is_metadata=True,
            default=dict,
            help="Scheduler options of each job as in `metadata.options` (queue, account, walltime, resources); they "
            "never change a result.",
        )
        spec.expose_outputs(cls._process_class, exclude=UNPARSED)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.exit_code(430, "ERROR_UNRECOVERABLE", message="{process} <{pk}> can't go on: {message}")

    def setup(self) -> None:
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class))
        self.ctx.inputs.metadata = {"options": dict(self.inputs.options)}

    def inspect_process(self) -> ExitCode | None:
        """Let the handlers decide. They are not asked of a job that excepted; one that lost the database starts again.

        Any other exception a restart would repeat, at the price of the whole job.
        """
        calculation = self.ctx.children[-1]
        if lost_the_database(calculation) and self.ctx.iteration < self.inputs.max_iterations.value:
            self.report(f"{calculation.process_label} <{calculation.pk}> lost the database; it starts again")
            return None
        return super().inspect_process()

    @process_handler(priority=600)
    def restart_without_result(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """The job was ended from outside (killed, out of walltime, its node failed): start it again."""
        if calculation.exit_status not in self.KILLED:
            return None
        if self.ctx.iteration >= self.inputs.max_iterations.value:
            return ProcessHandlerReport(do_break=True, exit_code=self.unrecoverable(calculation))
        self.report(
            f"{calculation.process_label} <{calculation.pk}> left no result, exit status {calculation.exit_status}; "
            "it starts again"
        )
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=500)
    def restart_failed_once(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """The program failed, its output is torn, or memory was short: try once more, the machine may be the reason.

        A worker that is killed while it removes the retrieved files parses again what is left of them.
        """
        if calculation.exit_status not in (OUTPUT_UNREADABLE, PROGRAM_FAILED, TOO_LITTLE_MEMORY):
            return None
        # In a row: of a chain of many jobs one or the other may fail.
        if len(self.ctx.children) > 1 and self.ctx.children[-2].exit_status == calculation.exit_status:
            return ProcessHandlerReport(do_break=True, exit_code=self.unrecoverable(calculation))
        self.report(f"{calculation.process_label} <{calculation.pk}> failed; one more try: {calculation.exit_message}")
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=400)
    def restart_incomplete(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """The job ended well by its status and lacks an output, as a crash left it: try once more, not from the cache.

        aiida-core 2.9.4 calls such a job finished, status 0 (`ProgramCalculation.is_valid_cache` keeps it from others).
        """
        missing = missing_outputs(self.process_class, calculation) if calculation.is_finished_ok else []
        if not missing:
            return None
        what = f"it ended well, but has no output {', '.join(missing)}"
        calculation.base.caching.is_valid_cache = False
        others = [child for child in self.ctx.children if child.pk != calculation.pk and child.is_finished_ok]
        if any(missing_outputs(self.process_class, child) for child in others):
            return ProcessHandlerReport(do_break=True, exit_code=self.unrecoverable(calculation, what))
        self.report(f"{calculation.process_label} <{calculation.pk}> is run again: {what}")
        return ProcessHandlerReport(do_break=True)

    @process_handler(priority=100)
    def stop_with_reason(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """Anything else a restart would only repeat: pass the reason on."""
        if not calculation.is_failed:
            return None
        return ProcessHandlerReport(do_break=True, exit_code=self.unrecoverable(calculation))

    def unrecoverable(self, calculation: CalcJobNode, reason: str = ""):  # type: ignore[no-untyped-def]
        """Return the exit code that carries the reason of ``calculation``, its exit message by default."""
        return self.exit_codes.ERROR_UNRECOVERABLE.format(
            process=calculation.process_label, pk=calculation.pk, message=reason or calculation.exit_message
        )

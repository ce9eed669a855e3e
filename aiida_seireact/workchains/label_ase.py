"""``seireact.label.ase``: labels from any calculator of ASE, in the same environment or on a computer of its own."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob, ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode

from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.workchains.base import NO_RESULT, NODE_FAILED, ProgramWorkChain


class AseLabelWorkChain(ProgramWorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    Every engine under ``seireact.label.*`` has these ports, so that :class:`LabelWorkChain` can call any of them.
    """

    _process_class: ClassVar[type[CalcJob]] = AseCalculation
    # Out of walltime goes on as long as it brings labels, see `go_on_after_walltime`.
    KILLED: ClassVar[tuple[int, ...]] = (NO_RESULT, NODE_FAILED)

    @process_handler(priority=650)
    def keep_what_is_finished(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """The job was cut short: should another one follow, it computes only what is missing."""
        if "partial" in calculation.outputs:
            self.ctx.inputs.finished = calculation.outputs.partial
        return None

    @process_handler(priority=550, exit_codes=AseCalculation.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME)
    def go_on_after_walltime(self, calculation: CalcJobNode) -> ProcessHandlerReport | None:
        """The queue ended the job: go on in another one, as long as each brings labels."""
        if "partial" not in calculation.outputs or self._brought_nothing(calculation):
            return None
        self.report(f"{calculation.process_label} <{calculation.pk}> ran out of walltime; another job goes on")
        return ProcessHandlerReport(do_break=True)

    @staticmethod
    def _brought_nothing(calculation: CalcJobNode) -> bool:
        return (
            "finished" in calculation.inputs
            and calculation.inputs.finished.get_content() == calculation.outputs.partial.get_content()
        )

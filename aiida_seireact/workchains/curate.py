"""``seireact.curate``: a dataset or shard with fewer frames: within limits, each once, unlike each other."""

from __future__ import annotations

from typing import ClassVar

from aiida.engine import CalcJob, ExitCode, ProcessSpec, while_

from aiida_seireact.calculations.curate import CurateCalculation
from aiida_seireact.calculations.functions.datasets import keep_frames
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.base import ProgramWorkChain, attempt


class CurateWorkChain(ProgramWorkChain):
    """Filters, drops doubles and thins out sets of any size; the frames that stay are not written again in a dataset.

    What `filter_frames`, `drop_doubles` and `thin_out` do at once with small sets, by the same code.
    """

    _process_class: ClassVar[type[CalcJob]] = CurateCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.output("kept", valid_type=(FramesData, DatasetData), help="The frames that stay, in the splits they had.")
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
            cls.keep,
        )
        spec.exit_code(250, "ERROR_STAGE_REFUSED", message="Stage {stage} can't be done with these inputs: {message}")

    def keep(self) -> ExitCode | None:
        """Make the node of the frames that stay."""
        kept, refusal = attempt(
            keep_frames,
            self.inputs.frames,
            self.ctx.children[-1].outputs.verdicts,
            metadata={"call_link_label": "keep"},
        )
        if refusal:
            return self.exit_codes.ERROR_STAGE_REFUSED.format(stage="keep", message=refusal)
        self.out("kept", kept)
        return None

"""``seireact.aimd.cp2k``: MD by CP2K through aiida-cp2k, one job a run."""

from __future__ import annotations

from typing import ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.plugins import CalculationFactory

from aiida_seireact.calculations.functions.aimd import (
    collect_cp2k_md,
    frame_label,
    parameters_label,
    prepare_cp2k_md,
)
from aiida_seireact.calculations.functions.frames import cut_structures
from aiida_seireact.formats.jobs.aimd import Cp2kMdSettings
from aiida_seireact.workchains.aimd_engine import MdEngine
from aiida_seireact.workchains.label_cp2k import Cp2kLabelWorkChain
from aiida_seireact.workchains.label_engine import last_output


class Cp2kAimdWorkChain(MdEngine, Cp2kLabelWorkChain):
    """Runs NVT by CP2K with a Nosé-Hoover chain, seeded by GLOBAL/SEED; protocol ``cp2k``."""

    SETTINGS: ClassVar[type[Cp2kMdSettings]] = Cp2kMdSettings

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.start, cls.run_cp2k, cls.collect)

    def start(self) -> None:
        """Make the inputs of the runs."""
        frames = self.inputs.frames
        made = cut_structures(frames, metadata={"call_link_label": "cut_structures"})
        made |= prepare_cp2k_md(frames, self.inputs.parameters, metadata={"call_link_label": "prepare_cp2k_md"})
        self.ctx.made = {label: node.uuid for label, node in made.items()}

    def run_cp2k(self) -> ToContext:
        """Send each run to CP2K."""
        self.report(f"{len(self.inputs.frames)} runs of MD go to CP2K")
        return ToContext(
            **{
                frame_label(index): self.submit(
                    CalculationFactory(self.PLUGIN),
                    code=self.inputs.code,
                    structure=orm.load_node(self.ctx.made[frame_label(index)]),
                    parameters=orm.load_node(self.ctx.made[parameters_label(index)]),
                    metadata={"options": self.options, "call_link_label": frame_label(index)},
                )
                for index in range(len(self.inputs.frames))
            }
        )

    def collect(self) -> ExitCode | None:
        """Join the steps of the runs; what failed is told by step."""
        outputs = ("output_parameters", "retrieved", "remote_folder")
        left = {
            frame_label(index): last_output(self.ctx[frame_label(index)], outputs)
            for index in range(len(self.inputs.frames))
        }
        return self.tell(
            collect_cp2k_md(
                self.inputs.frames,
                self.inputs.parameters,
                metadata={"call_link_label": "collect_cp2k_md"},
                **{label: output for label, output in left.items() if output is not None},
            )
        )

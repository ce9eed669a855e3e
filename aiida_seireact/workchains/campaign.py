"""``seireact.campaign``: on-the-fly learning under one condition: leg → label → leg, until it is sure or done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, append_, while_

from aiida_seireact.calculations.flare import FlareCalculation, validate_seeds, validate_start
from aiida_seireact.calculations.functions.campaigns import join_arrays, pool_frames, summarise_campaign
from aiida_seireact.calculations.functions.frames import gather_failures
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.explore import CampaignSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.leg import LegWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge


class CampaignWorkChain(ProtocolMixin, WorkChain):
    """Runs MD with a GP that stops where it is unsure, labels what it asked for, learns it, and goes on.

    All frames asked for are labelled, those of the last leg too, which only the dataset learns from. A campaign that
    fails still says how far it came (``campaign``), but gives out no frames.
    """

    PROTOCOL_FILE: ClassVar[str] = "campaign.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, help="The program seireact-flare.")
        spec.input(
            "start",
            valid_type=FramesData,
            validator=validate_start,
            help="One frame, from which MD starts.",
        )
        spec.input("seeds", valid_type=FramesData, help="Labelled frames to learn before the first leg.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(LegSettings),
            help="The condition: ensemble, temperature, steps of all legs together, thresholds, GP.",
        )
        spec.input(
            "campaign",
            valid_type=orm.Dict,
            validator=job_validator(CampaignSettings),
            help="`max_legs`: how many legs.",
        )
        spec.expose_inputs(
            LabelWorkChain,
            namespace="label",
            exclude=("frames", "options", "metadata"),
            namespace_options={"help": "Who labels, and how; the level of theory must be that of the seeds."},
        )
        spec.expose_inputs(FlareCalculation, include=("reference_energies",))
        spec.input("options", valid_type=dict, non_db=True, default=dict, help="Scheduler options of each job.")
        spec.inputs.validator = validate_campaign
        spec.output(
            "frames",
            valid_type=FramesData,
            required=False,
            help="Every frame labelled on the way, by frame id; none if none was asked for.",
        )
        spec.output("gp", valid_type=PotentialData, required=False, help="The GP of the last leg.")
        spec.output("campaign", valid_type=orm.Dict, help="How it went, leg by leg, and how it ended.")
        spec.output(
            "arrays",
            valid_type=orm.ArrayData,
            required=False,
            help="`trace_…` by MD step, `canary_…` by atom of each new label, over all legs.",
        )
        spec.output("failures", valid_type=orm.Dict, help="Frames without a label, with reason and round.")
        spec.outline(
            cls.setup,
            while_(cls.should_go_on)(cls.run_leg, cls.label_asked, cls.inspect_labels),
            cls.results,
        )
        spec.exit_code(
            260,
            "ERROR_OTHER_LEVEL_OF_THEORY",
            message="The seeds were labelled with settings {seeds}, the frames of <{pk}> with {new}: a GP learns one "
            "level of theory; label the seeds anew, or give the settings they were labelled with.",
        )
        spec.exit_code(460, "ERROR_STAGE_FAILED", message="Stage {stage} failed in {process} <{pk}>: {message}")
        spec.exit_code(
            470,
            "ERROR_NO_LABEL",
            message="The frame at MD step {step}, at which the GP was unsure, has no label from <{pk}>: {message}",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        start: FramesData,
        seeds: FramesData,
        code: orm.AbstractCode | None = None,
        label_code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 0.6 ps at 300 K in up to four legs, labelled by CHGNet."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        label = merge(LabelWorkChain.get_protocol_inputs(protocol), inputs["label"])
        builder = cls.get_builder()
        builder.code = code or find_code("flare")
        builder.start = start
        builder.seeds = seeds
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.campaign = orm.Dict(inputs["campaign"])
        builder.label = {
            "code": label_code or find_code("label"),
            "engine": orm.Str(label["engine"]),
            "parameters": orm.Dict(label["parameters"]),
            "batch_size": orm.Int(label["batch_size"]),
        }
        builder.options = dict(options or {})
        return builder

    def setup(self) -> None:
        """Begin before the first leg."""
        self.ctx.going = True
        self.ctx.legs = []
        self.ctx.labels = []

    def should_go_on(self) -> bool:
        """Whether there is a further leg to run."""
        return self.ctx.going

    def run_leg(self) -> ToContext:
        """Learn the labels of the last leg, and run MD from where it ended."""
        shards = [self.inputs.seeds, *(label.outputs.frames for label in self.ctx.labels)]
        last: dict[str, orm.Data] = {}
        if self.ctx.legs:
            outputs = self.ctx.legs[-1].outputs
            last = {"gp": outputs.gp, "state": outputs.state}
        if "reference_energies" in self.inputs:
            last["reference_energies"] = self.inputs.reference_energies
        number = len(self.ctx.legs) + 1
        return ToContext(
            legs=append_(
                self.submit(
                    LegWorkChain,
                    code=self.inputs.code,
                    parameters=self.inputs.parameters,
                    start=self.inputs.start,
                    labels={f"round_{index:03d}": shard for index, shard in enumerate(shards)},
                    **last,
                    options=dict(self.inputs.options),
                    metadata={"call_link_label": f"leg_{number:03d}"},
                )
            )
        )

    def label_asked(self) -> ToContext | ExitCode | None:
        """Label what the leg asked for."""
        leg = self.ctx.legs[-1]
        number = len(self.ctx.legs)
        if not leg.is_finished_ok:
            self.ctx.legs.pop()
            return self.failed(f"leg {number}", leg)
        facts = leg.outputs.leg
        self.report(
            f"leg {number} ended at step {facts['step']}: {facts['status']}; {facts['n_asked']} frames to label"
        )
        max_legs = CampaignSettings.model_validate(self.inputs.campaign.get_dict()).max_legs
        self.ctx.going = facts["status"] == "unsure" and number < max_legs
        if "asked" not in leg.outputs:
            return None
        return ToContext(
            labels=append_(
                self.submit(
                    LabelWorkChain,
                    frames=leg.outputs.asked,
                    **self.exposed_inputs(LabelWorkChain, namespace="label"),
                    options=dict(self.inputs.options),
                    metadata={"call_link_label": f"label_{number:03d}"},
                )
            )
        )

    def inspect_labels(self) -> ExitCode | None:
        """Refuse to go on without the label that was asked for, or with one of another level of theory."""
        if "asked" not in self.ctx.legs[-1].outputs:
            return None
        number, facts, label = len(self.ctx.legs), self.ctx.legs[-1].outputs.leg, self.ctx.labels[-1]
        if not label.is_finished_ok:
            self.ctx.labels.pop()
            return self.failed(f"label of leg {number}", label)
        lost = label.outputs.failures["failures"]
        if lost:
            self.report(f"{len(lost)} frames of leg {number} have no label; the first: {lost[0]['reason']}")
        levels = [frames.base.attributes.get("settings_hash") for frames in (self.inputs.seeds, label.outputs.frames)]
        if levels[0] != levels[1]:
            self.tell(refused=label.outputs.frames)
            return self.exit_codes.ERROR_OTHER_LEVEL_OF_THEORY.format(
                seeds=levels[0][:12], new=levels[1][:12], pk=label.pk
            )
        if facts["status"] == "unsure" and facts["asked_step"] not in label.outputs.frames.frames.md_step:
            self.tell(refused=label.outputs.frames)
            reason = lost[-1]["reason"] if lost else "it was not given back"
            return self.exit_codes.ERROR_NO_LABEL.format(step=facts["asked_step"], pk=label.pk, message=reason)
        return None

    def results(self) -> None:
        """Pool the frames, and tell how it went."""
        if self.ctx.labels:
            frames = pool_frames(
                metadata={"call_link_label": "pool_frames"},
                **{f"label_{number:03d}": label.outputs.frames for number, label in self.labelled().items()},
            )
            self.out("frames", frames)
        self.out("gp", self.ctx.legs[-1].outputs.gp)
        campaign = self.tell()
        self.report(f"{campaign['ended_by']}; {campaign['n_labels']} new labels in {campaign['n_legs']} legs")

    def labelled(self) -> dict[int, orm.WorkChainNode]:
        """Return the label processes by the number of the leg that asked; a leg may ask for nothing only at the end."""
        return dict(enumerate(self.ctx.labels, 1))

    def tell(self, **failure: orm.Data) -> orm.Dict:
        """Attach how the campaign went: its numbers, arrays, and the frames without a label.

        :param failure: the node that tells why it failed, as `summarise_campaign` takes it.
        """
        failures = {number: label.outputs.failures for number, label in self.labelled().items()}
        legs = {f"{number:03d}": leg.outputs for number, leg in enumerate(self.ctx.legs, 1)}
        self.out(
            "failures",
            gather_failures(
                metadata={"call_link_label": "gather_failures"},
                **{f"round_{number:03d}": report for number, report in failures.items()},
            ),
        )
        if legs:
            self.out(
                "arrays",
                join_arrays(
                    metadata={"call_link_label": "join_arrays"},
                    **{f"{kind}_{number}": leg[kind] for number, leg in legs.items() for kind in ("trace", "canary")},
                ),
            )
        campaign = summarise_campaign(
            self.inputs.campaign,
            self.inputs.parameters,
            metadata={"call_link_label": "summarise_campaign"},
            **{f"{kind}_{number}": leg[kind] for number, leg in legs.items() for kind in ("leg", "canary")},
            **{f"failures_{number:03d}": report for number, report in failures.items()},
            **failure,
        )
        self.out("campaign", campaign)
        return campaign

    def failed(self, stage: str, child: orm.WorkChainNode) -> ExitCode:
        """Tell how far the campaign came, and return the exit code with the reason of ``child``."""
        jobs = [
            node
            for node in child.called_descendants
            if isinstance(node, orm.CalcJobNode) and not node.is_finished_ok and "retrieved" in node.outputs
        ]
        last = {"failed": max(jobs, key=lambda job: job.pk).outputs.retrieved} if jobs else {}
        self.tell(**last)
        return self.exit_codes.ERROR_STAGE_FAILED.format(
            stage=stage,
            process=child.process_label,
            pk=child.pk,
            message=child.exit_message or f"it was {child.process_state.value}",
        )


def validate_campaign(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse seeds that the GP of this cell can't learn."""
    if "start" not in inputs or "seeds" not in inputs:
        return None
    message = validate_seeds(inputs["seeds"], inputs["start"])
    return f"seeds: {message}." if message else None

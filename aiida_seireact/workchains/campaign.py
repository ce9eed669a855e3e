"""``seireact.campaign``: on-the-fly learning under one condition: leg → label → leg, until it is sure or done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, append_, while_

from aiida_seireact.calculations.functions.campaign_course import note_leg, step_back, summarise_campaign
from aiida_seireact.calculations.functions.campaigns import pool_frames
from aiida_seireact.calculations.functions.frames import gather_failures
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.explore import CampaignSettings
from aiida_seireact.science.campaign_legs import lacks_label, since_call
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.campaign_inputs import define_ports
from aiida_seireact.workchains.campaign_parts import asked_by, failed_job, join_legs, report_of
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.leg import LegWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.restartable import RestartableMixin


class CampaignWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Runs MD with a GP that stops where it is unsure, labels what it asked for, learns it, and goes on.

    All frames asked for are labelled, those of the last leg too, which only the dataset learns from. A leg whose frame
    of the call could not be labelled is run anew, by another way, from where it began. A leg that only paused is a
    piece of one: what it asked for is labelled, and learning judged, after the piece that ends it. A campaign that
    fails still says how far it came (``campaign``), but gives out no frames.
    """

    PROTOCOL_FILE: ClassVar[str] = "campaign.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        define_ports(spec)
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
            message="The frame at MD step {step}, at which the GP was unsure, has no label from <{pk}>, {tries}: "
            "{message}",
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
        self.ctx.update(going=True, legs=[], labels=[])
        # Numbers of the legs that asked for these labels; of the legs that were not given up; labels to learn from.
        self.ctx.asked_by = []
        self.ctx.way = []
        self.ctx.learned = []
        # Frames without a label, by the number of the leg that asked.
        self.ctx.reports = {}
        self.ctx.detour = None
        self.ctx.course = None

    def should_go_on(self) -> bool:
        """Whether there is a further leg to run."""
        return self.ctx.going

    def run_leg(self) -> ToContext:
        """Learn the labels of the last leg, and run MD from where it ended."""
        shards = [self.inputs.seeds, *(self.ctx.labels[index].outputs.frames for index in self.ctx.learned)]
        last: dict[str, orm.Data] = {}
        if self.ctx.way:
            outputs = self.ctx.legs[self.ctx.way[-1] - 1].outputs
            last = {"gp": outputs.gp, "state": outputs.state}
        if "reference_energies" in self.inputs:
            last["reference_energies"] = self.inputs.reference_energies
        if self.inputs.parameters.get_dict().get("engine") == "lammps":
            last["lmp"] = self.inputs.lmp
        if self.ctx.detour is not None:
            last["detour"] = orm.load_node(self.ctx.detour)
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
        """Judge how learning stands, and label what the leg and its pieces before it asked for; not after a pause."""
        leg = self.ctx.legs[-1]
        number = len(self.ctx.legs)
        if not leg.is_finished_ok:
            self.ctx.legs.pop()
            return self.failed(f"leg {number}", leg)
        self.ctx.way.append(number)
        self.ctx.detour = None
        course, facts = self.note(), leg.outputs.leg
        self.report(
            f"leg {number} ended at step {facts['step']}: {facts['status']}; {facts['n_asked']} frames to label; "
            f"learning: {(course['convergence'] or {}).get('verdict', 'not judged')}"
        )
        if facts["threshold_message"]:
            self.report(facts["threshold_message"])
        self.ctx.going = course["goes_on"]
        if not course["label"]:
            return None
        self.ctx.asked_by.append(number)
        return ToContext(
            labels=append_(
                self.submit(
                    LabelWorkChain,
                    frames=asked_by({number: self.ctx.legs[number - 1] for number in self.pieces()}),
                    **self.exposed_inputs(LabelWorkChain, namespace="label"),
                    options=dict(self.inputs.options),
                    metadata={"call_link_label": f"label_{number:03d}"},
                )
            )
        )

    def pieces(self) -> list[int]:
        """Return the numbers of the last leg and of those before it that only paused."""
        return since_call(orm.load_node(self.ctx.course)["legs"])

    def note(self) -> orm.Dict:
        """Return how the campaign stands after its last leg."""
        settings = CampaignSettings.model_validate(self.inputs.campaign.get_dict())
        before: dict[str, orm.Data] = {}
        if self.ctx.course is not None:
            before = {"course": orm.load_node(self.ctx.course), **self.lost()}
        measured = [number for number in self.ctx.way if self.ctx.legs[number - 1].outputs.leg["canary"]]
        course = note_leg(
            self.inputs.campaign,
            self.inputs.parameters,
            self.ctx.legs[-1].outputs.leg,
            metadata={"call_link_label": f"note_{len(self.ctx.legs):03d}"},
            **before,
            **{
                f"canary_{number:03d}": self.ctx.legs[number - 1].outputs.canary
                for number in measured[-settings.convergence.window :]
            },
        )
        self.ctx.course = course.uuid
        return course

    def lost(self) -> dict[str, orm.Dict]:
        """Return the frames without a label of the leg that the course ends with, where they are known."""
        noted = str(len(orm.load_node(self.ctx.course)["legs"]))
        return {"failures": orm.load_node(self.ctx.reports[noted])} if noted in self.ctx.reports else {}

    def inspect_labels(self) -> ExitCode | None:
        """Refuse labels of another level of theory; step back where the one that was asked for is not there."""
        number = len(self.ctx.legs)
        if number not in self.ctx.asked_by:
            return None
        label = self.ctx.labels[-1]
        report = report_of(label, f"account_labels_{number:03d}")
        if report is None:
            self.ctx.labels.pop()
            self.ctx.asked_by.pop()
            return self.failed(f"label of leg {number}", label)
        self.ctx.reports[str(number)] = report.uuid
        lost = report["failures"]
        if lost:
            self.report(f"{len(lost)} frames of leg {number} have no label; the first: {lost[0]['reason']}")
        if "frames" in label.outputs:
            given = (self.inputs.seeds, label.outputs.frames)
            levels = [frames.base.attributes.get("settings_hash") for frames in given]
            if levels[0] != levels[1]:
                self.tell(refused=label.outputs.frames)
                return self.exit_codes.ERROR_OTHER_LEVEL_OF_THEORY.format(
                    seeds=levels[0][:12], new=levels[1][:12], pk=label.pk
                )
        if self.ctx.going and lacks_label(orm.load_node(self.ctx.course)["legs"], lost):
            return self.take_another_way()
        if not self.ctx.going and not any("frames" in label.outputs for label in self.ctx.labels):
            # Nothing that it asked for could be labelled: that is no good end, whatever MD says.
            return self.failed(f"label of leg {number}", label)
        if "frames" in label.outputs:
            self.ctx.learned.append(len(self.ctx.labels) - 1)
        return None

    def take_another_way(self) -> ExitCode | None:
        """Run the last leg anew from where it began, or give the condition up."""
        report = orm.load_node(self.ctx.reports[str(len(self.ctx.legs))])
        detour, refusal = attempt(
            step_back,
            self.inputs.campaign,
            report,
            orm.load_node(self.ctx.course),
            metadata={"call_link_label": f"step_back_{len(self.ctx.legs):03d}"},
        )
        if refusal:
            self.tell()
            return self.exit_codes.ERROR_NO_LABEL.format(
                step=self.ctx.legs[-1].outputs.leg["asked_step"],
                pk=self.ctx.labels[-1].pk,
                tries=refusal,
                message=report["failures"][-1]["reason"],
            )
        given_up = self.pieces()
        self.ctx.way = [number for number in self.ctx.way if number not in given_up]
        self.ctx.detour = detour.uuid
        self.report(f"leg {', '.join(map(str, given_up))} is given up; detour {detour.value} from where it began")
        return None

    def results(self) -> None:
        """Pool the frames, and tell how it went."""
        shards = {
            f"label_{number:03d}": label.outputs.frames
            for number, label in zip(self.ctx.asked_by, self.ctx.labels, strict=True)
            if "frames" in label.outputs
        }
        if shards:
            self.out("frames", pool_frames(metadata={"call_link_label": "pool_frames"}, **shards))
        self.out("gp", self.ctx.legs[-1].outputs.gp)
        campaign = self.tell()
        self.report(f"{campaign['ended_by']}; {campaign['n_labels']} new labels in {campaign['n_legs']} legs")

    def tell(self, **failure: orm.Data) -> orm.Dict:
        """Attach how the campaign went: its numbers, arrays, and the frames without a label.

        :param failure: the node that tells why it failed, as `summarise_campaign` takes it.
        """
        self.out(
            "failures",
            gather_failures(
                metadata={"call_link_label": "gather_failures"},
                **{f"round_{int(number):03d}": orm.load_node(uuid) for number, uuid in self.ctx.reports.items()},
            ),
        )
        if self.ctx.way:
            self.out("arrays", join_legs({number: self.ctx.legs[number - 1] for number in self.ctx.way}))
        known = {"course": orm.load_node(self.ctx.course), **self.lost()} if self.ctx.course is not None else {}
        campaign = summarise_campaign(
            self.inputs.campaign,
            self.inputs.parameters,
            metadata={"call_link_label": "summarise_campaign"},
            **known,
            **failure,
        )
        self.out("campaign", campaign)
        return campaign

    def failed(self, stage: str, child: orm.WorkChainNode) -> ExitCode:
        """Tell how far the campaign came, and return the exit code with the reason of ``child``."""
        job = failed_job(child)
        self.tell(**({} if job is None else {"failed": job.outputs.retrieved}))
        return self.exit_codes.ERROR_STAGE_FAILED.format(
            stage=stage,
            process=child.process_label,
            pk=child.pk,
            message=child.exit_message or f"it was {child.process_state.value}",
        )

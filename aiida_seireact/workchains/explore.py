"""``seireact.explore``: on-the-fly learning under several conditions side by side, pooled in canonical order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain

from aiida_seireact.calculations.functions.campaigns import (
    gather_campaign_failures,
    gather_campaigns,
    join_conditions,
    pool_frames,
    prepare_campaign,
    strain_cell,
)
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.explore import ConditionSettings, LimitSettings, ladders
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.explore_inputs import (
    level_of_theory,
    validate_conditions,
    validate_exploration,
    validate_systems,
    wrong_size,
)
from aiida_seireact.workchains.label import (
    find_code_of,
    validate_batch_size,
    validate_engine,
)
from aiida_seireact.workchains.ladder import CAMPAIGN, LadderWorkChain, after_of
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.restartable import RestartableMixin


class ExploreWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Runs one campaign a condition; a slow one holds nobody, and the frames of a failed one are never used."""

    PROTOCOL_FILE: ClassVar[str] = "explore.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace("codes", help="One code for each program; `aiida-seireact setup` makes them.")
        for program in ("flare", "label"):
            spec.input(f"codes.{program}", valid_type=orm.AbstractCode, help=f"The program seireact-{program}.")
        spec.input_namespace(
            "systems",
            valid_type=FramesData,
            dynamic=True,
            validator=validate_systems,
            help="The cells, one frame each, by the name under which conditions know them.",
        )
        spec.input("labelled", valid_type=FramesData, help="The first labelled frames, of which each campaign learns.")
        spec.input_namespace(
            "conditions",
            valid_type=orm.Dict,
            dynamic=True,
            validator=validate_conditions,
            help="By name: `system`; `strain` of its cell; `after`, the condition that must have been stable before; "
            "`seeds` (`types`, `count`, `force_limit_ev_per_ang`); `campaign` (`max_legs`, `max_labels`, …); `leg`, "
            "the settings of a `seireact-flare` job.",
        )
        spec.input(
            "limits",
            valid_type=orm.Dict,
            validator=job_validator(LimitSettings),
            help="`max_failed`: how many campaigns may fail.",
        )
        spec.input("engine", valid_type=orm.Str, validator=validate_engine, help="Labelling engine.")
        spec.input("label", valid_type=orm.Dict, help="Settings of the labels: those of `labelled`.")
        spec.input("batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
        spec.expose_inputs(CampaignWorkChain, include=("reference_energies", "lmp"))
        spec.input("options", valid_type=dict, is_metadata=True, default=dict, help="Scheduler options of each job.")
        spec.inputs.validator = validate_exploration
        spec.output(
            "frames",
            valid_type=FramesData,
            required=False,
            help="The frames of all campaigns that came to a good end, by frame id, each once.",
        )
        spec.output_namespace("gps", valid_type=PotentialData, dynamic=True, help="The last GP of each condition.")
        spec.output("campaigns", valid_type=orm.Dict, help="The numbers of every campaign, also of those that failed.")
        spec.output(
            "arrays",
            valid_type=orm.ArrayData,
            required=False,
            help="`<condition>__<array of the campaign>`; at most 2,000 rows of each trace.",
        )
        spec.output("failures", valid_type=orm.Dict, help="Frames without a label, with reason, condition and round.")
        spec.outline(cls.run_campaigns, cls.inspect_campaigns, cls.results)
        spec.exit_code(250, "ERROR_STAGE_REFUSED", message="Stage {stage} can't be done with these inputs: {message}")
        spec.exit_code(
            480,
            "ERROR_CAMPAIGNS_FAILED",
            message="{failed} of {all} campaigns failed, {allowed} may; the first: {name}: {message}",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        systems: Mapping[str, FramesData],
        labelled: FramesData,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` explores Li | Li6PS5Cl | Li at 300 and 600 K, and Li6PS5Cl at 300 K.

        :param systems: cells by name; ``fast`` knows ``interface`` and ``Li6PS5Cl``, ``paper`` also ``Li``.
        :param overrides: any value of the protocol; a condition that is null is left out.
        :raises ValueError: a cell of another size than the protocol has.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        conditions = {name: given for name, given in inputs["conditions"].items() if given is not None}
        used = {given["system"] for given in conditions.values()}
        if message := wrong_size({name: cell for name, cell in systems.items() if name in used}, inputs["systems"]):
            raise ValueError(message)
        builder = cls.get_builder()
        builder.codes = dict(codes or {"flare": find_code("flare"), "label": find_code_of(inputs["engine"])})
        builder.systems = dict(systems)
        builder.labelled = labelled
        builder.conditions = {name: orm.Dict(given) for name, given in conditions.items()}
        builder.limits = orm.Dict(inputs["limits"])
        builder.engine = orm.Str(inputs["engine"])
        builder.label = orm.Dict(level_of_theory(inputs["label"]))
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.options = dict(options or {})
        return builder

    def run_campaigns(self) -> ToContext | ExitCode:
        """Choose what each campaign knows first, and let all go: a ladder as one process, the others by themselves."""
        campaigns: dict[str, dict[str, Any]] = {}
        for name, condition in sorted(self.inputs.conditions.items()):
            prepared, refusal = attempt(
                prepare_campaign,
                self.inputs.labelled,
                condition,
                metadata={"call_link_label": f"seeds_{name}"},
            )
            if refusal:
                return self.exit_codes.ERROR_STAGE_REFUSED.format(stage=f"seeds of {name}", message=refusal)
            campaigns[name] = {**prepared, "start": self.start_of(name, condition)}
        shared = {
            "code": self.inputs.codes.flare,
            **self.exposed_inputs(CampaignWorkChain, agglomerate=False),
            "label": {
                "code": self.inputs.codes.label,
                "engine": self.inputs.engine,
                "parameters": self.inputs.label,
                "batch_size": self.inputs.batch_size,
            },
            "options": dict(self.inputs.options),
        }
        self.ctx.ladders = ladders(after_of(self.inputs.conditions))
        self.report(f"campaigns: {', '.join(' → '.join(ladder) for ladder in self.ctx.ladders)}")
        children: dict[str, orm.WorkChainNode] = {}
        for names in self.ctx.ladders:
            if len(names) == 1:
                label = f"{CAMPAIGN}{names[0]}"
                metadata = {"call_link_label": label}
                children[label] = self.submit(CampaignWorkChain, **shared, **campaigns[names[0]], metadata=metadata)
                continue
            label = f"ladder_{names[0]}"
            children[label] = self.submit(
                LadderWorkChain,
                conditions={name: self.inputs.conditions[name] for name in names},
                campaigns={name: campaigns[name] for name in names},
                **shared,
                metadata={"call_link_label": label},
            )
        return ToContext(**children)

    def start_of(self, name: str, condition: orm.Dict) -> FramesData:
        """Return the cell from which a condition starts."""
        cell: FramesData = self.inputs.systems[condition["system"]]
        if not ConditionSettings.model_validate(condition.get_dict()).strain:
            return cell
        strained: FramesData = strain_cell(cell, condition, metadata={"call_link_label": f"cell_{name}"})
        return strained

    def campaigns(self) -> dict[str, orm.WorkChainNode]:
        """Return the campaigns that were begun, by condition."""
        begun: dict[str, orm.WorkChainNode] = {}
        for names in self.ctx.ladders:
            if len(names) == 1:
                begun[names[0]] = self.ctx[f"{CAMPAIGN}{names[0]}"]
                continue
            ladder = self.ctx[f"ladder_{names[0]}"]
            called = {entry.link_label: entry.node for entry in ladder.base.links.get_outgoing().all()}
            begun |= {name: called[f"{CAMPAIGN}{name}"] for name in names if f"{CAMPAIGN}{name}" in called}
        return {name: begun[name] for name in sorted(begun)}

    def locked(self) -> dict[str, orm.Dict]:
        """Return what is told of conditions that were not begun."""
        begun = self.campaigns()
        told: dict[str, orm.Dict] = {}
        for names in self.ctx.ladders:
            if len(names) > 1 and "campaigns" in (outputs := self.ctx[f"ladder_{names[0]}"].outputs):
                told |= {name: node for name, node in outputs.campaigns.items() if name not in begun}
        return told

    def inspect_campaigns(self) -> ExitCode | None:
        """Tell how every campaign went; end if too many failed."""
        campaigns = self.campaigns()
        self.out(
            "failures",
            gather_campaign_failures(
                metadata={"call_link_label": "gather_failures"}, **outputs_of(campaigns, "failures")
            ),
        )
        told = gather_campaigns(
            metadata={"call_link_label": "gather_campaigns"},
            **{f"condition_{name}": condition for name, condition in self.inputs.conditions.items()},
            **{f"campaign_{name}": node for name, node in outputs_of(campaigns, "campaign").items()},
            **{f"campaign_{name}": node for name, node in self.locked().items()},
        )
        self.out("campaigns", told)
        reasons = {name: why(told["conditions"][name], campaigns.get(name)) for name in told["failed"]}
        for name, reason in reasons.items():
            self.report(f"campaign {name} failed, its frames are not used: {reason}")
        allowed = LimitSettings.model_validate(self.inputs.limits.get_dict()).max_failed
        if len(reasons) > allowed:
            name = next(iter(reasons))
            return self.exit_codes.ERROR_CAMPAIGNS_FAILED.format(
                failed=len(reasons),
                all=len(self.inputs.conditions),
                allowed=allowed or "none",
                name=name,
                message=reasons[name],
            )
        self.report(" ".join(told["convergence"]["sentences"]))
        return None

    def results(self) -> ExitCode | None:
        """Pool the frames of the campaigns that came to a good end."""
        campaigns = self.campaigns()
        good = {name: campaign for name, campaign in campaigns.items() if campaign.is_finished_ok}
        self.out("gps", outputs_of(good, "gp"))
        if arrays := outputs_of(good, "arrays"):
            self.out("arrays", join_conditions(metadata={"call_link_label": "join_arrays"}, **arrays))
        if frames := outputs_of(good, "frames"):
            pooled, refusal = attempt(pool_frames, metadata={"call_link_label": "pool_frames"}, **frames)
            if refusal:
                return self.exit_codes.ERROR_STAGE_REFUSED.format(stage="pooling", message=refusal)
            self.out("frames", pooled)
            self.report(f"{len(pooled)} frames were labelled under {len(good)} conditions")
        return None


def outputs_of(campaigns: Mapping[str, orm.WorkChainNode], port: str) -> dict[str, orm.Data]:
    """Return what each campaign gave out there, by condition."""
    return {name: campaign.outputs[port] for name, campaign in campaigns.items() if port in campaign.outputs}


def why(told: Mapping[str, Any], campaign: orm.WorkChainNode | None) -> str:
    """Return why a campaign failed, by its own words where it left any."""
    if campaign is None or not campaign.exit_message:
        return str(told["ended_by"])
    return f"<{campaign.pk}> {campaign.exit_message}"

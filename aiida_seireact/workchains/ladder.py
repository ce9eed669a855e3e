"""``seireact.ladder``: conditions of which each begins only after the one below it was stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec, ToContext, WorkChain, while_

from aiida_seireact.calculations.functions.campaigns import lock_rung
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.formats.jobs.explore import ConditionSettings, ladders
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.restartable import RestartableMixin

CAMPAIGN = "campaign_"


class LadderWorkChain(RestartableMixin, WorkChain):
    """Runs the campaigns of a ladder, rung after rung; what stands on one that was not stable is not begun.

    A process of its own, since a step of a WorkChain resumes when all it waits for is done: ladders, and the conditions
    beside them, do not hold each other. Rungs that wait for one and the same condition run side by side,
    and their branches climb in step: what stands on one of them begins when all of them are done, though it is locked
    by its own alone.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace(
            "conditions",
            valid_type=orm.Dict,
            dynamic=True,
            validator=validate_rungs,
            help="By name, as `seireact.explore` takes them; `after` orders them.",
        )
        spec.input_namespace(
            "campaigns",
            dynamic=True,
            help="By name of the condition: start, seeds, parameters and campaign of its campaign.",
        )
        spec.expose_inputs(
            CampaignWorkChain,
            include=("code", "lmp", "label", "reference_energies", "options"),
        )
        spec.output_namespace(
            "campaigns", valid_type=orm.Dict, dynamic=True, help="How each went; of one not begun, why not."
        )
        spec.outline(cls.setup, while_(cls.should_climb)(cls.run_rungs, cls.inspect_rungs))

    def setup(self) -> None:
        """Stand before the lowest rung."""
        self.ctx.rungs = [name for name, below in after_of(self.inputs.conditions).items() if below is None]

    def should_climb(self) -> bool:
        """Whether a rung is unlocked."""
        return bool(self.ctx.rungs)

    def run_rungs(self) -> ToContext:
        """Begin the campaigns of the rungs that are unlocked."""
        self.report(f"rungs: {', '.join(self.ctx.rungs)}")
        shared = self.exposed_inputs(CampaignWorkChain, agglomerate=False)
        return ToContext(
            **{
                f"{CAMPAIGN}{name}": self.submit(
                    CampaignWorkChain,
                    **shared,
                    **self.inputs.campaigns[name],
                    metadata={"call_link_label": f"{CAMPAIGN}{name}"},
                )
                for name in self.ctx.rungs
            }
        )

    def inspect_rungs(self) -> None:
        """Unlock what waits for a rung that was stable, lock all above the others."""
        unlocked: list[str] = []
        for name in self.ctx.rungs:
            campaign = self.ctx[f"{CAMPAIGN}{name}"]
            told = campaign.outputs.campaign if "campaign" in campaign.outputs else None
            if told is not None:
                self.out(f"campaigns.{name}", told)
            above = [rung for rung, below in after_of(self.inputs.conditions).items() if below == name]
            if campaign.is_finished_ok and told is not None and told["stable"]:
                unlocked += above
            else:
                self.lock(above, told)
        self.ctx.rungs = unlocked

    def lock(self, rungs: list[str], below: orm.Dict | None) -> None:
        """Tell why conditions, and all that stand on them, are not begun.

        :param below: how the one below went; None: it left no word.
        """
        went = {} if below is None else {"below": below}
        for name in rungs:
            locked = lock_rung(self.inputs.conditions[name], **went, metadata={"call_link_label": f"lock_{name}"})
            self.out(f"campaigns.{name}", locked)
            self.report(f"{name} {locked['ended_by']}")
            self.lock([rung for rung, under in after_of(self.inputs.conditions).items() if under == name], locked)


def after_of(conditions: Mapping[str, orm.Dict]) -> dict[str, str | None]:
    """Return for each condition the one it waits for, in the order of their names."""
    return {name: conditions[name].get_dict().get("after") for name in sorted(conditions)}


def validate_rungs(conditions: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Refuse conditions that are no ladder."""
    check = job_validator(ConditionSettings)
    for name, condition in conditions.items():
        if message := check(condition, context):
            return f"{name}: {message}"
    try:
        found = ladders(after_of(conditions))
    except ValueError as error:
        return f"The conditions are no ladder: {error}."
    return None if len(found) <= 1 else f"These are {len(found)} ladders, one process runs one: give it one of them."

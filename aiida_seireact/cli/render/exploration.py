"""What the report shows of learning on the fly: calls, canaries, uncertainties, condition by condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_seireact.cli.conditions import ConditionNow
from aiida_seireact.cli.render.outputs import Outputs
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.convergence import calibrate

FEWEST_LEGS = 2

Array = NDArray[Any]


@dataclass(frozen=True)
class Condition:
    """One condition of learning on the fly, at its end."""

    name: str
    numbers: dict[str, Any]
    """What `summarise_campaign` told of it."""
    settings: LegSettings | None
    arrays: dict[str, Array] = field(default_factory=dict)
    """``trace_…`` by MD step and ``canary_…`` by atom of each new label, over all legs."""

    @property
    def label_steps(self) -> list[int]:
        """MD steps at which the threshold asked for a label."""
        return [int(step) for step in self.numbers["label_steps"]]

    @property
    def shortfall(self) -> str:
        """Why it shows less of the loop than it should; empty if it shows enough."""
        lacking = []
        if self.numbers["n_legs"] < FEWEST_LEGS:
            lacking.append(f"{self.numbers['n_legs'] or 'no'} leg{'' if self.numbers['n_legs'] == 1 else 's'} only")
        if not self.label_steps:
            lacking.append("no label asked for by the threshold")
        return f"{' and '.join(lacking)}: {self.numbers['ended_by']}" if lacking else ""

    @property
    def verdict(self) -> dict[str, Any]:
        """What was said of its learning: ``verdict``, ``sentences``, …; empty of one without a leg."""
        return self.numbers.get("convergence") or {}


@dataclass(frozen=True)
class Exploration:
    """All conditions."""

    conditions: dict[str, Condition]
    numbers: dict[str, Any]

    @property
    def n_calls(self) -> int:
        """Labels asked for by the threshold."""
        return sum(len(condition.label_steps) for condition in self.conditions.values())

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's coefficient of uncertainty and force error of an atom; None of too few atoms."""
        return calibrate(*self.atoms()).rank_correlation

    def atoms(self) -> tuple[Array, Array]:
        """Return uncertainty and length of the force error of every atom of every new label, ``(n_atoms,)`` each."""
        known = [c.arrays for c in self.conditions.values() if "canary_std" in c.arrays]
        std, error = (np.concatenate([[], *(a[name] for a in known)]) for name in ("canary_std", "canary_force_error"))
        return std, error

    @property
    def verdict(self) -> dict[str, Any]:
        """What was said of the learning of all conditions together; empty where nothing was."""
        return self.numbers.get("convergence") or {}

    def content(self) -> dict[str, Any]:
        """Return the numbers as the summary has them, for a process that has none yet."""
        return {
            "n_flare_legs": self.numbers["n_legs"],
            "flare_label_steps": {name: condition.label_steps for name, condition in self.conditions.items()},
            "canary_force_rmse": self.numbers["canary_force_rmse_ev_per_ang"],
        }


def read_exploration(outputs: Outputs) -> Exploration | None:
    """Read how learning on the fly went; None while nothing is known."""
    node, arrays = outputs.find("campaigns"), outputs.find("campaign_arrays")
    if node is None:
        return None
    numbers = node.get_dict()
    # A campaign alone tells of one condition.
    told = numbers.get("conditions") or {"this condition": numbers}
    settings = _settings_of(outputs.top)
    columns = {} if arrays is None else {name: arrays.get_array(name) for name in arrays.get_arraynames()}
    conditions = {}
    for name, condition in told.items():
        prefix = f"{name}__" if "conditions" in numbers else ""
        mine = {key.removeprefix(prefix): values for key, values in columns.items() if key.startswith(prefix)}
        conditions[name] = Condition(name, condition, settings.get(name), mine)
    return Exploration(conditions, numbers)


def _settings_of(top: orm.ProcessNode) -> dict[str, LegSettings]:
    """Return the settings of the legs by condition, from the inputs of a study, an exploration or a campaign."""
    found = {}
    for entry in top.base.links.get_incoming(node_class=orm.Dict).all():
        if entry.link_label.startswith("conditions__"):
            found[entry.link_label.removeprefix("conditions__")] = entry.node["leg"]
        elif entry.link_label == "parameters" and top.process_label == "CampaignWorkChain":
            found["this condition"] = entry.node.get_dict()
    return {name: LegSettings.model_validate(settings) for name, settings in found.items()}


def so_far(conditions: tuple[ConditionNow, ...]) -> list[str]:
    """Return a sentence on each condition that is under way."""
    return [
        f"{condition.name} ({condition.state}) has reached step {condition.step} in {condition.n_legs} "
        f"leg{'' if condition.n_legs == 1 else 's'}, {condition.n_calls} ended by a call for a label"
        for condition in conditions
    ]


def trust(correlation: float | None) -> str:
    """Say what the rank correlation of uncertainty and error means; nothing where it is not known."""
    if correlation is None:
        return ""
    if correlation >= 0.5:
        return "where the model says it does not know, it is indeed more often wrong."
    if correlation >= 0.2:
        return "uncertainty tells of errors, but only roughly."
    return "here uncertainty says little about the errors: it flags what is new, not what is wrong."

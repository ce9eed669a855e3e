"""Lines that look at MD: runs of the model and of the labeller are made side by side, or handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.stages import refusal_of
from aiida_seireact.workchains.validate import ValidateWorkChain
from tests.models import SHORT_MD, compiled_card
from tests.programs.conftest import SPECIES, crystal

LJ = {"sigma": 2.45, "epsilon": 0.2, "rc": 4.5, "smooth": True}
RUN = {"phases": ["salt"], "steps": 40, "frames_every": 5, "timestep_fs": 1.0, "length_ang": 7.0}
NO_DRIFT = {"drift_max_mev_per_atom_per_ps": None}  # runs of 40 fs
STABLE = {"test": "stability", **RUN, **NO_DRIFT, "volume_change_max": 0.5, "distance_min_ang": 1.0}
LINES: dict[str, Any] = {
    "stable": STABLE,
    "structure": {"test": "rdf", **RUN, "pairs": ["Li-S"], "target": {"max": 1.0}},
}
HANDED_IN = {
    "test": "stability",
    "handed_in": ["before"],
    **NO_DRIFT,
    "volume_change_max": 0.5,
    "distance_min_ang": 1.0,
}


@pytest.fixture(scope="module")
def inputs(trained: Any, potential: PotentialData, program_code: Callable[..., orm.InstalledCode]) -> dict[str, Any]:
    """Return a package, the compiled file of it, and all else but the scorecard."""
    card = {**compiled_card(SPECIES), "kind": "allegro-package", "target": ""}
    cell = crystal((1, 1, 1))
    cell.info.update(config_type="salt", group="phase/salt")
    base = {name: SHORT_MD[name] for name in ("tau_t_ps", "tau_p_ps", "thermo_every")}
    return {
        "potential": PotentialData(trained.package, card=card).store(),
        "compiled": potential,
        "phases": FramesData.from_ase([cell]).store(),
        "codes": {name: program_code(name) for name in ("validate", "label", "lmp")},
        "label": orm.Dict({"task": "label", "calculator": {"name": "lj", "kwargs": LJ}}),
        "md": orm.Dict({"md": base}),
    }


@pytest.fixture(scope="module")
def made(inputs: dict[str, Any]) -> orm.WorkChainNode:
    _, node = run_get_node(ValidateWorkChain, scorecard=orm.Dict({"lines": LINES}), **inputs)
    return node


def test_runs_of_model_and_labeller_are_made_and_measured(made: orm.WorkChainNode) -> None:
    assert made.is_finished_ok, made.exit_message
    links = {child.base.attributes.get("process_label") for child in made.called_descendants}
    assert {"ProduceWorkChain", "AimdWorkChain", "EvaluateWorkChain"} <= links
    verdict = made.outputs.verdict.get_dict()
    by_line: dict[str, list[dict[str, Any]]] = {}
    for line in verdict["lines"]:
        by_line.setdefault(line["name"], []).append(line)
    assert {"largest hole over its limit", "temperature over its limit"} <= {
        line["quantity"] for line in by_line["stable"]
    }
    assert all(line["value"] is not None for line in by_line["stable"])
    (structure,) = by_line["structure"]
    assert structure["subject"] == "salt Li-S"
    assert 0 <= structure["value"] <= 1
    assert verdict["dataset_hash"] == ""
    assert len(made.outputs.trajectories) == 2  # npt for one line, nvt for the other


def test_a_run_that_is_handed_in_is_looked_at_and_none_is_made(made: orm.WorkChainNode, inputs: dict[str, Any]) -> None:
    name = next(name for name in made.outputs.trajectories if made.outputs.trajectories[name])
    runs = {"before": made.outputs.trajectories[name]}
    given = {name: node for name, node in inputs.items() if name not in ("compiled", "md", "label")}
    card = orm.Dict({"lines": {"interface": HANDED_IN}})
    _, node = run_get_node(ValidateWorkChain, scorecard=card, runs=runs, **given)
    assert node.is_finished_ok, node.exit_message
    jobs = [child.process_label for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]
    assert jobs == ["ValidateCalculation"]
    lines = node.outputs.verdict["lines"]
    assert {line["subject"] for line in lines} == {"before"}
    assert all(line["value"] is not None for line in lines)


def test_what_belongs_to_another_model_or_is_missing_is_refused(
    made: orm.WorkChainNode, inputs: dict[str, Any]
) -> None:
    run = next(iter(made.outputs.trajectories.values()))
    card = orm.Dict({"lines": {"interface": HANDED_IN}})
    with inputs["potential"].open(mode="rb") as file:
        other = PotentialData(file, card={**inputs["potential"].card, "model_hash": "n"})
    said = refusal_of(ValidateWorkChain, {**inputs, "scorecard": card})
    assert "looks at the run before, which must be handed in" in said
    foreign = {**inputs, "potential": other, "scorecard": card, "runs": {"before": run}}
    foreign.pop("compiled")
    assert "runs.before is a run of model m, not of n" in refusal_of(ValidateWorkChain, foreign)
    lines = orm.Dict({"lines": {"stable": STABLE}})
    mixed = {**inputs, "potential": other, "scorecard": lines}
    assert "`compiled` was not made of `potential`" in refusal_of(ValidateWorkChain, mixed)
    bare = {name: node for name, node in inputs.items() if name not in ("compiled", "md")}
    said = refusal_of(ValidateWorkChain, {**bare, "scorecard": lines})
    assert "Line stable runs MD of the model: give `compiled`, hand in the run as `runs.salt_300k_" in said


def test_a_model_that_flies_apart_is_rejected_not_a_failure(made: orm.WorkChainNode, inputs: dict[str, Any]) -> None:
    hot = {**STABLE, "temperature_k": 30000.0, "steps": 60, "timestep_fs": 2.0}
    stop = orm.Dict({**inputs["md"].get_dict(), "engine": {"stop": {"distance_min_ang": 1.5}}})
    given = {**inputs, "md": stop, "scorecard": orm.Dict({"lines": {"stable": hot}})}
    _, node = run_get_node(ValidateWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    verdict = node.outputs.verdict.get_dict()
    assert verdict["decision"] == "rejected"
    assert any(
        "ended early" in line["quantity"] or line["value"] is None for line in verdict["lines"] if not line["passed"]
    )

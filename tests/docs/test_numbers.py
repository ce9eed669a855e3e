"""Sizes and limits that the pages tell are those of the protocol ``fast``."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_seireact.formats.jobs.flare import GuardSettings
from aiida_seireact.science.sampling import CONFIG_TYPES
from aiida_seireact.science.structures import interface_cell, production_cell, training_cell
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.react import ReactWorkChain
from aiida_seireact.workchains.train import TrainWorkChain
from tests.docs._pages import DOCS, ROOT, table


@pytest.fixture(scope="module")
def react() -> dict[str, Any]:
    return ReactWorkChain.get_protocol_inputs("fast")


def test_the_training_set_is_told_kind_by_kind(react: dict[str, Any]) -> None:
    rows = {row[0].strip("`"): int(row[1]) for row in table(DOCS / "topics" / "training_set.md", "sampling")}
    assert rows == {CONFIG_TYPES[name]: draw["count"] for name, draw in react["sampling"].items() if name != "seed"}


def test_the_frames_of_augmentation_are_told_run_by_run() -> None:
    rows = table(DOCS / "topics" / "augmentation.md", "augment")
    runs = AugmentWorkChain.get_protocol_inputs("fast")["select"]["runs"]
    told = {row[0].strip("`"): (int(row[1]), int(row[2])) for row in rows}
    assert told == {name: (run["learned"], run["held_out"]) for name, run in runs.items()}
    assert {row[0].strip("`"): int(row[3]) for row in rows} == {
        "production": len(production_cell()),
        "training": len(training_cell()),
    }


def test_every_condition_has_the_thresholds_that_are_told() -> None:
    rows = table(DOCS / "topics" / "active_learning.md", "thresholds")
    told = {row[0].strip("`"): float(row[1]) for row in rows}
    conditions = ExploreWorkChain.get_protocol_inputs("fast")["conditions"]
    campaign = CampaignWorkChain.get_protocol_inputs("fast")["parameters"]
    for leg in [campaign, *(condition["leg"] for condition in conditions.values())]:
        assert {name: leg[name] for name in told} == told


def test_the_guards_of_a_leg_are_told() -> None:
    rows = table(DOCS / "topics" / "active_learning.md", "guard")
    assert {row[0].strip("`"): float(row[1].split()[0]) for row in rows} == GuardSettings().model_dump()


def test_the_budget_names_the_sizes_of_the_demo(react: dict[str, Any]) -> None:
    drawn = sum(react["sampling"][name]["count"] for name in CONFIG_TYPES)
    epochs = TrainWorkChain.get_protocol_inputs("fast")["parameters"]["settings"]["max_epochs"]
    md = ProduceWorkChain.get_protocol_inputs("fast")["parameters"]["md"]
    cell = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in react["structures"]["production"].items()
    }
    n_atoms = len(interface_cell(seed=0, **cell))
    told = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- budget -->")[1]
    assert f"{drawn} drawn frames" in told
    assert f"{epochs} epochs" in told
    assert f"{n_atoms} atoms, {md['steps']:,} steps of {md['timestep_fs']:g} fs" in told


@pytest.mark.parametrize(
    ("page", "marker", "values"),
    [
        ("stop_rule", "stop", ProduceWorkChain.get_protocol_inputs("fast")["parameters"]["engine"]["stop"]),
        ("classification", "gates", ClassifyWorkChain.get_protocol_inputs("fast")["parameters"]["gates"]),
    ],
)
def test_limits_are_told_as_they_are(page: str, marker: str, values: dict[str, float]) -> None:
    rows = table(DOCS / "topics" / f"{page}.md", marker)
    assert {row[0].strip("`"): float(row[1].split()[0]) for row in rows} == values


def test_the_limit_of_a_reference_run_is_told(react: dict[str, Any]) -> None:
    limit = react["references"]["force_error_limit"]
    assert f"({limit:g} of the rms force in `fast`)" in (DOCS / "topics" / "classification.md").read_text("utf-8")

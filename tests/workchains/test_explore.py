"""Conditions side by side: what one loses, the others keep; a mistake is told when it is submitted."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase.build import bulk

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.explore import ExploreWorkChain
from tests.workchains.conftest import EMT_LABELS, HOT, alloy, labelled, strained


def copper(count: int) -> list[Any]:
    """Return four atoms of copper, rattled and strained."""
    images = []
    for seed in range(count):
        atoms = bulk("Cu", a=3.55 + 0.02 * seed, cubic=True)
        atoms.rattle(0.05, seed=seed)
        atoms.info.update(config_type="copper", group=f"copper-{seed}")
        images.append(atoms)
    return images


def condition(system: str, **leg: Any) -> dict[str, Any]:
    """Return a condition of one leg."""
    return {
        "system": system,
        "seeds": {"types": [system], "count": 5},
        "campaign": {"max_legs": 1},
        "leg": {**HOT, **leg},
    }


@pytest.fixture
def exploration(program_code, moody_labeller):
    """Return a factory of inputs: the alloy can be labelled, copper can't."""
    moody = moody_labeller("len(atoms) == 4")
    given = {
        "codes": {"flare": program_code("flare"), "label": moody["code"]},
        "systems": {
            "alloy": FramesData.from_ase([alloy(rattle_ang=0.0)]),
            "copper": FramesData.from_ase(copper(1)),
        },
        "labelled": labelled([*strained(), *copper(6)], moody["settings_hash"]),
        "engine": orm.Str("seireact.label.ase"),
        "label": orm.Dict(moody["parameters"]),
        "batch_size": orm.Int(100),
    }

    def make(max_failed: int) -> dict[str, Any]:
        conditions = {"alloy_900": condition("alloy"), "copper_900": condition("copper")}
        return {
            **given,
            "conditions": {name: orm.Dict(value) for name, value in conditions.items()},
            "limits": orm.Dict({"max_failed": max_failed}),
        }

    return make


@pytest.mark.slow
def test_frames_of_a_failed_campaign_never_enter(exploration):
    with enable_caching():
        outputs, node = run_get_node(ExploreWorkChain, **exploration(max_failed=1))
    assert node.is_finished_ok, node.exit_message
    told = outputs["campaigns"]
    assert told["failed"] == ["copper_900"]
    assert "the electrons did not converge" in told["conditions"]["copper_900"]["ended_by"]
    assert told["conditions"]["alloy_900"]["n_labels"] == told["n_labels"] == len(outputs["frames"])
    assert told["n_legs"] == 2
    assert set(outputs["frames"].frames.config_type.tolist()) == {"alloy"}
    assert set(outputs["gps"]) == {"alloy_900"}
    assert all(name.startswith("alloy_900__") for name in outputs["arrays"].get_arraynames())
    assert outputs["gps"]["alloy_900"].species == ["Al", "Cu"]

    with enable_caching():
        outputs, node = run_get_node(ExploreWorkChain, **exploration(max_failed=0))
    assert node.exit_status == 480
    assert "1 of 2 campaigns failed, none may; the first: copper_900" in node.exit_message
    assert "the electrons did not converge" in node.exit_message
    assert "frames" not in outputs
    assert outputs["campaigns"].get_dict() == told.get_dict()


@pytest.mark.slow
def test_a_rung_begins_after_the_one_below_was_stable_and_not_else(exploration):
    given = exploration(max_failed=0)
    guard = {"volume_ratio_min": 0.999, "volume_ratio_max": 1.001}
    conditions = {
        "base": {**condition("alloy", temperature_k=300.0, steps=10)},
        "strained": {**condition("alloy", temperature_k=300.0, steps=10, seed=1), "strain": 0.02, "after": "base"},
        # Its guard ends it, so nothing may stand on it.
        "frail": {
            **condition("alloy", ensemble="npt", pressure_gpa=20.0, tau_p_fs=50.0, guard=guard, steps=50),
            "after": "base",
        },
        "above": {**condition("alloy"), "after": "frail"},
        "top": {**condition("alloy"), "after": "above"},
    }
    given["conditions"] = {name: orm.Dict(value) for name, value in conditions.items()}
    outputs, node = run_get_node(ExploreWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    told = outputs["campaigns"]
    assert told["failed"] == []
    assert told["locked"] == ["above", "top"]
    assert told["conditions"]["frail"]["status"] == "stopped"
    assert told["conditions"]["above"]["ended_by"].startswith("not begun: frail was not stable (the guard stopped it")
    assert told["conditions"]["top"]["ended_by"].startswith("not begun: above was not stable (not begun: frail")
    assert set(outputs["gps"]) == {"base", "strained", "frail"}
    (ladder,) = [child for child in node.called if child.process_label == "LadderWorkChain"]
    begun = ladder.base.links.get_outgoing(node_class=orm.WorkChainNode, link_type=LinkType.CALL_WORK).all()
    campaigns = {entry.link_label: entry.node for entry in begun}
    assert len(campaigns) == 3
    start = campaigns["campaign_strained"].inputs.start
    assert start.creator.process_label == "strain_cell"
    assert start.to_ase(0).get_volume() == pytest.approx(1.02**3 * given["systems"]["alloy"].to_ase(0).get_volume())
    assert campaigns["campaign_base"].mtime <= campaigns["campaign_strained"].ctime


# ------------------------------------------------------------------ mistakes, told at submission
def complaint(localhost: orm.Computer, conditions: dict[str, Any], **inputs: Any) -> str | None:
    """Return what is said about an exploration when it is submitted."""
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true")
        for name in ("flare", "label")
    }
    given = {
        "codes": codes,
        "systems": {"alloy": FramesData.from_ase([alloy()])},
        "labelled": labelled(strained(2)),
        "conditions": {name: orm.Dict(value) for name, value in conditions.items()},
        "limits": orm.Dict({"max_failed": 0}),
        "engine": orm.Str("seireact.label.ase"),
        "label": orm.Dict(EMT_LABELS),
        "batch_size": orm.Int(10),
        **inputs,
    }
    error = ExploreWorkChain.spec().inputs.validate(given)
    return None if error is None else str(error)


@pytest.fixture
def localhost(aiida_localhost):
    return aiida_localhost


def test_a_good_exploration_passes(localhost):
    assert complaint(localhost, {"hot": condition("alloy")}) is None


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"hot": condition("brass")}, "of system 'brass', but there is only alloy"),
        ({"hot": condition("alloy", call_threshold=1.0)}, "relative to the signal, so it is at most 1"),
        ({"hot": condition("alloy", call_threshold=0)}, "0 and less always"),
        ({"hot": condition("alloy", learn_threshold=0.5)}, "the environment that stopped the run would not be learned"),
        ({"hot": condition("alloy", temperature=300)}, "leg.temperature"),
        ({"hot": {**condition("alloy"), "seeds": {"types": ["brass"]}}}, "type brass, but labelled are alloy"),
        ({"hot": {**condition("alloy"), "campaign": {"max_legs": 0}}}, "max_legs"),
        ({"very__hot": condition("alloy")}, "single underscores"),
        ({f"hot{number}": condition("alloy") for number in range(65)}, "65 conditions are more than one process"),
        ({}, "There is no condition to explore"),
        ({"hot": {**condition("alloy"), "after": "warm"}}, "condition 'hot' waits for 'warm', which is none of them"),
        (
            {name: {**condition("alloy"), "after": after} for name, after in (("hot", "cold"), ("cold", "hot"))},
            "conditions wait for each other: cold after hot after cold",
        ),
        (
            {f"h{n:02d}": {**condition("alloy"), "after": f"h{n - 1:02d}" if n else None} for n in range(21)},
            "The ladder on 'h00' has 21 rungs, one process takes 20",
        ),
        ({"hot": {**condition("alloy"), "strain": -1.0}}, "strain"),
    ],
)
def test_each_mistake_is_told_by_name(conditions, words, localhost):
    assert words in complaint(localhost, conditions)


def test_unlabelled_first_frames_are_refused(localhost):
    frames = FramesData.from_ase(strained(2), labels="ignore")
    assert "label them first" in complaint(localhost, {"hot": condition("alloy")}, labelled=frames)


def test_a_system_is_one_periodic_frame(localhost):
    systems = {"alloy": FramesData.from_ase([alloy(), alloy(seed=1)])}
    assert "alloy: A condition starts from one frame, but 2 are given" in complaint(
        localhost, {"hot": condition("alloy")}, systems=systems
    )


def test_limits_and_labels_are_checked_too(localhost):
    good = {"hot": condition("alloy")}
    assert "max_failed" in complaint(localhost, good, limits=orm.Dict({"max_failed": -1}))
    assert "dance" in complaint(localhost, good, label=orm.Dict({**EMT_LABELS, "task": "dance"}))
    assert "at least one frame" in complaint(localhost, good, batch_size=orm.Int(0))


def test_the_protocol_fits_what_it_is_made_for(localhost):
    systems = {
        name: FramesData.from_ase([atoms]) for name, atoms in (("interface", alloy()), ("Li6PS5Cl", copper(1)[0]))
    }
    first = strained(3)
    for atoms, name in zip(first, [*systems, "interface-expanded"], strict=True):
        atoms.info["config_type"] = name
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true")
        for name in ("flare", "label")
    }
    builder = ExploreWorkChain.get_builder_from_protocol(
        systems, labelled(first), codes=codes, overrides={"conditions": {"interface_600": None}}
    )
    assert sorted(builder.conditions) == ["Li6PS5Cl_300", "interface_300"]
    assert ExploreWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


def test_a_cell_of_another_size_than_the_paper_s_is_refused(localhost):
    codes = {
        name: orm.InstalledCode(label=name, computer=localhost, filepath_executable="/bin/true")
        for name in ("flare", "label")
    }
    systems = {"Li": FramesData.from_ase([bulk("Li", cubic=True).repeat(2)])}
    only = {
        name: None
        for name in ExploreWorkChain.get_protocol_inputs("paper")["conditions"]
        if name not in ("Li_300K", "Li_5percent")
    }

    def build(**overrides: Any) -> Any:
        return ExploreWorkChain.get_builder_from_protocol(
            systems, labelled(strained(1)), codes, "paper", {"conditions": only, **overrides}
        )

    with pytest.raises(ValueError, match="explores 'Li' in 54 atoms, the cell given has 16"):
        build()
    builder = build(systems={"Li": None})
    assert sorted(builder.conditions) == ["Li_300K", "Li_5percent"]
    assert builder.label["incar"]["encut"] == 650

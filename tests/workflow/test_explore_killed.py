"""Learning under five conditions of two cells, undisturbed and with a worker and a leg killed: the same frames."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import psutil
import pytest
from aiida import orm
from aiida.engine import ProcessBuilder, submit
from aiida.engine.daemon.client import DaemonClient
from aiida.tools import delete_nodes
from ase import Atoms
from ase.build import bulk

from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.cli.conditions import conditions_now
from aiida_seireact.data.frames import FramesData
from aiida_seireact.query.family import family_of
from aiida_seireact.science.structures import argyrodite
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.label import LabelWorkChain
from tests.workflow.conftest import describe, wait_for, wait_until
from tests.workflow.test_kill import programs_of

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

LEG: dict[str, Any] = {
    "ensemble": "nvt",
    "temperature_k": 300.0,
    "steps": 40,
    "timestep_fs": 2.0,
    "call_threshold": 0.15,
    "learn_threshold": 0.03,
    "label_every": 10,
    "gap_steps": 5,
    "gp": {"n_max": 4, "l_max": 2, "cutoff_ang": 4.5, "optimise_at": [1]},
}
CELLS = {
    "Li": bulk("Li", "bcc", a=3.42, cubic=True).repeat(2),
    "Li6PS5Cl": argyrodite(seed=3, half_cell=True),
}
RULE = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}


def condition(system: str, seed: int, *, after: str | None = None, strain: float = 0.0, **leg: Any) -> dict[str, Any]:
    """Return a condition of two legs."""
    thresholds = {"call_threshold": 0.004, "learn_threshold": 0.001} if system == "Li" else {}
    return {
        "system": system,
        "strain": strain,
        "after": after,
        "seeds": {"types": [system], "count": 6},
        "campaign": {"max_legs": 2},
        "leg": {**LEG, **thresholds, **leg, "seed": seed},
    }


# Four begin at once, the fifth when the first of them was stable.
CONDITIONS = {
    "Li_300": condition("Li", 1),
    "Li_600": condition("Li", 2, temperature_k=600.0, after="Li_300"),
    "Li_stretched": condition("Li", 3, strain=0.05),
    "Li6PS5Cl_300": condition("Li6PS5Cl", 4),
    "Li6PS5Cl_600": condition("Li6PS5Cl", 5, temperature_k=600.0),
}


def strained(cell: Atoms, name: str, number: int) -> Atoms:
    """Return a rattled and strained copy of a cell."""
    atoms = cell.copy()
    atoms.set_cell(cell.cell * (0.96 + 0.02 * number), scale_atoms=True)
    atoms.rattle(stdev=0.05, rng=np.random.default_rng(number))
    atoms.info = {"config_type": name, "group": f"{name}-{number}"}
    return atoms


@pytest.fixture(scope="module")
def labelled(daemon: DaemonClient) -> FramesData:
    """Return six labelled frames of each cell."""
    images = [strained(cell, name, number) for name, cell in CELLS.items() for number in range(6)]
    node = wait_for(submit(LabelWorkChain.get_builder_from_protocol(FramesData.from_ase(images))), 300)
    assert node.is_finished_ok, describe(node)
    return node.outputs.frames


def exploration(labelled: FramesData) -> ProcessBuilder:
    """Return the exploration, to be submitted."""
    systems = {}
    for name, cell in CELLS.items():
        atoms = cell.copy()
        atoms.info = {"config_type": name, "group": f"{name}/cell"}
        systems[name] = FramesData.from_ase([atoms])
    others = dict.fromkeys(ExploreWorkChain.get_protocol_inputs()["conditions"])
    return ExploreWorkChain.get_builder_from_protocol(
        systems, labelled, overrides={"conditions": {**others, **CONDITIONS}}
    )


def content_of(node: orm.WorkChainNode) -> dict[str, Any]:
    """Return what must not depend on what was killed."""
    assert node.is_finished_ok, describe(node)
    told = node.outputs.campaigns.get_dict()
    assert not told["failed"] + told["locked"], told
    assert set(told["conditions"]) == set(CONDITIONS)
    return {
        "frames": node.outputs.frames.content_hash,
        "dataset": make_dataset(orm.Dict(RULE), first=node.inputs.labelled, explore=node.outputs.frames).content_hash,
        "campaigns": told,
        "gps": {name: gp.base.attributes.get("model_hash") for name, gp in node.outputs.gps.items()},
    }


def workers_of(daemon: DaemonClient) -> list[psutil.Process]:
    """Return the living workers of a daemon."""
    pid = daemon.get_daemon_pid()
    assert pid is not None
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        # One that was just killed is a zombie.
        with contextlib.suppress(psutil.Error):
            found += [process] if "worker" in process.cmdline() else []
    return found


def at_once(node: orm.WorkChainNode) -> int:
    """Return how many conditions are under way."""
    return sum(condition.state == "running" for condition in conditions_now(family_of(node)))


def test_five_conditions_killed_twice_give_the_same_dataset(daemon: DaemonClient, labelled: FramesData) -> None:
    undisturbed = submit(exploration(labelled))
    side_by_side = wait_until(lambda: at_once(undisturbed) >= 3 and at_once(undisturbed), 120)
    assert side_by_side >= 3
    expected = content_of(wait_for(undisturbed, 600))
    assert any(one["label_steps"] for one in expected["campaigns"]["conditions"].values())
    # Nothing is left that the second run could be answered with, neither a job nor a label.
    delete_nodes([undisturbed.pk], dry_run=False)

    killed = submit(exploration(labelled))
    leg = wait_until(lambda: programs_of(killed, "seireact-flare"), 120, lambda: describe(killed))[0]
    leg.kill()
    wait_until(lambda: programs_of(killed, "seireact-label"), 240, lambda: describe(killed))
    before = {process.pid for process in workers_of(daemon)}
    worker = workers_of(daemon)[0]
    worker.kill()
    wait_until(lambda: {process.pid for process in workers_of(daemon)} - before, 60)
    found = content_of(wait_for(killed, 600))

    legs = [node for node in killed.called_descendants if node.process_label == "FlareCalculation"]
    assert any(node.exit_status == 410 for node in legs)
    assert not any(node.base.caching.is_created_from_cache for node in legs if node.is_finished_ok)
    assert found == expected

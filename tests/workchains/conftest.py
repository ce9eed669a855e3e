"""Learning in miniature: copper and aluminium by EMT, in seconds, with the real programs in this process."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.augment_inputs import PROGRAMS
from aiida_seireact.workchains.protocol import merge
from aiida_seireact.workchains.train import TrainWorkChain
from tests.computers import local_computer
from tests.models import compiled_card
from tests.programs.conftest import SPECIES

EMT_LABELS = {"task": "label", "calculator": {"name": "emt"}}
# Unsure every few steps: a small kernel, few first frames, a hot start.
HOT: dict[str, Any] = {
    "temperature_k": 900.0,
    "steps": 60,
    "timestep_fs": 2.0,
    "call_threshold": 0.012,
    "learn_threshold": 0.005,
    "label_every": 5,
    "gap_steps": 3,
    "gp": {"cutoff_ang": 4.0, "n_max": 3, "l_max": 2, "first_atoms": 2, "optimise_at": []},
}

SPLIT = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}
QUICK = {"r_max": 4.0, "max_epochs": 4, "ema_decay": 0.5, "zbl": False}
# 30 frames of 8 atoms; a stop rule so narrow that a small volume ends the larger cell's run early.
HOT_MD = {"ensemble": "nvt", "temperature_k": 900.0, "steps": 150, "dump_every": 5, "timestep_fs": 2.0}
STOP = {"volume_ratio_min": 0.9, "volume_ratio_max": 1.1, "hole_radius_max_ang": 9.0, "distance_min_ang": 2.3}
OVERRIDES: dict[str, Any] = {
    "label": EMT_LABELS,
    "md": {
        "production": {"md": HOT_MD, "engine": {"stop": STOP, "check_every": 5}},
        "training": {"md": HOT_MD, "engine": {"stop": None}},
    },
    "select": {
        "runs": {"production": {"learned": 2, "held_out": 1}, "training": {"learned": 6, "held_out": 3}},
        "gap_frames": 1,
        "min_learned": 5,
        "min_held_out": 3,
    },
    "extend": {"force_limit_ev_per_ang": 60.0, "min_learned": 4, "min_held_out": 3},
    "train": {"settings": {**QUICK, "max_epochs": 6}},
    "validate": None,
}

CARD: dict[str, Any] = {
    "species": ["Al", "Cu"],
    "cutoff_ang": 4.0,
    "model_hash": "m",
    "dataset_hash": "d",
    "versions": {},
    "metrics": {},
}

# A labeller that breaks on some frames, as an electronic structure that does not converge.
MOODY = """
from itertools import count

from ase.calculators.emt import EMT


CALLS = count()


class Moody(EMT):
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if {condition}:
            raise RuntimeError("the electrons did not converge")
        super().calculate(atoms, properties, system_changes)


def make():
    return Moody()
"""


def alloy(volume_ratio: float = 1.0, *, seed: int = 0, rattle_ang: float = 0.05) -> Atoms:
    """Return 8 rattled atoms of Cu3Al."""
    atoms = bulk("Cu", a=3.7, cubic=True).repeat((2, 1, 1))
    atoms.symbols[[0, 4]] = "Al"
    atoms.set_cell(atoms.cell * volume_ratio ** (1 / 3), scale_atoms=True)
    atoms.rattle(rattle_ang, seed=seed)
    atoms.info.update(config_type="alloy", group=f"alloy-{seed}")
    return atoms


@pytest.fixture(scope="module")
def this_machine(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """Return this machine as a computer that is never waited for; one a module, since tests empty the profile."""
    return local_computer(tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def program_code(this_machine: orm.Computer) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes of our programs, as installed beside this Python."""

    def make(program: str, prepend_text: str = "") -> orm.InstalledCode:
        return orm.InstalledCode(
            label=f"seireact-{program}",
            computer=this_machine,
            filepath_executable=str(Path(sys.executable).parent / f"seireact-{program}"),
            prepend_text=f"export OMP_NUM_THREADS=1\n{prepend_text}",
        ).store()

    return make


@pytest.fixture(scope="module")
def potential(aiida_profile: Any, trained: Any, compiled: dict[str, Any]) -> PotentialData:
    """Return the compiled model of the session."""
    return PotentialData(trained.compiled, card=compiled_card(SPECIES)).store()


def labelled(images: Iterable[Atoms], settings_hash: str = "") -> FramesData:
    """Return frames with labels of EMT."""
    images = list(images)
    for atoms in images:
        atoms.calc = EMT()
        atoms.get_stress()
    settings_hash = settings_hash or load_labeller(CalculatorSettings(name="emt")).card.settings_hash
    return FramesData.from_ase(images, labels="required", settings_hash=settings_hash)


def strained(count: int = 8) -> list[Atoms]:
    """Return frames of the alloy from 0.92 to 1.1 of its volume."""
    return [alloy(ratio, seed=seed) for seed, ratio in enumerate(np.linspace(0.92, 1.1, count))]


@pytest.fixture
def moody_labeller(
    tmp_path: Path, program_code: Callable[..., orm.InstalledCode], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, Any]]:
    """Return a factory of `code`, `parameters` and `settings_hash` of an EMT that fails where `condition` holds."""

    def make(condition: str) -> dict[str, Any]:
        name = f"moody_{secrets.token_hex(4)}"
        (tmp_path / f"{name}.py").write_text(MOODY.format(condition=condition), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        settings = {"name": f"{name}:make", "allow_import": True}
        return {
            "code": program_code("label", f"export PYTHONPATH={tmp_path}"),
            "parameters": {"task": "label", "calculator": settings},
            "settings_hash": load_labeller(CalculatorSettings(**settings)).card.settings_hash,
        }

    return make


# ---------------------------------------------------------------- a model of the alloy that learns from its own runs
@pytest.fixture(scope="module")
def alloy_model(
    program_code: Callable[..., orm.InstalledCode],
) -> tuple[dict[str, orm.InstalledCode], orm.WorkChainNode]:
    """Return codes, and the training of a model that has seen the alloy cold."""
    codes = {name: program_code(name) for name in PROGRAMS}
    images = [alloy(ratio, seed=seed, rattle_ang=0.1) for seed, ratio in enumerate(np.linspace(0.95, 1.06, 20))]
    dataset = make_dataset(orm.Dict(SPLIT), all=labelled(images))
    with enable_caching():
        _, node = run_get_node(
            TrainWorkChain,
            dataset=dataset,
            code=codes["train"],
            parameters=orm.Dict({"settings": QUICK}),
            compile_code=codes["compile"],
            compile=orm.Dict({"target": "pair_allegro", "device": "cpu"}),
        )
    assert node.is_finished_ok, node.exit_message
    return codes, node


@pytest.fixture(scope="module")
def augment_builder(alloy_model: Any) -> Callable[..., Any]:
    """Return a factory of rounds."""
    codes, model = alloy_model

    def make(overrides: dict[str, Any] | None = None, **gps: PotentialData) -> Any:
        outputs = model.outputs
        return AugmentWorkChain.get_builder_from_protocol(
            dataset=model.inputs.dataset,
            potential=outputs.potential,
            compiled=outputs.compiled,
            reference_energies=outputs.reference_energies,
            cells={
                "production": FramesData.from_ase([alloy(rattle_ang=0.01).repeat((1, 2, 1))]),
                "training": FramesData.from_ase([alloy(rattle_ang=0.01)]),
            },
            gps=gps,
            codes=codes,
            overrides=merge(OVERRIDES, overrides or {}),
        )

    return make


@pytest.fixture(scope="module")
def cold_process(gp_that_knows: Any, tmp_path_factory: pytest.TempPathFactory, aiida_profile: Any) -> PotentialData:
    """Return a Gaussian process that knows the alloy at rest."""
    path = tmp_path_factory.mktemp("gp") / "sgp.npz"
    gp = gp_that_knows([alloy(rattle_ang=0.01)], ("Al", "Cu"))
    save_gp(path, gp)
    card = {**CARD, "kind": "sgp", "model_hash": gp.content_hash}
    return PotentialData(path, card=card).store()

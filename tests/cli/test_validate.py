"""``validate``, ``models`` and ``compare``: what is told before, one validation for real, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.calculators.lj import LennardJones
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.cli.models import newest_verdict
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.science.sparse_gp import SparseGP
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.workchains.validate import ValidateWorkChain
from tests.computers import local_computer
from tests.verdicts import verdict_on

LJ = {"sigma": 2.2, "epsilon": 0.3, "rc": 5.0}
OVERRIDES = """
label: {task: label, calculator: {name: lj, kwargs: {sigma: 2.2, epsilon: 0.3, rc: 5.0}}}
scorecard:
  lines:
    {reaction: null, volumes: null, volumes of products: null, lithium stays: null, electrolyte stays: null,
     energies by type: null, forces by type: null}
"""


@pytest.fixture(scope="module")
def machine(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.Computer:
    """This machine under the name that protocols look on, with the two programs."""
    computer = local_computer(tmp_path_factory.mktemp("scratch"))
    others = orm.QueryBuilder().append(orm.Computer, filters={"label": "localhost"}).all(flat=True)
    for other in others:
        other.label = f"{computer.label}-other"
    computer.label = "localhost"
    for program in ("validate", "label"):
        path = str(Path(sys.executable).parent / f"seireact-{program}")
        orm.InstalledCode(label=f"seireact-{program}-0", computer=computer, filepath_executable=path).store()
    return computer


@pytest.fixture(scope="module")
def dataset(machine: orm.Computer) -> DatasetData:
    """Frames of Li2S with labels of Lennard-Jones."""
    rng, images = np.random.default_rng(0), []
    (crystal,) = phase_cells(["Li2S"])
    for number in range(6):
        atoms = crystal.copy()
        atoms.rattle(0.05, rng=rng)
        atoms.info.update(config_type="Li2S", group=f"g{number}")
        atoms.calc = LennardJones(**LJ)
        atoms.get_stress()
        images.append(atoms)
    level = load_labeller(CalculatorSettings(name="lj", kwargs=LJ)).card.settings_hash
    shard = FramesData.from_ase(images, labels="required", settings_hash=level).store()
    split = np.array(["train", "train", "train", "val", "test", "test"])
    return DatasetData([shard.frames], [split]).store()


@pytest.fixture
def model(dataset: DatasetData, sparse_gp: Callable[..., SparseGP], tmp_path: Path) -> Callable[[int], PotentialData]:
    """Return a factory of processes with made-up weights, which are right about nothing."""

    def make(seed: int) -> PotentialData:
        (known,) = phase_cells(["Li6PS5Cl"])
        gp = sparse_gp(known, seed=seed)
        save_gp(tmp_path / f"sgp_{seed}.npz", gp)
        card = {
            "kind": "sgp",
            "species": list(gp.species),
            "cutoff_ang": gp.cutoff_ang,
            "model_hash": gp.content_hash,
            "dataset_hash": dataset.content_hash,
            "versions": {},
            "metrics": {"energy_rmse_mev_per_atom": 12.34, "force_rmse_ev_per_ang": 0.0567},
        }
        return PotentialData(tmp_path / f"sgp_{seed}.npz", card=card).store()

    return make


@pytest.fixture
def call(machine: orm.Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that calls a command; what it submits runs in this process."""
    monkeypatch.chdir(tmp_path)
    Path("quick.yaml").write_text(OVERRIDES)
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])
    profile = get_manager().get_profile().name

    def run(command: str, *arguments: object) -> Result:
        return CliRunner().invoke(cli, ["-p", profile, command, *map(str, arguments)])

    return run


def test_a_dry_run_shows_the_lines_and_what_they_would_compute(call: Any, model: Any) -> None:
    told = call("validate", model(0).pk, "--without", "lithium stays", "--without", "electrolyte stays", "--dry-run")
    assert told.exit_code == 0, told.output
    for words in ("products", "at most 60", "3 labels", "2 held-out frames", "Nothing was submitted", "the driving"):
        assert words in told.output
    assert "lithium stays" not in told.output


def test_a_validation_its_scorecard_and_the_lists(call: Any, model: Any) -> None:
    first, second = model(1), model(2)
    told = call("validate", first.pk, "--overrides", "quick.yaml", "--follow", "--frames", "bad.extxyz")
    assert told.exit_code == 1, told.output
    assert "rejected" in told.output
    assert "MISSED" in told.output
    assert "allowed: at most 60 meV/atom" in told.output
    assert "a wrong product is made" in told.output
    verdict = newest_verdict(first)
    assert verdict is not None
    assert verdict.scorecard == "fast, changed"
    named = {frame for line in verdict.failed for frame in line.frames}
    assert set(Frames.from_extxyz("bad.extxyz").frame_ids) == named
    assert {line.name for line in verdict.lines} == {"forces", "products"}

    query = orm.QueryBuilder().append(ValidateWorkChain, tag="validation", project="*")
    process = query.order_by({"validation": {"id": "desc"}}).first(flat=True)
    for pk in (process.pk, process.outputs.verdict.pk):
        shown = call("validate", "--show", pk)
        assert shown.exit_code == 0, shown.output
        assert "MISSED" in shown.output

    listed = call("models")
    assert listed.exit_code == 0, listed.output
    rows = [line for line in listed.output.splitlines() if first.model_hash[:6] in line or str(first.pk) in line]
    assert any("sgp" in row and "12.3" in row for row in rows)
    assert "not judged" in listed.output
    compared = call("compare", first.pk, second.pk)
    assert compared.exit_code == 0, compared.output
    assert "atoms/s on" in compared.output
    assert "nobody has judged it" in compared.output
    assert "energy RMSE (meV/atom)" in compared.output


def test_a_verdict_for_production_is_shown_as_such(call: Any, aiida_profile: Any) -> None:
    good = orm.Dict(verdict_on("m" * 64)).store()
    told = call("validate", "--show", good.pk)
    assert told.exit_code == 0, told.output
    assert "production: 1 numbers meet their targets" in told.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Give a model to validate, or --show"),
        (("MODEL", "--without", "nothing"), "--without nothing: the scorecard has the lines forces,"),
        (("MODEL", "--protocol", "slow"), "There is no protocol 'slow'"),
        (("MODEL", "--run", "Li"), "write NAME=PK"),
        (("MODEL", "--frames", "bad.extxyz"), "give --show or --follow with it"),
        (("MODEL",), "runs MD of the model: give `compiled`"),
        (("--show", "MODEL"), "give a validation or its verdict"),
    ],
)
def test_what_can_not_be_done_is_told_in_a_sentence(
    arguments: tuple[str, ...], says: str, call: Any, model: Any
) -> None:
    pk = str(model(3).pk)
    told = call("validate", *(pk if word == "MODEL" else word for word in arguments))
    assert told.exit_code != 0
    assert says in told.output

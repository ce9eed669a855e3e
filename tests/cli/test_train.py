"""Training from the command line, with a program that answers in a moment (`tests/fake_train.py`)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.cli.train import scheduler_lines
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from tests.computers import local_computer

FAKE = Path(__file__).parents[1] / "fake_train.py"


@pytest.fixture(scope="module")
def code(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.InstalledCode:
    """Return the code of the program that answers in a moment."""
    script = tmp_path_factory.mktemp("bin") / "seireact-train"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    script.chmod(0o755)
    computer = local_computer(tmp_path_factory.mktemp("scratch"))
    return orm.InstalledCode(label="fake", computer=computer, filepath_executable=str(script)).store()


@pytest.fixture
def dataset(aiida_profile: Any, labelled: Callable[..., Any]) -> DatasetData:
    """Return a dataset of eight frames of three atoms."""
    shard = FramesData(labelled(8)).store()
    return DatasetData([shard.frames], [["train"] * 4 + ["val"] + ["test"] * 3]).store()


@pytest.fixture
def call(code: orm.InstalledCode, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that calls the command; what it submits runs in this process."""
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])

    def run(*arguments: object) -> Result:
        profile = get_manager().get_profile().name
        codes = ["--code", code.full_label, "--compile-code", code.full_label]
        return CliRunner().invoke(cli, ["-p", profile, "train", *map(str, arguments), *codes])

    return run


def test_a_dry_run_tells_frames_epochs_jobs_and_cost(call, dataset) -> None:
    told = call(dataset.pk, "--protocol", "paper", "--walltime", 24, "--dry-run")
    assert told.exit_code == 0, told.output
    assert "4 frames of Li, S to learn from, 1 to choose the epoch by, 3 to test on; 15 atoms an epoch" in told.output
    assert "allegro, 100,000 epochs at most in batches of 5, learning rate 0.002, on a core, by fake@" in told.output
    # 0.9 of 24 h less two minutes
    assert "in jobs of 21.6 h of training, as many as it takes; compiled for pair_allegro" in told.output
    # 10 s + 100,000 x 15 x 2.635 ms
    assert "about 1.1 CPU hours (2.6 ms an atom and epoch, measured at the density of Li6PS5Cl)" in told.output
    assert "Nothing was submitted" in told.output


def test_options_and_overrides_reach_the_settings(call, dataset, tmp_path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("parameters: {settings: {lr: 0.5, l_max: 2, max_epochs: 7, max_time_s: 7200}}")
    options = ("--epochs", 3, "--gpus", 1, "--target", "none", "--walltime", 9)
    told = call(dataset.pk, *options, "--overrides", own, "--dry-run")
    assert "3 epochs at most in batches of 3, learning rate 0.5, on 1 GPU" in told.output
    assert "in jobs of 2 h of training, as many as it takes; compiled for nobody" in told.output
    assert "cost: on a GPU not known" in told.output


def test_gpus_are_asked_for_and_compiled_for(call, dataset, tmp_path) -> None:
    """The example of the help, but for its pk."""
    told = call(dataset.pk, "--protocol", "paper", "--gpus", 1, "--walltime", 24, "--queue", "gpu", "--dry-run")
    assert told.exit_code == 0, told.output
    assert "compiled for pair_allegro on a GPU" in told.output
    # Who trains on a GPU may run MD on another machine.
    (tmp_path / "own.yaml").write_text("compile: {device: cpu}")
    told = call(dataset.pk, "--gpus", 1, "--overrides", tmp_path / "own.yaml", "--dry-run")
    assert "compiled for pair_allegro\n" in told.output


@pytest.mark.parametrize(
    ("scheduler", "gpus", "lines", "asked"),
    [
        ("core.direct", 2, (), ()),
        ("core.slurm", None, (), ()),
        ("core.slurm", 2, (), ("#SBATCH --gpus=2",)),
        ("core.slurm", 2, ("#SBATCH --mem=0",), ("#SBATCH --gpus=2", "#SBATCH --mem=0")),
        ("core.slurm", 1, ("#SBATCH --gpus=h100:1",), ("#SBATCH --gpus=h100:1",)),
        ("core.pbspro", 1, ("#PBS -l ngpus=1",), ("#PBS -l ngpus=1",)),
    ],
)
def test_each_scheduler_is_asked_in_its_words(scheduler, gpus, lines, asked) -> None:
    code: Any = SimpleNamespace(computer=SimpleNamespace(scheduler_type=scheduler))
    assert scheduler_lines(code, gpus, lines) == asked


def test_a_scheduler_of_unknown_words_is_not_left_without_them() -> None:
    code: Any = SimpleNamespace(computer=SimpleNamespace(scheduler_type="core.pbspro"))
    with pytest.raises(click.UsageError, match=r"core\.pbspro is asked for 1 GPUs is not known here"):
        scheduler_lines(code, 1, ())


def test_a_network_of_unknown_cost_is_said_to_be_one(call, dataset, tmp_path) -> None:
    (tmp_path / "own.yaml").write_text("parameters: {settings: {l_max: 3}}")
    told = call(dataset.pk, "--overrides", tmp_path / "own.yaml", "--dry-run")
    assert "cost: no training of this network is known here" in told.output


def test_it_trains_and_tells_how_well(call, dataset) -> None:
    told = call(dataset.pk, "--epochs", 2, "--target", "none", "--follow")
    assert told.exit_code == 0, told.output
    assert "model PotentialData <" in told.output
    assert "best epoch 1 of 2" in told.output


def test_a_committee_is_told_with_what_its_disagreement_is_worth(call, dataset) -> None:
    plan = call(dataset.pk, "--epochs", 2, "--committee", 3, "--target", "none", "--dry-run")
    assert "3 members, each allegro, 2 epochs" in plan.output
    assert "for all members" in plan.output
    told = call(dataset.pk, "--epochs", 2, "--committee", 2, "--target", "none", "--follow")
    assert told.exit_code == 0, told.output
    assert "member_01 PotentialData <" in told.output
    assert "rank correlation" in told.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--protocol", "precise"], "has fast, balanced, paper"),
        (["--committee", 3, "--parent", 1], "are of one training"),
        (["--learner", "nequip"], "passes messages beyond its cutoff"),
        (["--gpus", 2], "can't be shared by 2 devices"),
        (["--checkpoint", "{dataset}"], "is a DatasetData, not a checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, dataset, arguments, sentence) -> None:
    refused = call(dataset.pk, *(str(one).format(dataset=dataset.pk) for one in arguments), "--dry-run")
    assert refused.exit_code != 0
    assert sentence in " ".join(refused.output.split())
    assert "Traceback" not in refused.output


def test_what_is_no_package_is_no_parent(call, dataset, tmp_path) -> None:
    card = {
        **{"kind": "sgp", "species": ["Li"], "cutoff_ang": 4.5, "model_hash": "m", "dataset_hash": ""},
        **{"versions": {}, "metrics": {}},
    }
    node = PotentialData(io.BytesIO(b"npz"), card=card).store()
    refused = call(dataset.pk, "--parent", node.pk, "--dry-run")
    assert "A training starts from a package" in refused.output
    assert "not a dataset" in call(node.pk, "--dry-run").output


def test_help_teaches() -> None:
    told = CliRunner().invoke(cli, ["train", "--help"]).output
    assert "aiida-seireact train 812 --dry-run" in told
    listed = CliRunner().invoke(cli, ["train", "1", "--protocols"]).output
    assert "fast (default): " in listed
    assert "paper: " in listed

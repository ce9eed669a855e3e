"""On a GPU, where there is one."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.programs import compile as compile_program
from aiida_seireact.programs import train

from .conftest import TRAIN_JOB, Trained

pytestmark = pytest.mark.slow
ACCELERATIONS = ["none"] + ["cuequivariance"] * (importlib.util.find_spec("cuequivariance_torch") is not None)
MODIFIERS = [[]] + [["enable_TritonContracter"]] * (importlib.util.find_spec("triton") is not None)


@pytest.fixture(autouse=True)
def gpu() -> None:
    """Skip where torch sees no GPU; not while tests are collected, since torch takes seconds to load."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_a_gpu_learns_what_a_processor_learns(trained: Trained, tmp_path: Path, acceleration: str) -> None:
    for name in ("train.extxyz", "val.extxyz", "a.extxyz"):
        shutil.copyfile(trained.folder / name, tmp_path / name)
    settings = {**TRAIN_JOB["settings"], "device": "gpu", "num_layers": 2, "acceleration": acceleration}
    job = TrainJob.model_validate({**TRAIN_JOB, "settings": settings, "test": {"a": "a.extxyz"}})
    outputs = train.run(job, tmp_path, quiet)
    assert outputs["done"]
    assert outputs["errors"]["all"]["force_rmse_ev_per_ang"] < 2.0


@pytest.mark.parametrize("modifiers", MODIFIERS)
def test_a_model_is_compiled_for_the_gpu(trained: Trained, tmp_path: Path, modifiers: list[str]) -> None:
    shutil.copyfile(trained.package, tmp_path / "model.nequip.zip")
    outputs = compile_program.run(CompileJob(device="cuda", modifiers=modifiers), tmp_path, quiet)
    assert (outputs["device"], outputs["target"]) == ("cuda", "pair_allegro")

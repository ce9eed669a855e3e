"""What the programs say without a GPU, everywhere; and what they do with one, where there is one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.io import read

from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.jobs.lmp import LmpJob
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.programs import _fix_external, lmp
from aiida_seireact.programs import compile as compile_program
from aiida_seireact.programs import train as train_program

from .conftest import SPECIES, Trained, crystal

HAS_GPU = torch.cuda.is_available()
no_gpu = pytest.mark.skipif(HAS_GPU, reason="there is a GPU here")
on_gpu = pytest.mark.skipif(not HAS_GPU, reason="torch sees no GPU here")
ASK = r"torch \S+ sees no GPU here: ask the scheduler for one"


def quiet(line: str) -> None:
    """Say nothing."""


def for_device(source: Path, target: Path, device: str) -> Path:
    """Copy a compiled model, its card telling another device."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("wrapper_metadata.json"):
                content = json.dumps({**json.loads(content), "AOTI_DEVICE_KEY": device}).encode()
            new.writestr(name, content)
    return target


@no_gpu
def test_compiling_for_a_gpu_is_refused_before_the_model_that_was_there_is_touched(trained: Trained) -> None:
    before = trained.compiled.exists()
    with pytest.raises(InvalidInput, match=f"device cuda compiles for the GPU that it runs on, and {ASK}"):
        compile_program.run(CompileJob(device="cuda"), trained.folder, quiet)
    assert trained.compiled.exists() == before


@no_gpu
def test_training_on_a_gpu_is_refused_before_frames_are_read(tmp_path: Path) -> None:
    job = TrainJob.model_validate({"settings": {"device": "gpu"}})
    with pytest.raises(InvalidInput, match=f"settings.device is gpu, and {ASK}.*take device cpu"):
        train_program.run(job, tmp_path, quiet)


@no_gpu
def test_model_for_a_gpu_is_refused_without_one(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> None:
    path = for_device(trained.compiled, tmp_path / "model.nequip.pt2", "cuda")
    with pytest.raises(InvalidInput, match=f"model.nequip.pt2 was compiled for cuda, and {ASK}.*seireact-compile"):
        _fix_external.check_model(path, SPECIES)


def test_model_for_another_device_is_refused(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> None:
    path = for_device(trained.compiled, tmp_path / "model.nequip.pt2", "mps")
    with pytest.raises(InvalidInput, match="compiled for mps, seireact-lmp runs on cpu and cuda"):
        _fix_external.check_model(path, SPECIES)


def test_full_memory_is_told_with_atoms_and_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"name": "NVIDIA H200", "memory_bytes": 140 * 2**30, "memory_peak_bytes": 0}
    monkeypatch.setattr(_fix_external, "gpu_facts", lambda: facts)
    forces = object.__new__(_fix_external.AllegroForces)
    forces._device, forces._edges = torch.device("cuda"), torch.zeros((2, 70000), dtype=torch.int64)
    told = forces._explained(RuntimeError("CUDA out of memory. Tried to allocate 3 GiB"), 1000)
    assert isinstance(told, ProgramFailed)
    assert "(NVIDIA H200, 140 GiB) is too small for 1,000 atoms with 70,000 neighbours" in str(told)
    other = ValueError("another")
    assert forces._explained(other, 1000) is other


@on_gpu
def test_forces_of_gpu_and_processor_agree(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> None:
    atoms = crystal((2, 2, 2))
    atoms.rattle(0.08, seed=1)
    found = {}
    for device in ("cpu", "cuda"):
        folder = tmp_path / device
        folder.mkdir()
        (folder / "model.nequip.zip").symlink_to(trained.package)
        compile_program.run(CompileJob.model_validate({"device": device}), folder, quiet)
        write_data(folder / "structure.data", atoms, SPECIES)
        text = lammps_input(
            MdSettings(steps=1, velocity_seed=None), species=SPECIES, model="model.nequip.pt2"
        ).partition("dump ")[0]
        text += "dump f all custom 1 f.dump id type fx fy fz\ndump_modify f sort id format float %.9g\nrun 0\n"
        (folder / "in.lammps").write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            outputs = lmp.run(folder / "in.lammps", "log.lammps", LmpJob(compress="none"), folder, quiet)
        assert (outputs["gpu"] is None) == (device == "cpu")
        image = read(folder / "f.dump", format="lammps-dump-text")
        found[device] = image.get_forces()
    assert np.abs(found["cpu"] - found["cuda"]).max() < 1e-4

"""The real compiler, once a session."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.model import read_compiled_card
from aiida_seireact.formats.pair_files import read_pair_file
from aiida_seireact.programs import compile as compile_program

from .conftest import SPECIES, Trained


def quiet(line: str) -> None:
    """Say nothing."""


def test_compiled_model_carries_its_card(trained: Trained, compiled: dict[str, Any]) -> None:
    import torch

    card = read_compiled_card(trained.compiled)
    assert card.species == SPECIES
    assert (card.target, card.device, card.r_max_ang, card.dtype) == ("pair_allegro", "cpu", 4.5, "float32")
    assert card.torch_version == torch.__version__
    assert card.package_hash == trained.outputs["model_hash"]
    assert compiled["compiled_hash"] == card.compiled_hash


def test_compilation_fills_the_cache_it_was_given(trained: Trained, compiled: dict[str, Any]) -> None:
    assert any((trained.folder / "inductor").iterdir())


def test_missing_compiler_is_told(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingPackage, match="There is no C\\+\\+ compiler 'no-such-compiler'"):
        compile_program.run(CompileJob(), trained.folder, quiet)


def test_truncated_package_is_refused(trained: Trained, tmp_path: Path) -> None:
    content = trained.package.read_bytes()
    (tmp_path / "model.nequip.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidInput, match="is not a whole package"):
        compile_program.run(CompileJob(), tmp_path, quiet)


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"modifiers": ["enable_TritonContracter"]}, InvalidInput, "enable_TritonContracter is for GPUs"),
        (
            {"modifiers": ["enable_CuEquivarianceContracter"], "device": "cuda", "target": "mliap"},
            MissingPackage,
            "pip install cuequivariance-torch",
        ),
    ],
)
def test_accelerations_that_are_not_here_are_told(
    trained: Trained, changes: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        compile_program.run(CompileJob.model_validate(changes), trained.folder, quiet)


def test_the_command_is_the_one_of_nequip_s_documentation() -> None:
    gpu = CompileJob(device="cuda", modifiers=["enable_TritonContracter"], tf32=True)
    assert " ".join(compile_program._command(gpu, "m.nequip.pt2")) == (
        "nequip-compile model.nequip.zip m.nequip.pt2 --mode aotinductor --device cuda --target pair_allegro "
        "--modifiers enable_TritonContracter --tf32"
    )
    mliap = CompileJob(device="cuda", target="mliap", modifiers=["enable_CuEquivarianceContracter"])
    assert " ".join(compile_program._command(mliap, "m.nequip.lmp.pt")) == (
        "nequip-prepare-lmp-mliap model.nequip.zip m.nequip.lmp.pt --modifiers enable_CuEquivarianceContracter"
    )


@pytest.mark.slow
def test_a_file_for_ml_iap_is_made_of_the_package_alone(trained: Trained, tmp_path: Path) -> None:
    shutil.copyfile(trained.package, tmp_path / "model.nequip.zip")
    outputs = compile_program.run(CompileJob(target="mliap"), tmp_path, quiet)
    assert outputs["files"] == ["model.nequip.lmp.pt"]
    assert outputs["species"] == SPECIES
    assert outputs["package_hash"] == trained.outputs["model_hash"]
    assert read_pair_file(tmp_path / "model.nequip.lmp.pt", "nequip-mliap", SPECIES).sha256 == outputs["compiled_hash"]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ase", "batch"])
def test_other_targets_need_no_training_data(trained: Trained, tmp_path: Path, target: str) -> None:
    # An empty folder but for the package; where it was trained is unknown here.
    shutil.copyfile(trained.package, tmp_path / "model.nequip.zip")
    outputs = compile_program.run(CompileJob(target=target), tmp_path, quiet)
    assert (outputs["target"], outputs["package_hash"]) == (target, trained.outputs["model_hash"])


@pytest.mark.slow
def test_neither_does_the_pair_style_s_after_they_are_deleted(trained: Trained, tmp_path: Path) -> None:
    # The very folder that the checkpoint names, moved away while it is compiled.
    shutil.copyfile(trained.package, tmp_path / "model.nequip.zip")
    work = trained.folder / "nequip"
    work.rename(trained.folder / "away")
    try:
        outputs = compile_program.run(CompileJob(), tmp_path, quiet)
    finally:
        (trained.folder / "away").rename(work)
    assert outputs["target"] == "pair_allegro"

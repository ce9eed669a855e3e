"""The real compiler, once a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.model import read_compiled_card
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

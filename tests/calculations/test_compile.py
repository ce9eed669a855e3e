"""When the cache answers for a compiled model, and when it must not; with a program that only says so."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.calculations.compile import CompileCalculation, target_complaint, validate_package
from aiida_seireact.data.potential import PotentialData
from tests.computers import local_computer

CARD = {
    "kind": "allegro-package",
    "species": ["Li", "S"],
    "cutoff_ang": 4.5,
    "model_hash": "m" * 64,
    "dataset_hash": "d" * 64,
    "versions": {},
    "metrics": {},
}


@pytest.fixture(scope="module")
def compiler(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes of one program, as setup makes them for versions of torch."""
    folder = tmp_path_factory.mktemp("bin")
    computer = local_computer(tmp_path_factory.mktemp("scratch"))

    def make(torch: str, target: str = "pair_allegro") -> orm.InstalledCode:
        outputs = {
            **{
                "species": ["Li", "S"],
                "r_max_ang": 4.5,
                "package_hash": "m" * 64,
                "compiled_hash": "c",
                "device": "cpu",
            },
            **{"torch_version": torch, "target": target, "cpu_isa": "", "versions": {"torch": torch}},
        }
        result = json.dumps({"status": "ok", "error": None, "outputs": outputs})
        script = folder / f"seireact-compile-{target}"
        files = "echo code > model.nequip.pt2\necho code > model.nequip.lmp.pt\n"
        script.write_text(f"#!/bin/sh\n{files}cat > result.json <<'END'\n{result}\nEND\n")
        script.chmod(0o755)
        return orm.InstalledCode(
            label=f"compile-{torch}",
            computer=computer,
            filepath_executable=str(script),
            prepend_text=f"# versions: torch {torch}",
        ).store()

    return make


def package(content: bytes = b"zip of Monday", **changes: Any) -> PotentialData:
    return PotentialData(io.BytesIO(content), card={**CARD, **changes}).store()


def test_the_cache_answers_for_the_same_weights_and_for_nothing_else(compiler) -> None:
    code = compiler("2.13.0")
    parameters = {"target": "pair_allegro", "device": "cpu"}

    def is_cached(code: orm.InstalledCode, model: PotentialData, **changes: Any) -> bool:
        with enable_caching():
            _, node = run_get_node(
                CompileCalculation, code=code, package=model, parameters=orm.Dict({**parameters, **changes})
            )
        assert node.is_finished_ok, node.exit_message
        return bool(node.base.caching.is_created_from_cache)

    assert not is_cached(code, package())
    # The zip of another day, trained on data that are gone.
    assert is_cached(code, package(b"zip of Tuesday"))
    assert not is_cached(code, package(model_hash="n" * 64))
    assert not is_cached(code, package(), device="cuda")
    assert not is_cached(code, package(), target="ase")
    assert not is_cached(code, package(), device="cuda", modifiers=["enable_TritonContracter"])
    assert not is_cached(compiler("2.14.0"), package())


def test_a_file_for_ml_iap_is_a_potential_of_its_own_kind(compiler) -> None:
    outputs, node = run_get_node(
        CompileCalculation,
        code=compiler("2.13.0", "mliap"),
        package=package(),
        parameters=orm.Dict({"target": "mliap", "tf32": True, "modifiers": ["b", "a"]}),
    )
    assert node.is_finished_ok, node.exit_message
    assert outputs["compiled"].kind == "nequip-mliap"
    assert outputs["compiled"].filename == "model.nequip.lmp.pt"
    assert outputs["compiled"].model_hash == "m" * 64
    told = outputs["compiled"].card
    assert (told["tf32"], told["modifiers"], told["cuda_capability"]) == (True, ["a", "b"], "")


def test_what_can_t_be_compiled_is_told(aiida_profile: Any) -> None:
    assert "Only a package can be compiled" in str(validate_package(package(kind="sgp"), None))
    assert validate_package(package(kind="nequip-package"), None) is None
    assert "passes messages" in str(target_complaint("nequip-package", "pair_allegro"))
    assert target_complaint("nequip-package", "mliap") is None
    assert target_complaint("allegro-package", "pair_allegro") is None

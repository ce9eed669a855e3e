"""Hash and card of model files, on archives made here; real ones are in tests/programs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiida_seireact.formats.model import (
    ModelFileError,
    package_hash,
    read_compiled_card,
    read_package_card,
    write_card_into_compiled,
)


def package(path: Path, *, weights: bytes = b"\0" * 64, when: int = 1980, **changes: Any) -> Path:
    """Write an archive laid out as nequip 0.19 does."""
    config = {
        "data": {"train_file_path": changes.get("data", "train.extxyz"), "transforms": [{"r_max": 4.5}]},
        "trainer": {"logger": {"save_dir": changes.get("folder", "/scratch/one")}},
        "training_module": {"model": {"r_max": changes.get("r_max", 4.5), "package_path": "/scratch/parent"}},
    }
    metadata = {"atom_types": {0: "Li", 1: "S"}, "versions": {"nequip": "0.19.1"}}
    members = {
        ".data/0.storage": weights,
        ".data/serialization_id": str(when).encode(),
        "model/eager_model.pkl": b"pickle",
        "model/config.yaml": yaml.safe_dump(config).encode(),
        "model/package_metadata.txt": yaml.safe_dump(metadata).encode(),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(f"{path.name.split('.')[0]}/{name}", date_time=(when, 1, 1, 0, 0, 0))
            archive.writestr(info, content)
    return path


def compiled(path: Path, outputs: str = "atomic_energy forces virial") -> Path:
    """Write an archive laid out as torch 2.13 does."""
    metadata = {
        "type_names": "Li S",
        "r_max": "4.5",
        "model_dtype": "float32",
        "nequip_aoti_inputs": "pos edge_index atom_types",
        "nequip_aoti_outputs": outputs,
        "AOTI_DEVICE_KEY": "cpu",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data/aotinductor/model/x.wrapper_metadata.json", json.dumps(metadata))
        archive.writestr("m/data/aotinductor/model/x.wrapper.so", b"machine code")
    return path


def test_hash_ignores_name_date_and_paths(tmp_path: Path) -> None:
    first = package(tmp_path / "one.nequip.zip")
    second = package(tmp_path / "two.nequip.zip", when=2026, folder="/home/other", data="other.extxyz")
    assert package_hash(first) == package_hash(second)


@pytest.mark.parametrize("changes", [{"weights": b"\1" * 64}, {"r_max": 5.0}])
def test_hash_changes_with_weights_and_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    first = package(tmp_path / "one.nequip.zip")
    assert package_hash(first) != package_hash(package(tmp_path / "two.nequip.zip", **changes))


def test_card_names_species_in_the_models_order(tmp_path: Path) -> None:
    card = read_package_card(package(tmp_path / "one.nequip.zip"))
    assert (card.species, card.r_max_ang, card.versions) == (["Li", "S"], 4.5, {"nequip": "0.19.1"})


def test_fine_tuned_package_tells_the_cutoff_of_its_neighbour_list(tmp_path: Path) -> None:
    assert read_package_card(package(tmp_path / "one.nequip.zip", r_max=None)).r_max_ang == 4.5


def test_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = package(tmp_path / "one.nequip.zip", weights=b"weights!" * 8)
    content = bytearray(path.read_bytes())
    content[content.index(b"weights!")] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="is not a whole package"):
        read_package_card(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="There is no package"):
        package_hash(tmp_path / "absent.nequip.zip")
    with pytest.raises(ModelFileError, match="is a zip but not a nequip package"):
        package_hash(compiled(tmp_path / "m.nequip.pt2"))
    with pytest.raises(ModelFileError, match="is a zip but not a compiled nequip model"):
        read_compiled_card(package(tmp_path / "one.nequip.zip"))
    (tmp_path / "cut").write_bytes((tmp_path / "one.nequip.zip").read_bytes()[:200])
    with pytest.raises(ModelFileError, match="it was cut short"):
        package_hash(tmp_path / "cut")


def test_compiled_card_tells_the_target_by_inputs_and_outputs(tmp_path: Path) -> None:
    card = read_compiled_card(compiled(tmp_path / "m.nequip.pt2"))
    assert (card.target, card.device, card.species, card.torch_version) == ("pair_allegro", "cpu", ["Li", "S"], "")
    assert read_compiled_card(compiled(tmp_path / "n.nequip.pt2", outputs="forces")).target == "other"


def test_card_written_into_a_compiled_model_travels_with_it(tmp_path: Path) -> None:
    path = compiled(tmp_path / "m.nequip.pt2")
    write_card_into_compiled(path, {"torch_version": "2.13.0+cpu", "package_hash": "ab"})
    card = read_compiled_card(path)
    assert (card.torch_version, card.package_hash) == ("2.13.0+cpu", "ab")
    with pytest.raises(ModelFileError, match="carries a card already"):
        write_card_into_compiled(path, {})

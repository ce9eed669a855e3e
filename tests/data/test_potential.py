from __future__ import annotations

import pytest
from aiida.common.exceptions import ValidationError

from aiida_seireact.data.potential import PotentialData

CARD = {
    "kind": "allegro-package",
    "species": ["Li", "S"],
    "cutoff_ang": 4.5,
    "model_hash": "m" * 64,
    "dataset_hash": "d" * 64,
    "versions": {"nequip": "0.19.1"},
    "metrics": {},
}


def potential(tmp_path, content: bytes, **changes):
    path = tmp_path / "model.nequip.zip"
    path.write_bytes(content)
    return PotentialData(path, card={**CARD, **changes})


def test_two_zips_of_one_model_are_one_model_to_the_cache(tmp_path, aiida_profile_clean):
    one = potential(tmp_path, b"zip of Monday").store()
    two = potential(tmp_path, b"zip of Tuesday").store()
    other = potential(tmp_path, b"zip of Monday", model_hash="n" * 64).store()
    assert one.base.caching.get_hash() == two.base.caching.get_hash() != other.base.caching.get_hash()


def test_an_incomplete_card_is_refused(tmp_path, aiida_profile_clean):
    path = tmp_path / "model.nequip.zip"
    path.write_bytes(b"model")
    with pytest.raises(ValueError, match="lacks species, cutoff_ang"):
        PotentialData(path, card={"kind": "allegro-package"})


def test_a_compiled_model_names_its_torch(tmp_path, aiida_profile_clean):
    with pytest.raises(ValidationError, match="needs `torch_version`"):
        potential(tmp_path, b"pt2", kind="allegro-compiled", target="pair_allegro").store()


def test_a_file_whose_numbers_are_others_is_another_to_the_cache(tmp_path, aiida_profile_clean):
    compiled = {"kind": "allegro-compiled", "target": "pair_allegro", "device": "cuda", "torch_version": "2.9"}
    plain = potential(tmp_path, b"pt2", **compiled).store().base.caching.get_hash()
    told = {"tf32": False, "modifiers": [], "cuda_capability": ""}
    assert potential(tmp_path, b"pt2", **compiled, **told).store().base.caching.get_hash() == plain
    hashes = {plain}
    for changes in ({"tf32": True}, {"modifiers": ["enable_TritonContracter"]}, {"cuda_capability": "9.0"}):
        hashes.add(potential(tmp_path, b"pt2", **compiled, **{**told, **changes}).store().base.caching.get_hash())
    assert len(hashes) == 4

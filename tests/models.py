"""The card of the small compiled model that several tests run MD with."""

from __future__ import annotations

from typing import Any


def compiled_card(species: list[str]) -> dict[str, Any]:
    return {
        "kind": "allegro-compiled",
        "target": "pair_allegro",
        "species": species,
        "cutoff_ang": 4.5,
        "model_hash": "m",
        "dataset_hash": "d",
        "versions": {},
        "metrics": {},
        "torch_version": "2",
        "device": "cpu",
    }

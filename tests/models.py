"""What several tests run MD with: the card of the small compiled model, a cell and a short run."""

from __future__ import annotations

from typing import Any

from aiida_seireact.data.frames import FramesData
from tests.programs.conftest import crystal


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


# Quick to answer, since the small model was trained for seconds.
SHORT_MD = {
    "ensemble": "npt",
    "temperature_k": 300.0,
    "timestep_fs": 1.0,
    "tau_t_ps": 0.02,
    "tau_p_ps": 0.2,
    "thermo_every": 2,
    "dump_every": 10,
    "restart_every": 10,
}


def rattled_cell(repeat: tuple[int, int, int]) -> FramesData:
    """Return a rattled crystal of four atoms a unit cell."""
    atoms = crystal(repeat)
    atoms.rattle(0.05, seed=1)
    atoms.info.update(config_type="interface", group="built")
    return FramesData.from_ase([atoms])

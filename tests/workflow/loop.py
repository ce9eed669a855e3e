"""Sizes of the small loop: the same code as the demo, in a minute or two."""

from __future__ import annotations

from typing import Any

FEW = {"count": 4}
SMALL_LEG = {"steps": 60, "label_every": 5, "gap_steps": 5, "gp": {"n_max": 3, "l_max": 1, "cutoff_ang": 4.0}}

SMALL: dict[str, Any] = {
    "accept_rejected": True,
    "structures": {
        # One unit of 58 atoms also in production; the reference crystals just fill a sphere of the descriptor.
        "production": {"li_layers": 8, "electrolyte_cells": 1, "repeat": [1, 1]},
        "references": {
            "Li": [3, 3, 3],
            "Li6PS5Cl": [1, 1, 1],
            "Li2S": [2, 2, 1],
            "Li3P": [2, 2, 1],
            "LiCl": [2, 2, 1],
        },
    },
    "relax": {"relax": {"steps": 3}},
    "sampling": dict.fromkeys(
        ("li", "li_expanded", "li_slab", "li6ps5cl", "interface", "interface_expanded", "li2s", "li3p", "licl"), FEW
    ),
    "batch_size": 40,
    # So few frames must all stay, or a type loses its part of the split.
    "dataset": {"force_limit_ev_per_ang": 50.0},
    "labeller_md": {
        "interface_600": {
            "task": "md",
            "md": {"steps": 20, "temperature_k": 600, "label_every": 10, "block_steps": 10, "gap_steps": 0, "seed": 2},
        },
    },
    # Two conditions of two legs, with a descriptor that costs a tenth.
    "explore": {
        "conditions": {
            "interface_300": {"seeds": {"count": 3}, "campaign": {"max_legs": 2}, "leg": SMALL_LEG},
            "interface_600": None,
            "Li6PS5Cl_300": {"seeds": {"count": 3}, "campaign": {"max_legs": 2}, "leg": SMALL_LEG},
        },
    },
    "augment": {
        "md": {"training": {"md": {"steps": 100, "dump_every": 2, "timestep_fs": 1.0}, "engine": {"check_every": 2}}},
        "select": {
            "runs": {"production": {"learned": 2, "held_out": 1}, "training": {"learned": 3, "held_out": 1}},
            "n_blocks": 3,
            "gap_frames": 1,
            "min_learned": 3,
            "min_held_out": 2,
        },
        "extend": {"force_limit_ev_per_ang": 50.0, "val_blocks": 0, "min_learned": 3, "min_held_out": 2},
        "train": {"settings": {"max_epochs": 2}},
    },
    # Whatever is unknown is learned, by cells of 9 Å.
    "close_loop": {
        "settings": {"unknown_limit": 0.0, "of": "all"},
        "select": {
            "runs": {
                "production": {
                    "learned": 2,
                    "held_out": 1,
                    "cut": {"core_ang": 3.5, "edge_ang": 9.0, "relax_steps": 3},
                }
            },
            "n_blocks": 3,
            "min_learned": 2,
            "min_held_out": 1,
        },
        "extend": {"force_limit_ev_per_ang": 100.0, "val_blocks": 0, "min_learned": 1, "min_held_out": 1},
    },
    "train": {"settings": {"max_epochs": 6}},
    "produce": {"md": {"steps": 200, "dump_every": 5, "timestep_fs": 1.0}, "engine": {"check_every": 5}},
    # After six epochs no model is good enough; both ways of making a reference run shall be gone.
    "references": {
        "phases": ["Li", "Li6PS5Cl", "Li2S"],
        "source": {"Li": "model", "Li2S": "model", "Li6PS5Cl": "labeller"},
    },
    "reference_md": {"md": {"steps": 50, "dump_every": 5, "ensemble": "nvt", "timestep_fs": 1.0}},
    "reference_labeller_md": {"md": {"steps": 20, "label_every": 2, "block_steps": 20}},
}

from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.calculations.functions.structures import build_cells
from aiida_seireact.workchains.react import ReactWorkChain

CELLS = ReactWorkChain.get_protocol_inputs("fast")["structures"]


def test_cells_of_the_demo_have_the_sizes_the_docs_tell(aiida_profile_clean):
    cells = build_cells(orm.Dict(CELLS))
    assert [len(atoms) for atoms in cells["to_relax"].iter_ase()] == [58, 26]
    assert len(cells["production"].to_ase()) == 432
    assert {name for name in cells if name.startswith("reference_")} == {
        f"reference_{phase}" for phase in ("Li", "Li6PS5Cl", "Li2S", "Li3P", "LiCl")
    }


def test_the_same_seed_builds_the_same_cells(aiida_profile_clean):
    hashes = {build_cells(orm.Dict(CELLS))["production"].content_hash for _ in range(2)}
    other = build_cells(orm.Dict({**CELLS, "seed": 4}))["production"].content_hash
    assert len(hashes) == 1
    assert other not in hashes


def test_an_impossible_cell_is_refused_with_a_sentence(aiida_profile_clean):
    with pytest.raises(ValueError, match="li_layers must be an even number"):
        build_cells(orm.Dict({**CELLS, "training": {"li_layers": 7}}))

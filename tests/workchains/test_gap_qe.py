"""Band gaps by the real pw.x: Li2S has one, lithium has none; the same jobs as the labels where these are smeared."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.gap import gap_engine_of
from aiida_seireact.workchains.gap_qe import QeGapWorkChain
from aiida_seireact.workchains.label_qe import QeLabelWorkChain
from tests.workchains.test_label_qe import SMALL, jobs, lithium, lithium_sulfide, pw

__all__ = ["pw"]


@pytest.fixture(scope="module")
def gaps(pw: orm.AbstractCode) -> orm.WorkChainNode:
    """Return the gaps of Li2S and Li."""
    frames = FramesData.from_ase([lithium_sulfide(), lithium()])
    with enable_caching():
        _, node = run_get_node(QeGapWorkChain, code=pw, frames=frames, parameters=orm.Dict(SMALL))
    assert node.is_finished_ok, node.exit_message
    return node


def rows(node: orm.WorkChainNode) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in node.outputs.gaps["gaps"]}


def test_lithium_sulfide_is_an_insulator(gaps):
    found = rows(gaps)["Li2S"]
    # PBE has 3.4 eV (the paper); a rattled cell on a small mesh comes near.
    assert 2.5 < found["gap_ev"] < 4.5
    assert found["metallic"] is False
    assert found["direct_ev"] >= found["gap_ev"]
    assert found["remark"] == ""


def test_lithium_is_a_metal(gaps):
    found = rows(gaps)["Li"]
    assert found["gap_ev"] == 0
    assert found["metallic"] is True
    assert "metallic" in found["remark"]


def test_a_cell_that_the_labels_smear_is_computed_once(gaps, pw):
    with enable_caching():
        _, node = run_get_node(
            QeLabelWorkChain, code=pw, frames=FramesData.from_ase([lithium()]), parameters=orm.Dict(SMALL)
        )
    assert node.is_finished_ok, node.exit_message
    (job,) = jobs(node)
    assert job.base.caching.is_created_from_cache


def test_engines_without_levels_have_no_engine_of_gaps():
    assert gap_engine_of("seireact.label.qe") == "seireact.gap.qe"
    assert gap_engine_of("seireact.label.vasp") == "seireact.gap.vasp"
    assert gap_engine_of("seireact.label.ase") is None
    assert gap_engine_of("seireact.label.cp2k") is None

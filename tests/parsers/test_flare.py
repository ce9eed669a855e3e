from __future__ import annotations

import json

import numpy as np
import pytest
from aiida.plugins import ParserFactory
from ase.build import bulk

from aiida_seireact.formats.sgp import save_gp
from tests.parsers.conftest import result

ARRAYS = {
    "state": {"positions": np.array([[0.1 + 0.2, np.pi, -1e-17]]), "rng": np.array("{}"), "step": np.array(3)},
    "trace": {"step": np.arange(3), "max_std": np.array([0.1, 0.2, 0.3])},
    "canary": {"std": np.empty(0), "frame": np.empty(0, dtype=np.int64)},
}
LEG = {"status": "unsure", "step": 3, "asked_step": 3, "n_asked": 2, "canary": [], "settings_hash": "a" * 64}


@pytest.fixture
def leg(finished_job, labelled, sparse_gp, tmp_path):
    """Return a factory of ended jobs, with the files of a leg of which some may be missing."""

    def make(*, asked: bool = True, gp_hash: str = ""):
        gp = sparse_gp(bulk("Li", cubic=True), species=("Li",), frame_ids=("b" * 64,))
        save_gp(tmp_path / "sgp.npz", gp)
        for name, arrays in ARRAYS.items():
            np.savez(tmp_path / f"{name}.npz", **arrays)
        names = {name: f"{name}.npz" for name in ("gp", *ARRAYS)}
        for name in ("asked", "visited"):
            names[name] = f"{name}.npz" if asked else None
            if asked:
                labelled(2).without_labels().save(tmp_path / f"{name}.npz")
        outputs = {**LEG, "files": names, "gp_hash": gp_hash or gp.content_hash}
        text = result(outputs=outputs, versions={"mir-flare": "1.4.0"})
        return gp, finished_job("seireact.flare", {"result.json": text})

    def parse(**how):
        gp, node = make(**how)
        outputs, process = ParserFactory("seireact.flare").parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
        )
        return gp, outputs, process

    return parse


def test_gp_state_and_frames_become_nodes(leg):
    gp, outputs, process = leg()
    assert process.exit_status == 0
    assert outputs["gp"].kind == "sgp"
    assert outputs["gp"].model_hash == gp.content_hash
    assert outputs["gp"].card["versions"] == {"mir-flare": "1.4.0"}
    assert len(outputs["asked"]) == len(outputs["visited"]) == 2
    assert outputs["leg"]["asked_step"] == 3


def test_the_state_is_exact_to_the_last_bit(leg):
    _, outputs, _ = leg()
    for name, array in ARRAYS["state"].items():
        assert outputs["state"].get_array(name).tobytes() == array.tobytes()


def test_no_name_of_a_file_gets_into_a_node(leg):
    _, outputs, _ = leg()
    assert ".npz" not in json.dumps(outputs["leg"].get_dict())


def test_a_leg_that_asks_for_nothing_has_no_such_output(leg):
    _, outputs, process = leg(asked=False)
    assert process.exit_status == 0
    assert not {"asked", "visited"} & set(outputs)


def test_a_gp_that_is_not_the_one_told_of_is_refused(leg):
    _, outputs, process = leg(gp_hash="0" * 64)
    assert process.exit_status == 310
    assert "another GP" in process.exit_message
    assert not outputs


def test_too_little_memory_has_a_code_of_its_own(finished_job, tmp_path):
    error = {"kind": "too_little_memory", "message": "Learning 3 frames needs about 90 GB."}
    node = finished_job("seireact.flare", {"result.json": result(status="failed", error=error)})
    _, process = ParserFactory("seireact.flare").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 426
    assert "needs about 90 GB" in process.exit_message

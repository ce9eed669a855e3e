from __future__ import annotations

import numpy as np
from aiida.plugins import ParserFactory

from aiida_seireact.formats.finished import Finished, finished_log
from tests.parsers.conftest import result


def test_labelled_frames_and_failures_become_nodes(finished_job, labelled, tmp_path):
    frames = labelled(3)
    frames.save(tmp_path / "labelled.npz")
    failures = [{"index": 1, "structure_id": "f" * 64, "reason": "SCF did not converge"}]
    labeller = {"calculator": {"calculator": "chgnet", "model": "0.3.0", "kind": "stand-in"}, "settings_hash": "s"}
    node = finished_job("seireact.ase", {"result.json": result(outputs={"failures": failures, **labeller})})
    outputs, process = ParserFactory("seireact.ase").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 0
    assert outputs["frames"].frames.frame_ids == frames.frame_ids
    assert outputs["failures"]["failures"] == failures
    assert outputs["labeller"].get_dict() == {
        "calculator": "chgnet",
        "model": "0.3.0",
        "kind": "stand-in",
        "settings_hash": "s",
    }


def test_energies_of_isolated_atoms_name_their_source(finished_job, tmp_path):
    found = {"isolated_atoms_ev": {"Li": -0.3}, "calculator": {"calculator": "emt"}, "settings_hash": "s"}
    node = finished_job("seireact.ase", {"result.json": result(outputs=found)})
    outputs, _ = ParserFactory("seireact.ase").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert outputs["isolated_atoms"].get_dict() == {
        "energies_ev": {"Li": -0.3},
        "source": "isolated atoms of the labeller emt",
    }


def test_a_killed_job_leaves_what_it_had_finished(finished_job, tmp_path):
    record = Finished(
        task="t",
        structure_id="a",
        positions=np.zeros((1, 2, 3)),
        cells=np.eye(3)[None],
        energy=np.array([-1.0]),
        forces=np.zeros((1, 2, 3)),
        stress=None,
        energy_e0=None,
        md_steps=np.array([-1]),
        blocks=np.array([-1]),
    )
    with finished_log(tmp_path / "finished.jsonl") as (_, append):
        append(record)
    with (tmp_path / "finished.jsonl").open("ab") as stream:
        stream.write(b"torn")
    for status, files, exit_status in ((410, {}, None), (120, {}, 120)):
        outputs, process = ParserFactory("seireact.ase").parse_from_node(
            finished_job("seireact.ase", files, exit_status=exit_status),
            store_provenance=False,
            retrieved_temporary_folder=str(tmp_path),
        )
        assert process.exit_status == status
        assert outputs["partial"].get_content().encode() == record.line()


def test_a_job_killed_before_its_first_label_leaves_nothing(finished_job, tmp_path):
    outputs, process = ParserFactory("seireact.ase").parse_from_node(
        finished_job("seireact.ase", {}), store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 410
    assert "partial" not in outputs

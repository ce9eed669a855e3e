from __future__ import annotations

from aiida.plugins import ParserFactory

from tests.parsers.conftest import result


def test_labelled_frames_and_failures_become_nodes(finished_job, labelled, tmp_path):
    frames = labelled(3)
    frames.save(tmp_path / "labelled.npz")
    failures = [{"index": 1, "structure_id": "f" * 64, "reason": "SCF did not converge"}]
    node = finished_job("seireact.ase", {"result.json": result(outputs={"failures": failures, "n_labelled": 3})})
    outputs, process = ParserFactory("seireact.ase").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 0
    assert outputs["frames"].frames.frame_ids == frames.frame_ids
    assert outputs["failures"]["failures"] == failures


def test_energies_of_isolated_atoms_name_their_source(finished_job, tmp_path):
    found = {"isolated_atoms_ev": {"Li": -0.3}, "calculator": {"calculator": "emt"}}
    node = finished_job("seireact.ase", {"result.json": result(outputs=found)})
    outputs, _ = ParserFactory("seireact.ase").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert outputs["isolated_atoms"].get_dict() == {
        "energies_ev": {"Li": -0.3},
        "source": "isolated atoms of the labeller emt",
    }

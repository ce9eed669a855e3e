from __future__ import annotations

import pytest
from aiida.plugins import ParserFactory

from tests.parsers.conftest import result


def parse(node, folder=None):
    outputs, process = ParserFactory("seireact.ase").parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=folder
    )
    return outputs, process


def test_a_killed_job_says_so_with_its_last_words(finished_job):
    _, node = parse(finished_job("seireact.ase", {"_scheduler-stderr.txt": "label: 10 of 40 frames\nKilled\n"}))
    assert node.exit_status == 410
    assert "Its last words: Killed" in node.exit_message


def test_a_torn_result_counts_as_none(finished_job):
    _, node = parse(finished_job("seireact.ase", {"result.json": result()[:-5]}))
    assert node.exit_status == 410


def test_the_verdict_of_the_scheduler_stays(finished_job):
    _, node = parse(finished_job("seireact.ase", {"result.json": result()}, exit_status=120))
    assert node.exit_status == 120
    assert node.exit_message == "the scheduler's words"


def test_a_job_whose_worker_was_killed_while_it_ended_is_parsed_anew(finished_job, tmp_path):
    """Its status is set to 0 before its outputs are stored."""
    _, node = parse(finished_job("seireact.ase", {"result.json": result()}, exit_status=0), str(tmp_path))
    assert node.exit_status == 310


@pytest.mark.parametrize(("kind", "status"), [("invalid_input", 210), ("missing_package", 220), ("failed", 420)])
def test_failures_are_told_apart_and_keep_their_sentence(finished_job, kind, status):
    error = {"kind": kind, "message": "Frame 3 holds In."}
    _, node = parse(finished_job("seireact.ase", {"result.json": result(status="failed", error=error)}))
    assert node.exit_status == status
    assert "Frame 3 holds In." in node.exit_message


def test_a_good_result_without_its_files_is_not_taken_for_whole(finished_job, tmp_path):
    outputs = {"calculator": {"calculator": "emt"}, "settings_hash": "s", "failures": [], "n_labelled": 3}
    _, node = parse(finished_job("seireact.ase", {"result.json": result(outputs=outputs)}), str(tmp_path))
    assert node.exit_status == 310
    assert "labelled.npz" in node.exit_message

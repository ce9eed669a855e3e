from __future__ import annotations

import pytest

from aiida_seireact.formats import files
from aiida_seireact.parsers.build import BuildParser
from tests.parsers.conftest import result

TOLD = {"n_atoms": 2, "files": {"lammps": {"file": "cell.data", "sha256": "a" * 64, "bytes": 9}}}


def parse(node):
    outputs, process = BuildParser.parse_from_node(node, store_provenance=False)
    return outputs, process


def test_the_report_becomes_a_node(finished_job):
    outputs, process = parse(finished_job("seireact.build", {files.RESULT: result(outputs=TOLD)}))
    assert process.is_finished_ok
    assert outputs["report"].get_dict() == TOLD


@pytest.mark.parametrize("told", [{}, {"files": {}}, {"files": {"lammps": {"sha256": ""}}}])
def test_a_report_without_checksum_is_not_whole(finished_job, told):
    _, process = parse(finished_job("seireact.build", {files.RESULT: result(outputs=told)}))
    assert process.exit_status == 310


@pytest.mark.parametrize(("kind", "status"), [("invalid_input", 210), ("disk_full", 425), ("failed", 420)])
def test_failures_are_told_apart(finished_job, kind, status):
    error = {"kind": kind, "message": "the reason"}
    _, process = parse(finished_job("seireact.build", {files.RESULT: result(status="failed", error=error)}))
    assert process.exit_status == status
    assert "the reason" in process.exit_message


def test_a_killed_program_is_known_by_its_last_words(finished_job):
    node = finished_job("seireact.build", {"_scheduler-stderr.txt": "600,000 of 3,412,960 atoms written\n"})
    _, process = parse(node)
    assert process.exit_status == 410
    assert "600,000 of 3,412,960 atoms" in process.exit_message

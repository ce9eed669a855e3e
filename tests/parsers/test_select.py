from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.formats import files
from aiida_seireact.parsers.select import SelectParser
from tests.parsers.conftest import result


@pytest.fixture
def left(labelled, tmp_path):
    """Return the folder in which seireact-select has left its files."""
    labelled().without_labels().save(tmp_path / files.SELECTED)
    np.savez(tmp_path / files.SELECTION, run=np.array(["a", "b"]), max_std=np.array([0.1, np.nan]))
    return tmp_path


def test_frames_rows_and_numbers_become_nodes(finished_job, left):
    told = {"n_chosen": 4, "files": {"frames": files.SELECTED}}
    node = finished_job("seireact.select", {files.RESULT: result(outputs=told)})
    outputs, process = SelectParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=str(left))
    assert process.is_finished_ok
    assert len(outputs["frames"]) == 4
    assert not outputs["frames"].is_labelled
    assert outputs["selection"].get_array("run").tolist() == ["a", "b"]
    assert outputs["choice"].get_dict() == {"n_chosen": 4}


def test_a_torn_file_is_told(finished_job, left):
    (left / files.SELECTED).write_bytes(b"PK")
    node = finished_job("seireact.select", {files.RESULT: result(outputs={"files": {}})})
    _, process = SelectParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=str(left))
    assert process.exit_status == 310

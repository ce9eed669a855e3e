from __future__ import annotations

import numpy as np

from aiida_seireact.formats import files
from aiida_seireact.parsers.curate import CurateParser
from tests.parsers.conftest import result


def test_rows_and_counts_become_nodes(finished_job, tmp_path):
    np.savez(tmp_path / files.CURATION, frame_id=np.array([b"a", b"b"]), rule=np.array(["", "same structure"]))
    told = {"n_frames": 2, "n_kept": 1, "files": {"curation": files.CURATION}}
    node = finished_job("seireact.curate", {files.RESULT: result(outputs=told)})
    outputs, process = CurateParser.parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.is_finished_ok
    assert outputs["verdicts"].get_array("rule").tolist() == ["", "same structure"]
    assert outputs["report"].get_dict() == {"n_frames": 2, "n_kept": 1}


def test_a_torn_file_is_told(finished_job, tmp_path):
    (tmp_path / files.CURATION).write_bytes(b"PK")
    node = finished_job("seireact.curate", {files.RESULT: result(outputs={"files": {}})})
    _, process = CurateParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=str(tmp_path))
    assert process.exit_status == 310

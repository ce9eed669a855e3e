"""What every program does around its work."""

from __future__ import annotations

import json
from pathlib import Path

from aiida_seireact.programs._program import execute


def test_a_result_that_is_no_json_is_a_failure_with_a_result(tmp_path: Path) -> None:
    status = execute("seireact-nothing", tmp_path, [], lambda: {"energy_ev": float("nan")})
    result = json.loads((tmp_path / "result.json").read_text())
    assert status == 4
    assert result["status"] == "failed"
    assert "ValueError" in result["error"]["message"]
    assert result["outputs"] == {}

"""Lines of physics in the graph: a Gaussian process fitted to CHGNet, against CHGNet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.verdict import read_verdict
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.workchains.validate import ValidateWorkChain
from tests.gate import LABEL, dataset_of, fitted, labelled_frames

LINES: dict[str, Any] = {
    "volumes": {"test": "eos", "phases": ["Li", "LiCl"], "ratios": [0.84, 0.91, 0.98, 1.05, 1.12],
                "target": {"relative": 0.05}},
    "elastic": {"test": "elastic", "phases": ["Li"], "quantity": "moduli", "target": {"relative": 1.0}},
    "down to ZBL": {"test": "dimers", "pairs": ["Li-Li", "Li-S"], "quantity": "zbl", "count": 20,
                    "target": {"min": 0.5}},
}  # fmt: skip


@pytest.mark.slow
def test_a_process_that_knows_crystals_has_their_volumes_but_not_the_nuclei(
    program_code: Callable[..., orm.Code], tmp_path: Path
) -> None:
    frames = labelled_frames()
    dataset = dataset_of(frames)
    potential = fitted(frames, dataset, tmp_path)
    _, node = run_get_node(
        ValidateWorkChain,
        potential=potential,
        dataset=dataset,
        codes={"validate": program_code("validate"), "label": program_code("label")},
        scorecard=orm.Dict({"name": "physics", "lines": LINES}),
        phases=FramesData.from_ase(phase_cells(["Li", "LiCl"])),
        label=orm.Dict(LABEL),
    )
    assert node.is_finished_ok, node.exit_message
    verdict = read_verdict(node.outputs.verdict.get_dict(), potential.model_hash)
    print("\n".join(line.message for line in verdict.lines))
    numbers = {(line.name, line.subject, line.quantity): line for line in verdict.lines}
    assert len(node.outputs.frames) == 10 + 9
    assert numbers["volumes", "Li", "equilibrium volume"].passed
    assert numbers["volumes", "LiCl", "equilibrium volume"].passed
    assert {name for name, _, _ in numbers} == set(LINES)
    failed = {(line.name, line.subject) for line in verdict.failed}
    assert {("down to ZBL", "Li-Li"), ("down to ZBL", "Li-S")} <= failed
    assert verdict.decision == "rejected"

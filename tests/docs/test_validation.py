"""*Validation*, executed: its Python with a real model, its overrides against the schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiida import orm
from ase.build import bulk

from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.verdict import read_verdict
from aiida_seireact.science.validation.kinds import KINDS
from aiida_seireact.workchains.validate import ValidateWorkChain
from tests.docs._pages import DOCS, blocks
from tests.gate import dataset_of, fitted, labelled_frames

PAGE = DOCS / "howto" / "validation.md"


def test_its_python_runs(
    aiida_profile_clean: Any, aiida_localhost: orm.Computer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aiida_localhost.set_minimum_job_poll_interval(0)
    for program in ("validate", "label"):
        path = str(Path(sys.executable).parent / f"seireact-{program}")
        code = orm.InstalledCode(
            label=f"seireact-{program}-0", computer=aiida_localhost, filepath_executable=path,
            prepend_text="export OMP_NUM_THREADS=1",
        )  # fmt: skip
        code.store()
    frames = labelled_frames()
    dataset = dataset_of(frames)
    found: dict[str, Any] = {"potential": fitted(frames, dataset, tmp_path), "dataset": dataset}
    for block in blocks(PAGE):
        if block.info == "python":
            exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), found)
    node = found["node"]
    assert node.is_finished_ok, node.exit_message
    verdict = read_verdict(found["verdict"], found["potential"].model_hash)
    assert {line.name for line in verdict.lines} >= {"forces", "products", "reaction", "volumes"}
    told = capsys.readouterr().out
    assert f"{verdict.decision} {len(verdict.lines)}" in told
    assert all(line.message in told for line in verdict.failed)


def test_its_overrides_are_taken() -> None:
    mine, of_interface, of_run = [
        ValidateWorkChain.get_protocol_inputs("fast", yaml.safe_load(block.text))["scorecard"]
        for block in blocks(PAGE)
        if block.info == "yaml"
    ]
    assert read_scorecard(of_interface).name == "fast, changed"
    (run,) = read_scorecard(of_interface).lines["interface"].runs({"my interface": bulk("Li")})
    assert (run.subject, run.steps, run.atoms is None) == ("my interface", 5000, False)
    assert [run.name for run in read_scorecard(of_run).lines["what it did"].runs({})] == ["long"]
    card = read_scorecard(mine)
    assert card.name == "mine"
    assert card.lines["forces"].target.max == 0.3
    assert "volumes of products" not in card.lines
    assert card.lines["sulphides"].test == "energies"


def test_topic_and_reference_tell_every_kind_of_line() -> None:
    text = (DOCS / "topics" / "validation.md").read_text(encoding="utf-8")
    reference = (DOCS / "reference" / "scorecard.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"`{kind.test}`" in text
        assert f"## {kind.test}\n" in reference
        assert f"{kind.__module__}.{kind.__name__}\n" in reference

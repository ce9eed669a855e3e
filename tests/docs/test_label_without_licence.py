"""The worked example of *Label without a licence*, executed with the real pw.x."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_seireact.cli import quantum_espresso
from tests.docs._pages import DOCS, blocks
from tests.pw_x import need_pw

PAGE = DOCS / "howto" / "label_without_licence.md"


@pytest.fixture
def qe_is_set_up(aiida_profile_clean: Any, aiida_localhost: Any) -> None:
    need_pw()
    quantum_espresso.look_after(aiida_localhost, dry_run=False, tell=lambda *step: None)


def test_the_example_labels_its_frames(qe_is_set_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {}
    for block in blocks(PAGE):
        if block.info == "python":
            exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), found)
    assert found["node"].is_finished_ok, found["node"].exit_message
    labelled = found["labelled"]
    assert labelled.group.tolist() == ["Li2S-1", "Li2S-2"]
    assert labelled.energy[0] == pytest.approx(-669.82784635, abs=1e-5)
    assert np.abs(labelled.forces.sum(axis=0)).max() < 5e-3
    assert labelled.stress.shape == (2, 6)
    assert found["md"].is_finished_ok, found["md"].exit_message
    steps = found["steps"]
    assert steps.md_step.tolist() == [1, 2]
    assert set(steps.config_type.tolist()) == {"LiCl"}
    # What the page says of labels and steps.
    assert steps.settings_hash == labelled.settings_hash
    assert "'failures': []" in capsys.readouterr().out

"""*Start safely*, executed with the real program and a small model, and the numbers it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida.manage.caching import enable_caching
from ase.io import write

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.start import StartSettings
from aiida_seireact.science.contacts import ContactLimits
from aiida_seireact.workchains.start import StartWorkChain
from tests.docs._pages import DOCS, blocks, table
from tests.programs.conftest import crystal

PAGE = DOCS / "howto" / "start_safely.md"


def test_the_page_runs_as_it_is_told(
    code: Any, potential: PotentialData, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    atoms = crystal((2, 2, 2))
    atoms.positions[atoms.positions[:, 2] > 3] += (0, 0, 0.4)
    atoms.cell[2, 2] += 0.4
    monkeypatch.chdir(tmp_path)
    write("interface.cif", atoms)
    found: dict[str, Any] = {"potential": potential}
    with enable_caching():
        for block in blocks(PAGE):
            if block.info == "python":
                exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), found)
                if block.text.startswith("verdict ="):
                    assert found["node"].is_finished_ok, found["node"].exit_message
    told = capsys.readouterr().out
    assert "no two atoms are too near" in told
    assert "mean temperature" in told
    assert found["node"].is_finished_ok, found["node"].exit_message
    settings = StartSettings.model_validate(found["builder"].start.parameters.get_dict())
    # The atoms of the crystal lie at 0, 1.95 and, above the gap, 4.3 Å.
    assert 1.95 < settings.gap.planes[0] * found["height"] < 4.3
    assert found["builder"].start.accept.value


def test_the_limits_are_told_as_they_are() -> None:
    limits = StartWorkChain.get_protocol_inputs("balanced")["limits"]
    told = {row[0].strip("`"): float(row[1].split()[0]) for row in table(PAGE, "start-limits")}
    assert told == {name: limits[name] for name in told}
    assert set(limits) - set(told) == {"contacts", "density_min_g_per_cm3", "density_max_g_per_cm3"}


def test_the_distances_are_told_as_they_are() -> None:
    limits = ContactLimits().table()
    text = PAGE.read_text(encoding="utf-8")
    for pair, numbers in {"Li-Li": (3, 3), "Li-S": (3, 16), "P-S": (15, 16)}.items():
        assert f"{pair} {limits[numbers]:.2f} Å" in text

"""*Long runs*, executed with the real program and a small model, and the numbers it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida.manage.caching import enable_caching
from ase.io import write

from aiida_seireact.calculations.lammps import WALLTIME_LEFT_S, WALLTIME_SHARE
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.halt import DISK_FREE_MIN_MB
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.docs._pages import DOCS, blocks
from tests.programs.conftest import crystal

PAGE = DOCS / "howto" / "long_runs.md"


def test_the_page_runs_as_it_is_told(
    code: Any, potential: PotentialData, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write("cell.extxyz", crystal((2, 2, 2)))
    found: dict[str, Any] = {"potential": potential}
    with enable_caching():
        for block in blocks(PAGE):
            if block.info == "python":
                exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), found)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "120"
    assert told[-1] == "0 160"
    assert sum("energy_jump_ev_per_atom" in line for line in told) == 2
    assert sum("core-hours" in line for line in told) == 3
    assert found["extended"].is_finished_ok
    # What the page shows as options is taken by the job.
    builder = found["builder"]
    builder.options = found["options"]
    assert ProduceWorkChain.spec().inputs.validate(builder._inputs(prune=True)) is None


def test_the_numbers_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"at {100 * (1 - WALLTIME_SHARE):.0f} % of it less a minute" in text
    assert WALLTIME_LEFT_S == 60
    assert f"less than {DISK_FREE_MIN_MB} MB" in text
    run = ProduceWorkChain.get_protocol_inputs("long")["parameters"]
    ns = run["md"]["timestep_fs"] * 1e-6
    assert f"`long` has {run['md']['steps'] * ns:g} ns in segments of\n{run['segment_steps'] * ns:g} ns" in text
    assert f"restart files every {run['md']['restart_every'] * run['md']['timestep_fs'] * 1e-3:g} ps" in text
    assert "17,500,000 steps of 2 fs, 35 ns" in text
    assert (
        f"{17_500_000 // run['md']['dump_every']:,} frames; a kill costs {run['md']['restart_every']:,} steps" in text
    )

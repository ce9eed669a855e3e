"""Restart files of the real LAMMPS: their step, and torn ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.formats.restart_file import MAGIC, RestartError, restart_step
from aiida_seireact.programs._lammps_run import open_lammps


@pytest.fixture(scope="module")
def restart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A restart file of step 7."""
    path = tmp_path_factory.mktemp("restart") / "a.restart"
    lmp = open_lammps("none")
    lmp.commands_string(
        "units metal\natom_style atomic\nlattice bcc 3.4\nregion r block 0 2 0 2 0 2\ncreate_box 1 r\n"
        "create_atoms 1 box\nmass 1 6.94\npair_style zero 3\npair_coeff * *\nfix f all nve\nrun 7\n"
        f"write_restart {path}"
    )
    lmp.close()
    return path


def test_the_step_is_in_the_head(restart: Path) -> None:
    assert restart_step(restart) == 7


@pytest.mark.parametrize("missing", [1, 20, 1000])
def test_a_torn_file_is_told(restart: Path, tmp_path: Path, missing: int) -> None:
    torn = tmp_path / "torn.restart"
    torn.write_bytes(restart.read_bytes()[:-missing])
    with pytest.raises(RestartError, match=r"torn\.restart is torn"):
        restart_step(torn)


def test_other_files_are_told(tmp_path: Path) -> None:
    other = tmp_path / "other"
    with pytest.raises(RestartError, match="no restart file other"):
        restart_step(other)
    other.write_bytes(b"ITEM: TIMESTEP\n")
    with pytest.raises(RestartError, match="not a restart file"):
        restart_step(other)
    other.write_bytes(MAGIC)
    with pytest.raises(RestartError, match="is torn"):
        restart_step(other)
    other.write_bytes(MAGIC + b"\0" * 64 + MAGIC)
    with pytest.raises(RestartError, match="not known here"):
        restart_step(other)

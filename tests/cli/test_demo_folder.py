"""The folder of the demo: what the machine lacks is told, a shell finds its AiiDA."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiida_seireact.cli.demo_folder import Folder, at_work, refuse_impossible, remove_debris, write_env


def test_little_memory_warns_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * 1024**3))
    refuse_impossible(Folder(tmp_path / "demo"))
    assert "Only 2.0 GB of memory are free" in capsys.readouterr().out


def test_env_script_points_a_shell_at_the_demo(tmp_path: Path) -> None:
    place = Folder(tmp_path / "it's")
    place.path.mkdir()
    write_env(place)
    command = f'source "{place.env}"; echo "$AIIDA_PATH"; command -v python'
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == [str(place.aiida), str(Path(sys.executable).parent / "python")]


def half_made(folder: Path, *, processes: int | None) -> Folder:
    """Return a demo whose set-up did not reach its end; None: not even the tables are there."""
    place = Folder(folder / "demo")
    storage = place.aiida / ".aiida" / "repository" / "sqlite_dos_x"
    storage.mkdir(parents=True)
    (place.aiida / ".aiida" / "config.json").write_text("{}")
    with sqlite3.connect(storage / "database.sqlite") as database:
        if processes is not None:
            database.execute("CREATE TABLE db_dbnode (id INTEGER, node_type TEXT)")
            rows = [(1, "data.core.dict.Dict."), *((2, "process.workflow.workchain.WorkChainNode."),) * processes]
            database.executemany("INSERT INTO db_dbnode VALUES (?, ?)", rows)
    return place


@pytest.mark.parametrize(("processes", "kept"), [(None, False), (0, False), (1, True)])
def test_a_half_made_aiida_is_removed_unless_something_ran_in_it(
    tmp_path: Path, processes: int | None, kept: bool
) -> None:
    place = half_made(tmp_path, processes=processes)
    remove_debris(place)
    assert place.aiida.exists() is kept


def test_an_aiida_that_was_whole_once_is_kept(tmp_path: Path) -> None:
    place = half_made(tmp_path, processes=0)
    place.set_up.touch()
    remove_debris(place)
    assert place.aiida.exists()


def test_a_database_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    place = half_made(tmp_path, processes=0)
    database = next(place.aiida.rglob("database.sqlite"))
    database.write_bytes(b"torn" * 1000)
    remove_debris(place)
    assert place.aiida.exists()


def test_half_written_files_are_removed(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    names = [".env-a1b2.sh", ".report-x.html", ".summary-y.json", "report.html", ".lock"]
    for name in names:
        (tmp_path / name).touch()
    remove_debris(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "report.html"]


def test_one_call_at_a_time_changes_the_folder_and_a_dead_one_keeps_nobody_out(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    with at_work(place, wait=True) as first, at_work(place, wait=False) as second:
        assert (first, second) == (True, False)

    hold = (
        "import sys, time; from pathlib import Path; from aiida_seireact.cli.demo_folder import Folder, at_work\n"
        f"with at_work(Folder(Path({str(tmp_path)!r})), wait=True): print('in', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with at_work(place, wait=False) as alone:
        assert not alone
    other.kill()
    other.wait()
    with at_work(place, wait=False) as alone:
        assert alone

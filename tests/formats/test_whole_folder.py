from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiida_seireact.formats.whole_folder import partial_folder, put

WRITER = """
import sys, time
from pathlib import Path
from aiida_seireact.formats.whole_folder import partial_folder
with partial_folder(Path(sys.argv[1])) as work:
    (work / "half").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def write(target: Path, text: str = "whole", *, replace: bool = False) -> None:
    with partial_folder(target) as work:
        made = work / target.name
        made.mkdir()
        (made / "file").write_text(text)
        put(made, target, replace=replace)


def test_a_folder_is_there_when_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "file").stat().st_mode & 0o777 == 0o644


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with partial_folder(tmp_path / "out") as work:
            (work / "half").write_text("half")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    write(tmp_path / "out")
    with pytest.raises(FileExistsError):
        write(tmp_path / "out", "new")
    assert (tmp_path / "out" / "file").read_text() == "whole"
    write(tmp_path / "out", "new", replace=True)
    assert (tmp_path / "out" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_can_be_put_as_well(tmp_path: Path) -> None:
    with partial_folder(tmp_path / "out.zip") as work:
        (work / "out.zip").write_text("zip")
        put(work / "out.zip", tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_text() == "zip"


def test_what_comes_back_if_the_new_one_cannot_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        is_made = ".partial-" in str(self.parent) and Path(target) == tmp_path / "out"
        if is_made and (self / "file").read_text() == "new":
            raise OSError(errno.ENOSPC, "full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "out", "new", replace=True)
    assert (tmp_path / "out" / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        (left,) = tmp_path.iterdir()
        # The writer is alive: its folder stays.
        with partial_folder(target):
            assert left.exists()
        os.kill(writer.pid, signal.SIGKILL)
    assert not target.exists()
    for _ in range(100):
        try:
            os.kill(writer.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_folder_of_a_writer_on_another_machine_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    with subprocess.Popen(["true"]) as gone:
        pass
    # Alive there, and nobody has its PID here.
    monkeypatch.setattr(os, "getpid", lambda: gone.pid)
    monkeypatch.setattr(socket, "gethostname", lambda: "login1.cluster")
    with partial_folder(target) as theirs:
        monkeypatch.setattr(socket, "gethostname", lambda: "login2.cluster")
        with partial_folder(target) as ours:
            assert theirs.exists()
            monkeypatch.setattr(socket, "gethostname", lambda: "login1.cluster")
            with partial_folder(target):
                assert (theirs.exists(), ours.exists()) == (False, True)


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    target = tmp_path / "out[1]"
    with subprocess.Popen(["true"]) as gone:
        pass
    (left := tmp_path / f".out[1].partial-x.{socket.gethostname()}.{gone.pid}").mkdir()
    with partial_folder(target):
        assert not left.exists()

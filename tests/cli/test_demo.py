"""The demo: what it refuses; and a real run of a small WorkChain by a daemon of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from aiida_seireact.cli.demo import demo

DRIVER = """
import sys
from aiida_seireact.cli import demo as module
from aiida_seireact.cli.demo_process import content_hash

def build(choice):
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    code = orm.QueryBuilder().append(orm.InstalledCode, filters={"label": "adder"}).first(flat=True)
    if code is None:
        computer = orm.load_computer("localhost")
        text = "echo adding >&2; sleep ${ADDING_SECONDS:-3}"
        code = orm.InstalledCode(label="adder", computer=computer, filepath_executable="/bin/bash", prepend_text=text)
        code.store()
    builder = WorkflowFactory("core.arithmetic.multiply_add").get_builder()
    builder.x, builder.y, builder.z, builder.code = orm.Int(2), orm.Int(3), orm.Int(4), code
    builder.metadata.label = "demo " + content_hash(builder._inputs(prune=True))
    return builder

module.build = build
module.demo()
"""


@pytest.mark.parametrize("name", ["a b", "a:b"])
def test_folders_that_aiida_cannot_take_are_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(demo, ["--folder", str(tmp_path / name)])
    assert result.exit_code == 1
    assert "choose another folder with --folder" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1024**3))
    result = CliRunner().invoke(demo, ["--folder", str(tmp_path / "demo")])
    assert result.exit_code == 1
    assert "Only 1.0 GB are free" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def call_demo(tmp_path: Path):
    """Return a function that starts the demo with a small WorkChain in its place; end its daemon afterwards."""
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))

    def environment() -> dict[str, str]:
        return {**{name: text for name, text in os.environ.items() if name != "AIIDA_PATH"}, "HOME": str(tmp_path)}

    def start(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), *options]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    yield start
    verdi = [str(Path(sys.executable).parent / "verdi"), "daemon", "stop"]
    subprocess.run(verdi, env={**environment(), "AIIDA_PATH": str(tmp_path / "demo" / "aiida")}, capture_output=True)


def read_until(process: subprocess.Popen[str], word: str) -> str:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return "".join(lines)
    raise AssertionError(f"{word!r} never came:\n" + "".join(lines))


def daemon_pids(folder: Path) -> list[int]:
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AIIDA_PATH", "").startswith(str(folder)) and "daemon" in process.cmdline():
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def kill_daemon_part(folder: Path, role: str) -> None:
    import psutil

    for pid in daemon_pids(folder):
        if role in psutil.Process(pid).cmdline():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.parametrize("role", ["broker", "start-circus"])
def test_what_died_while_nobody_watched_is_mended_by_the_next_call(
    call_demo: Callable[..., subprocess.Popen[str]], tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDING_SECONDS", "20")
    first = call_demo()
    read_until(first, "Submitted MultiplyAddWorkChain")
    first.kill()
    first.wait()
    kill_daemon_part(tmp_path / "demo", role)
    time.sleep(3)

    second = call_demo()
    told, _ = second.communicate(timeout=240)
    assert second.returncode == 0, told
    assert "Trouble: The broker died" in told if role == "broker" else "Trouble: The daemon" in told
    assert "Started the daemon with 2 workers." in told
    assert "Going on with MultiplyAddWorkChain" in told
    assert daemon_pids(tmp_path / "demo") == []


@pytest.mark.slow
@pytest.mark.workflow
def test_a_set_up_that_was_killed_is_made_anew(call_demo: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    aiida = tmp_path / "demo" / "aiida"
    told = ""
    for moment in (aiida / ".aiida" / "config.json", aiida / ".aiida" / "repository"):
        cut_short = call_demo()
        deadline = time.monotonic() + 60
        while not moment.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        cut_short.kill()
        told += cut_short.communicate()[0]
        assert not (aiida / "set-up").exists()

    (tmp_path / "demo" / ".report-half.html").write_text("<html>")
    told += (last := call_demo()).communicate(timeout=240)[0]
    assert last.returncode == 0, told
    # By the second call or the last: on a busy machine the second is killed before it has made anything anew.
    assert "was cut short last time; it is made anew" in told
    assert not (tmp_path / "demo" / ".report-half.html").exists()


@pytest.mark.slow
@pytest.mark.workflow
def test_demo_survives_ctrl_c_and_the_death_of_its_daemon(
    call_demo: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    first = call_demo()
    read_until(first, "Submitted MultiplyAddWorkChain")
    first.send_signal(signal.SIGINT)
    rest, _ = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "goes on in the daemon" in rest
    assert not (tmp_path / ".aiida").exists(), "the user's AiiDA was opened"

    pids = daemon_pids(tmp_path / "demo")
    assert pids, "the daemon went away with the view"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)

    second = call_demo()
    told, _ = second.communicate(timeout=240)
    assert second.returncode == 0, told
    assert "Going on with MultiplyAddWorkChain" in told
    assert "Submitted" not in told
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["exit_status"] == 0
    assert (tmp_path / "demo" / "report.html").stat().st_size > 4000
    assert daemon_pids(tmp_path / "demo") == []

    third = call_demo()
    told, _ = third.communicate(timeout=120)
    assert third.returncode == 0
    assert "done already" in told

    fresh = call_demo("--fresh")
    told, _ = fresh.communicate(timeout=240)
    assert fresh.returncode == 0, told
    again = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert again["react_pk"] != summary["react_pk"]

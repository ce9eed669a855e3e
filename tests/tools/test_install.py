"""The installer: what it says when something is wrong, and that the pins belong to the requirements."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return tools/install.py as a module, working in an empty folder."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "NOTES", tmp_path / ".venv" / "install")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    module.NOTES.mkdir(parents=True)
    return module


def test_every_requirement_has_a_version_that_meets_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    pins = {canonicalize_name(name): version for name, version in lines}
    wanted = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (Requirement(text) for group in wanted for text in group):
        if requirement.name != project["name"]:
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_a_failed_step_says_which_and_why_and_how_to_go_on(
    installer: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = installer.Commands()
    script = "import sys; print('first'); print('No space left on device'); sys.exit(3)"
    with pytest.raises(installer.InstallError) as caught, installer.step(3, "the packages"):
        commands.run("packages", sys.executable, "-c", script)
    message = str(caught.value)
    assert message.startswith("Step 3 failed: the packages. The last lines of .venv/install/packages.log:")
    assert "    No space left on device" in message
    assert message.endswith("make install")
    assert capsys.readouterr().out == f"[3/{installer.N_STEPS}] the packages ... failed.\n\n"


def test_a_step_that_worked_is_numbered_and_timed(installer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with installer.step(1, "nothing"):
        pass
    assert capsys.readouterr().out == f"[1/{installer.N_STEPS}] nothing ... 0 s\n"


def test_a_moved_environment_is_refused(installer: ModuleType) -> None:
    with pytest.raises(installer.InstallError, match=r"was made in /elsewhere.*rm -rf \.venv && make install"):
        installer.check_environment({"root": "/elsewhere"})


def test_an_environment_of_another_python_is_refused(installer: ModuleType) -> None:
    installer.PYTHON.parent.mkdir(parents=True)
    installer.PYTHON.write_text("#!/bin/sh\necho 3 12\n")
    installer.PYTHON.chmod(0o755)
    with pytest.raises(installer.InstallError, match=r"no working environment of Python 3\.11"):
        installer.check_environment({})


def test_a_missing_compiler_is_told_before_anything_is_downloaded(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(installer.InstallError, match=r"no C\+\+ compiler\. Install g\+\+"):
        installer.check_machine()


@pytest.mark.parametrize(
    ("offered", "said", "arguments"),
    [
        ("pip", "as this machine's pip offers it", ["--no-deps", "torch==2.13.0+cpu"]),
        (
            "pytorch",
            "from PyTorch's CPU index",
            ["--index-url", "https://download.pytorch.org/whl/cpu", "--no-deps", "torch==2.13.0+cpu"],
        ),
        ("nowhere", "several GB", ["torch==2.13.0"]),
    ],
)
def test_the_cpu_build_of_torch_is_preferred(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, offered: str, said: str, arguments: list[str]
) -> None:
    def is_offered(version: str, *options: str) -> bool:
        assert version == "2.13.0+cpu"
        return offered == ("pytorch" if "--index-url" in options else "pip")

    monkeypatch.setattr(installer, "is_offered", is_offered)
    title, chosen = installer.choose_torch("2.13.0")
    assert said in title
    assert chosen == arguments


def test_what_still_runs_ends_with_the_install(installer: ModuleType) -> None:
    commands = installer.Commands()
    failures: list[BaseException] = []

    def build() -> None:
        try:
            commands.run("build", "sleep", "600")
        except installer.CommandError as error:
            failures.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    while not commands._started:
        thread.join(0.01)
    commands.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert len(failures) == 1

"""What a stranger gets: sdist and wheel as for PyPI, and the wheel in an environment of base dependencies alone."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


class Built(NamedTuple):
    """The two files that are published."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the sdist, and the wheel from it; without a network, by the build backend that is here."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session", params=["borrowed", pytest.param("index", marks=pytest.mark.slow)])
def python(request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with the wheel and its base dependencies, and nothing else.

    They are borrowed from the environment of the tests, which takes seconds; slowly, from the package index as a
    stranger gets them.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=request.param == "index")
    interpreter = folder / "bin" / "python"
    if request.param == "index":
        run(interpreter, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", built.wheel)
        return interpreter
    (packages,) = folder.glob("lib/python*/site-packages")
    for path in files_of(base_dependencies()):
        (packages / path.name).symlink_to(path)
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "--no-deps", "--no-index", built.wheel)
    return interpreter


def base_dependencies() -> set[str]:
    """Return the names of all distributions that the package depends on without an extra, through and through."""
    found: set[tuple[str, frozenset[str]]] = set()
    todo = [("aiida-seireact", frozenset[str]())]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for text in distribution(name).requires or []:
            wanted = Requirement(text)
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                todo.append((canonicalize_name(wanted.name), frozenset(wanted.extras)))
    return {name for name, _ in found} - {"aiida-seireact"}


def files_of(names: set[str]) -> set[Path]:
    """Return what distributions have put at the top of site-packages."""
    found = set()
    for name in names:
        one = distribution(name)
        tops = {path.parts[0] for path in one.files or []} - {"..", "__pycache__"}
        found |= {Path(str(one.locate_file(top))) for top in tops}
    return found


def run(*command: str | Path) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout

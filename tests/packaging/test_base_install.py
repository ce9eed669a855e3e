"""With the base dependencies alone all that AiiDA and the shell look for loads, and what is missing is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from aiida_seireact.cli.programs import PROGRAMS
from tests.packaging.conftest import ROOT

# Compiled loops: their callers ask for numba with a sentence; the loop of a training is lightning's.
OF_AN_EXTRA = {
    "aiida_seireact.programs._lightning": "train",
    "aiida_seireact.science.analysis.pair_counts": "analyse",
    "aiida_seireact.science.density_peaks.kernels": "classify",
    "aiida_seireact.science.descriptors.kernels": "classify",
    "aiida_seireact.science.nearest_kernels": "classify",
}
LOOK = """
import json, pkgutil
from importlib import import_module
from importlib.metadata import distribution
from click.testing import CliRunner
import aiida_seireact

told = {"where": aiida_seireact.__file__, "entry_points": {}, "modules": {}, "help": {}, "prefixes": []}
for point in distribution("aiida-seireact").entry_points:
    if point.group.startswith("aiida."):
        told["prefixes"].append(point.name.split(".")[0])
    try:
        found = point.load()
    except Exception as error:
        told["entry_points"][f"{point.group} {point.name}"] = repr(error)
        continue
    if point.group == "console_scripts":
        done = CliRunner().invoke(found, ["--help"])
        told["help"][point.name] = done.exit_code
for module in pkgutil.walk_packages(aiida_seireact.__path__, "aiida_seireact."):
    try:
        import_module(module.name)
    except Exception as error:
        told["modules"][module.name] = repr(error)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What an interpreter of that environment tells, in one go."""
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path_factory.mktemp("aiida"))}
    # -I: the folder of the tests holds the sources, which must not be what is imported.
    done = subprocess.run([python, "-I", "-c", LOOK], capture_output=True, text=True, check=True, env=environment)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    assert Path(str(found["where"])).is_relative_to(python.parents[1])
    return found


def test_every_entry_point_loads_and_has_our_prefix(told: dict[str, dict[str, str]]) -> None:
    assert told["entry_points"] == {}
    assert set(told["prefixes"]) == {"seireact"}


def test_every_program_helps(told: dict[str, dict[str, str]]) -> None:
    assert {f"seireact-{card.name}" for card in PROGRAMS} <= set(told["help"])
    assert set(told["help"].values()) == {0}


def test_every_module_imports_but_the_loops_of_an_extra(told: dict[str, dict[str, str]]) -> None:
    assert set(told["modules"]) == set(OF_AN_EXTRA), told["modules"]


def test_the_command_says_its_help_in_a_fresh_process(python: Path) -> None:
    done = subprocess.run([python.parent / "aiida-seireact", "--help"], capture_output=True, text=True, check=True)
    assert "First steps:" in done.stdout


def test_extras_that_sentences_name_exist() -> None:
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text().split("[project.optional")[1], re.M))
    named = {
        name
        for path in [*(ROOT / "aiida_seireact").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
        if "_build" not in path.parts
        for names in re.findall(r"aiida-seireact\[([\w,]+)\]", path.read_text(encoding="utf-8"))
        for name in names.split(",")
    }
    assert named <= extras
    assert set(OF_AN_EXTRA.values()) <= extras

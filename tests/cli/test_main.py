from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from aiida_seireact import __version__
from aiida_seireact.cli.main import COMMANDS, cli

# What takes longer to import than --help may: 0.1 s in all, 0.04 s of it click.
HEAVY = (
    "aiida",
    "ase",
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "plotly",
    "pydantic",
    "pymatgen",
    "rich",
    "scipy",
    "torch",
    "yaml",
)
NO_AIIDA = f"""
import sys
from click.testing import CliRunner
from aiida_seireact.cli.main import cli
assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
print([name for name in sys.modules if name.split(".")[0] in {HEAVY}])
"""


def test_help_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", NO_AIIDA], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_knows_profile_and_help(name):
    result = CliRunner().invoke(cli, [name, "-h"])
    assert result.exit_code == 0, result.output
    if name not in ("demo", "verify"):  # whose profiles live in folders of their own
        assert "--profile" in result.output


def test_version():
    assert __version__ in CliRunner().invoke(cli, ["--version"]).output


def test_an_unknown_command_is_refused():
    assert CliRunner().invoke(cli, ["labl"]).exit_code == 2

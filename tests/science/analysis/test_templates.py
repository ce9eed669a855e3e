"""Template matching by the real OVITO, which is no part of the environment that the tests run in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aiida_seireact.cli.pseudopotentials import cache_folder

ROOT = Path(__file__).parents[3]
FILES = ("tests/science/analysis/test_bulk.py", "tests/programs/analyses/test_observers.py")
WITH_OVITO = {
    "test_templates_of_lithium",
    "test_thermal_lithium_keeps_its_template",
    "test_templates_with_time_and_along_z",
}
UNREACHABLE = r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError|Max retries exceeded"


@pytest.fixture
def ovito() -> Path:
    """The folder of the pinned OVITO with its Qt, 1 GB, fetched once a machine; for PYTHONPATH.

    No environment of its own: numpy is of the same version as ours, by the same constraints.
    """
    (pin,) = re.findall(r"^ovito==.+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    place = cache_folder() / pin.replace("==", "-")
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="ovito-") as name:
        made = Path(name) / "packages"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", made, "-c", ROOT / "constraints.txt", pin],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and re.search(UNREACHABLE, done.stderr):
            pytest.skip(f"OVITO can't be fetched: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
        made.rename(place)
    return place


@pytest.mark.slow
def test_what_needs_ovito_holds_with_it(ovito: Path, tmp_path: Path) -> None:
    """Those tests are skipped everywhere else."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *FILES, "-k", "template", "-p", "no:cacheprovider",
         f"--junitxml={tmp_path / 'told.xml'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ovito)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    cases = ElementTree.parse(tmp_path / "told.xml").getroot().findall(".//testcase")
    assert {case.get("name") for case in cases} == WITH_OVITO
    # A skipped, failed or broken one has a child that says so.
    assert [case.get("name") for case in cases if case.find("skipped") is not None] == []

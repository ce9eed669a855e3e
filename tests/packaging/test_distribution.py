"""Sdist and wheel hold what they must and nothing else; metadata and citation are what registries read."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser

import pytest
import yaml
from cffconvert import Citation

from aiida_seireact import __version__
from tests.packaging.conftest import ROOT, Built

# What only the repository needs.
NOT_PUBLISHED = {".ci/run", ".pre-commit-config.yaml"}


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("dist-info/METADATA")]
        return Parser().parsestr(wheel.read(name).decode())


def test_the_sdist_holds_what_git_knows(built: Built) -> None:
    """All that tests and pages read, no build output, nobody's notes."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: only git knows what belongs to it")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    known = {name for name in listed if (ROOT / name).exists()}
    with tarfile.open(built.sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert held == known - NOT_PUBLISHED | {"PKG-INFO"}


def test_the_wheel_holds_the_package_alone_with_all_its_data(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        held = set(wheel.namelist())
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "aiida_seireact").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in held if ".dist-info/" not in name} == package


def test_the_metadata_is_what_the_registry_reads(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT AND BSD-3-Clause"  # 3Dmol.js lies in the wheel
    classifiers = metadata.get_all("Classifier", [])
    assert "Framework :: AiiDA" in classifiers
    assert [name for name in classifiers if name.startswith("Development Status ::")]
    urls = {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])}
    assert {"Documentation", "Source", "Changelog"} <= urls
    assert not [line for line in metadata.get_all("Requires-Dist", []) if " @ " in line]  # PyPI refuses addresses


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert re.search(
        rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


def test_the_citation_is_valid_and_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text()
    Citation(text).validate()  # raises where it does not meet the schema of CFF 1.2.0
    citation = yaml.safe_load(text)
    assert citation["version"] == __version__
    assert f"[{__version__}] - {citation['date-released']}" in (ROOT / "CHANGELOG.md").read_text()
    assert "2506.10944" in Citation(text).cffobj["references"][0]["url"]


def test_the_entry_of_the_registry_is_ours() -> None:
    text = (ROOT / "docs" / "reference" / "packaging.md").read_text()
    (entry,) = re.findall(r"^```yaml\n(aiida-seireact:.*?)^```$", text, re.M | re.S)
    (plugin,) = yaml.safe_load(entry).values()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert plugin["entry_point_prefix"] == "seireact"
    assert plugin["pip_url"] == project["name"]
    assert plugin["code_home"] == project["urls"]["Source"]
    assert plugin["documentation_url"] == project["urls"]["Documentation"]

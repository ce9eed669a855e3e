"""The pages are built without a warning, in a copy that has nothing but what the sdist holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs._pages import DOCS


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_without_a_profile(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "jupyter_execute", "__pycache__"))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "html"]
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path / "nobody"), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    built = {str(path.relative_to(tmp_path / "html")) for path in (tmp_path / "html").rglob("*.html")}
    pages = {
        str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md") if "_build" not in path.parts
    }
    assert pages <= built
    assert not (tmp_path / "nobody").exists()
    assert "figure-ps4" in (tmp_path / "html" / "gallery.html").read_text(encoding="utf-8")
    assert "aiida_seireact.science.structures.argyrodite.production_cell" in (
        tmp_path / "html" / "reference" / "api" / "structures.html"
    ).read_text(encoding="utf-8")

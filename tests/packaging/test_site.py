"""The pages are built without a warning from what the sdist holds, and without a profile."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.packaging.conftest import Built


def test_the_site_is_built_without_a_warning(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "html"]
    environment = {**os.environ, "AIIDA_PATH": str(tmp_path / "nobody"), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not (tmp_path / "nobody").exists()
    pages = {path.relative_to(root / "docs").with_suffix(".html") for path in (root / "docs").rglob("*.md")}
    built_pages = {path.relative_to(root / "html") for path in (root / "html").rglob("*.html")}
    assert {page for page in pages if "_build" not in page.parts} <= built_pages
    api = (root / "html" / "reference" / "api" / "structures.html").read_text(encoding="utf-8")
    assert 'id="aiida_seireact.science.structures.argyrodite.production_cell"' in api
    assert 'id="figure-ps4"' in (root / "html" / "gallery.html").read_text(encoding="utf-8")

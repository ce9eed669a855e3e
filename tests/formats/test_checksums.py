from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aiida_seireact.formats.checksums import FILE, compare_checksums, write_checksums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a b.txt").write_text("a")
    (tmp_path / "sub" / "c.txt").write_text("c")
    assert write_checksums(tmp_path) == 2
    return tmp_path


def test_the_list_is_that_of_sha256sum(folder: Path) -> None:
    assert compare_checksums(folder).sentences() == []
    subprocess.run(["sha256sum", "--check", "--quiet", FILE], cwd=folder, check=True)


def test_altered_missing_and_extra_files_are_named(folder: Path) -> None:
    (folder / "a b.txt").write_text("b")
    (folder / "sub" / "c.txt").unlink()
    (folder / "sub" / "d.txt").write_text("d")
    found = compare_checksums(folder)
    assert (found.altered, found.missing, found.extra) == (("a b.txt",), ("sub/c.txt",), ("sub/d.txt",))


def test_a_link_is_none_of_the_files(folder: Path) -> None:
    (folder / "sub" / "c.txt").rename(folder.parent / "c.txt")
    (folder / "sub" / "c.txt").symlink_to(folder.parent / "c.txt")
    found = compare_checksums(folder)
    assert (found.missing, found.extra) == (("sub/c.txt",), ("sub/c.txt",))


def test_a_list_that_is_none_is_told(folder: Path) -> None:
    (folder / FILE).write_text("hello\n")
    with pytest.raises(ValueError, match="Line 1 of .* is no checksum: 'hello'"):
        compare_checksums(folder)
    (folder / FILE).unlink()
    with pytest.raises(ValueError, match="nothing tells what was published"):
        compare_checksums(folder)

"""Figures of a bundle: every one that can be made, each as it is anew, and one that fails is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiida_seireact.publishing import pictures, write
from aiida_seireact.publishing.bundle import BundleError
from aiida_seireact.publishing.metadata import Metadata
from aiida_seireact.publishing.pictures import check_figures, write_figures
from aiida_seireact.publishing.plan import Plan

from .fixtures import Published
from .graphs import ASKED, Finished, quiet


def altered(published: Published, folder: Path, alter: Callable[[dict[str, Any]], None]) -> Path:
    """Return a copy of a bundle, of its index and its figures."""
    shutil.copytree(published.folder / "figures", folder / "figures")
    shutil.copy(published.folder / "bundle.json", folder)
    path = folder / "figures" / "index.json"
    index = json.loads(path.read_text())
    alter(index)
    path.write_text(json.dumps(index))
    return folder


def test_names_on_both_sides_are_compared(imported: Published, tmp_path: Path) -> None:
    names = []

    def alter(index: dict[str, Any]) -> None:
        made = index["made"]
        names.extend(entry["name"] for entry in made[:2])
        index["not_made"][names[0]] = "nothing is there"
        index["of"] = []
        index["made"] = [*made[2:], {**made[0], "name": "dreamt"}]

    (tmp_path / "work").mkdir()
    wrong, said = check_figures(altered(imported, tmp_path / "b", alter), tmp_path / "work", quiet)
    assert [line.split(": ")[0] for line in wrong] == [
        "dreamt is no figure of the figure map",
        "figures/index.json tells other processes than the bundle is about",
        f"{names[0]} is told as not to be made (nothing is there), but the archive gives it",
        f"{names[1]} is missing, but the archive gives it",
    ]
    assert "pictures too" in said


@pytest.mark.parametrize("error", [KeyError("node_uuid"), ValueError("no such column"), OSError("a file is gone")])
def test_a_figure_that_fails_is_named_before_anything_long(
    study: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(pictures, "make", fail)
    monkeypatch.setattr(write, "_write_archive", lambda *_: pytest.fail("the archive was written first"))
    plan = Plan.of([study.top], quiet)
    with pytest.raises(BundleError, match=rf"The figure \w+ of ReactWorkChain <{study.top.pk}> .* can't be made"):
        write.publish(plan, tmp_path / "out", Metadata.of(**ASKED), lambda *_: None, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_fault_of_a_figure(study: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_figures([study.top], tmp_path, quiet)


def test_a_report_that_fails_is_named(study: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("summary")

    empty = {"of": [], "matplotlib": "", "made": [], "not_made": {}}
    monkeypatch.setattr(pictures, "write_figures", lambda *_: empty)
    plan = Plan.of([study.top], quiet)
    with pytest.raises(BundleError, match="The report of ReactWorkChain .* can't be written"):
        write.publish(plan, tmp_path / "out", Metadata.of(**ASKED), fail, quiet)
    assert list(tmp_path.iterdir()) == []

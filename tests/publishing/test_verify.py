"""What is wrong with a bundle is found in its files alone, too; the whole check is in tests/docs and tests/cli."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aiida_seireact.publishing import datasets, models
from aiida_seireact.publishing.bundle import BundleError, read_index, read_json
from aiida_seireact.publishing.numbers import differences, n_numbers

from .fixtures import Published


@pytest.fixture
def copy(published: Published, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published.folder, tmp_path / "copy"))


def test_files_that_are_whole_pass(copy: Path) -> None:
    assert datasets.check_files(copy) == models.check_files(copy) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("split=val", "split=test", "is not the dataset"),
        ("energy=", "energy=1", "is not what its frame_id says"),
        ("forces:R:3", "farces:R:3", "Frame 0 has no label"),
    ],
)
def test_a_dataset_that_was_changed_is_told(copy: Path, old: str, new: str, complaint: str) -> None:
    (file,) = copy.glob("datasets/*.extxyz")
    file.write_text(file.read_text().replace(old, new, 1))
    (found,) = datasets.check_files(copy)
    assert complaint in found


def test_a_model_that_was_changed_is_told_without_running_it(copy: Path) -> None:
    (file,) = copy.glob("models/*.nequip.zip")
    content = bytearray(file.read_bytes())
    place = content.index(b"pickle")
    content[place] = ord("b")
    file.write_bytes(content)
    (found,) = models.check_files(copy)
    assert "is not the model" in found
    file.unlink()
    assert "There is no package" in models.check_files(copy)[0]


def test_an_index_that_is_not_ours_is_a_sentence(copy: Path) -> None:
    (copy / "bundle.json").write_text(json.dumps({"schema": "other/1"}))
    with pytest.raises(BundleError, match="another version of aiida-seireact wrote it"):
        read_index(copy)
    with pytest.raises(BundleError, match="is no bundle"):
        read_index(copy / "figures")
    with pytest.raises(BundleError, match="none.json of the bundle is not readable"):
        read_json(copy / "none.json")


def test_numbers_are_compared_to_the_last_digit_and_pks_are_not() -> None:
    told = {"react_pk": 1, "a": {"pk": 7, "x": 0.1 + 0.2}, "list": [1, 2], "why": "stage <12> failed", "none": None}
    assert n_numbers(told) == 3
    same = {"react_pk": 2, "a": {"pk": 8, "x": 0.1 + 0.2}, "list": [1, 2], "why": "stage <99> failed", "none": None}
    assert list(differences(told, same)) == []
    other = {"react_pk": 2, "a": {"pk": 8, "x": 0.3}, "list": [1, 2, 3], "why": "stage <99> won", "more": 1}
    assert [line.split(" is ")[0] for line in differences(told, other)] == ["a.x", "list", "more", "none", "why"]
    assert list(differences({"x": 1}, {"x": True})) == ["x is told as 1, the archive gives True"]

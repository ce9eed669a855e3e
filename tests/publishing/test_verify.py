"""What is wrong with a bundle is found in its files alone, too; the whole check is in tests/docs and tests/cli."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aiida_seireact.publishing import datasets, models, verify
from aiida_seireact.publishing.bundle import BundleError, read_index, read_json, read_part
from aiida_seireact.publishing.numbers import by_uuid, differences, n_numbers
from aiida_seireact.publishing.pictures import _where

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


@pytest.mark.parametrize("name", ["title", "created", "processes", "counts"])
def test_an_index_that_lacks_something_is_a_sentence(copy: Path, name: str) -> None:
    index = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**index, name: None}))
    with pytest.raises(BundleError, match=f"does not tell {name}: it is not as it was published"):
        read_index(copy)


@pytest.mark.parametrize("part", ["datasets", "models", "trajectories", "figures"])
@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "datasets/../../secret"])
def test_an_index_leads_nowhere_out_of_the_bundle(copy: Path, part: str, name: str) -> None:
    path = copy / part / "index.json"
    told = json.loads(path.read_text())
    assert read_part(copy, part) == told
    entries = told if isinstance(told, list) else told.get("runs", told.get("made"))
    entries[0].update({"files": {"csv": name}} if part == "figures" else {"file": name})
    path.write_text(json.dumps(told))
    with pytest.raises(BundleError, match="which is not in the bundle: nothing of it is read"):
        read_part(copy, part)


@pytest.mark.parametrize("error", [BundleError("so"), KeyError("so"), TypeError("so"), FileNotFoundError("so")])
def test_a_check_that_stumbles_over_a_file_has_failed(error: Exception) -> None:
    def look() -> tuple[list[str], str]:
        raise error

    check = verify._looked("models", look)
    assert check.name == "models"
    assert "so" in check.wrong[0]
    with pytest.raises(OSError, match="full"):
        verify._looked("models", lambda: (_ for _ in ()).throw(OSError(28, "full")))


def test_numbers_are_compared_to_the_last_digit_and_pks_are_not() -> None:
    told = {"react_pk": 1, "a": {"pk": 7, "x": 0.1 + 0.2}, "list": [1, 2], "why": "stage <12> failed", "none": None}
    assert n_numbers(told) == 3
    same = {"react_pk": 2, "a": {"pk": 8, "x": 0.1 + 0.2}, "list": [1, 2], "why": "stage <99> failed", "none": None}
    assert list(differences(told, same)) == []
    other = {"react_pk": 2, "a": {"pk": 8, "x": 0.3}, "list": [1, 2, 3], "why": "stage <99> won", "more": 1}
    assert [line.split(" is ")[0] for line in differences(told, other)] == ["a.x", "list", "more", "none", "why"]
    assert list(differences({"x": 1}, {"x": True})) == ["x is told as 1, the archive gives True"]


def test_a_pk_in_a_text_may_differ_and_any_other_number_may_not() -> None:
    for text in ("node {}", "see node {}, please", "Node {}", "PK {}", "pk={}", "process {} failed", "at <{}>."):
        assert list(differences(text.format(12), text.format(13))) == [], text
    for text in ("{} nodes", "nodes {}", "node {}.5", "step {}", "node_{}", "node 7 has {} frames"):
        assert len(list(differences(text.format(12), text.format(13)))) == 1, text
    assert list(differences("node", "node 12")) != []


def test_what_is_long_is_told_in_short() -> None:
    told, found = list(range(9000)), [*range(5000), -1]
    (line,) = differences({"x": told}, {"x": found})
    assert line == "x is a list of 9000, the archive gives 5001; they part at [5000]"
    (line,) = differences({"x": {"a": told}}, {"x": 1})
    assert len(line) < 200
    (line,) = differences({"x": "y" * 999}, {"x": "z" * 999})
    assert len(line) < 250


def test_several_runs_are_compared_by_uuid() -> None:
    told = {"runs": {"7": {"react_uuid": "u", "x": 1}}, "sources": {"runs.7.x": {"node": "n"}}, "schema": "s"}
    found = {"runs": {"9": {"react_uuid": "u", "x": 2}}, "sources": {"runs.9.x": {"node": "n"}}, "schema": "s"}
    assert list(differences(by_uuid(told), by_uuid(found))) == ["runs.u.x is told as 1, the archive gives 2"]
    assert by_uuid({"x": 1}) == {"x": 1}


def test_the_first_difference_of_two_tables_is_told() -> None:
    assert _where(b"a\n1,2", b"a\n1,3") == "line 2 has '1,2' for '1,3'"
    assert _where(b"a\n1,2", b"a\n1,25") == "line 2 has '1,2' for '1,25'"
    assert _where(b"a\nb", b"a") == "2 lines for 1"

"""The how-to pages on datasets, executed: their Python and their commands, in order, in a profile of their own."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from click.testing import CliRunner

from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.cli.main import cli
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from tests.docs._pages import DOCS, blocks

SETTINGS = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(name: str, **words: int | None) -> tuple[dict[str, Any], list[str]]:
    """Run the blocks of a page, with PKs for ``words`` of its commands; return variables and what commands said."""
    namespace: dict[str, Any] = {}
    said = []
    for block in blocks(DOCS / "howto" / f"{name}.md"):
        if block.info == "python":
            exec(compile("\n" * block.line + block.text, str(block.page), "exec"), namespace)
        if block.info == "console":
            for line in block.text.splitlines():
                arguments = [str(words.get(word, word)) for word in shlex.split(line.removeprefix("$ aiida-seireact "))]
                result = CliRunner().invoke(cli, ["-p", get_manager().get_profile().name, *arguments])
                assert result.exit_code == 0, f"{block.where}: {line}: {result.output}"
                said.append(result.output)
    return namespace, said


def test_bringing_data_runs_as_it_is_told(folder: Path) -> None:
    found, (looked, imported) = run_page("bring_your_data")
    # 30 frames a metal in 6 blocks with 5 gaps of one frame: 25 are taken.
    assert "50 frames taken" in looked
    assert "Nothing was stored" in looked
    assert "50 frames in FramesData" in imported
    assert len(found["dataset"]) == 50
    assert {len(set(part.group.tolist())) for part in [found["shard"].frames]} == {12}
    few = found["few"]
    train = few.column("config_type")[few.column("split") == "train"].tolist()
    assert (train.count("Al"), train.count("Cu")) == (8, 8)
    old = few.split_of()
    assert {frame_id: part for frame_id, part in found["whole"].split_of().items() if frame_id in old} == old


@pytest.fixture
def code_of_curate(aiida_localhost: orm.Computer) -> None:
    """Make the code that `aiida-seireact setup` would make."""
    orm.InstalledCode(
        label="seireact-curate-0.1.0",
        computer=aiida_localhost,
        filepath_executable=str(Path(sys.executable).parent / "seireact-curate"),
    ).store()


def test_looking_at_a_dataset_runs_as_it_is_told(folder: Path, labelled: Any, code_of_curate: None) -> None:
    shards = [FramesData(labelled(6, seed=seed)).store() for seed in (0, 1)]
    old = make_dataset(orm.Dict(SETTINGS), one=shards[0])
    new = make_dataset(orm.Dict(SETTINGS), one=shards[0], two=shards[1])
    found, said = run_page("look_at_dataset", PK=new.pk, OLD=old.pk, NEW=new.pk)
    assert f"DatasetData <{new.pk}>" in said[0]
    assert "added           6  6 Li2S" in said[2]
    filtered, once, thinned = said[3:6]
    assert "12 of 12 frames stay" in filtered
    assert "12 of 12 frames stay" in thinned
    # Job and command agree on who is nearly the same.
    assert f"{len(found['found']['kept'])} of 12 frames stay" in once
    shown = re.findall(
        r"^\| `(\w+)` \| .* \| .* \|$", (DOCS / "howto" / "look_at_dataset.md").read_text(), re.MULTILINE
    )
    assert {path.stem for path in (folder / "plots").glob("*.png")} == set(shown)
    query = orm.QueryBuilder().append(DatasetData, filters={"attributes.content_hash": new.content_hash})
    before = query.count()
    result = CliRunner().invoke(cli, ["-p", get_manager().get_profile().name, "dataset", "import", "all.extxyz"])
    assert result.exit_code == 0, result.output
    assert query.count() == before + 1

"""Adhesion from the command line: files without a database, frames of the profile with links to the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from tests.programs.test_adhesion import copper, labelled


def call(*arguments: object, before: tuple[str, ...] = ()) -> Result:
    return CliRunner().invoke(cli, [*before, "adhesion", *map(str, arguments)])


def test_a_file_is_cut_labelled_and_told(tmp_path: Path) -> None:
    Frames.from_atoms([copper(0.0)]).to_extxyz(tmp_path / "cell.extxyz")
    three = tmp_path / "three.extxyz"
    cut = call(tmp_path / "cell.extxyz", "--cut", 0, 0.5, "-o", three)
    assert cut.exit_code == 0, cut.output
    assert "0 joined: Cu9" in cut.output
    assert "2 second: Cu4" in cut.output
    done = tmp_path / "labelled.extxyz"
    labelled(Frames.from_extxyz(three)).to_extxyz(done)
    told = call(done)
    assert told.exit_code == 0, told.output
    assert "over 2 interface(s)" in told.output
    again = call(f"{done}@1", f"{done}@0", f"{done}@2")
    assert again.output.splitlines()[0] == told.output.splitlines()[0]
    assert "have no energy" in call(three).output
    assert "--output" in call(three, "--cut", 0, 0.5).output
    assert "say which one is the joined cell" in call(three, "--cut", 0, 0.5, "-o", done).output
    assert "There is no file none.extxyz" in call(done, "none.extxyz").output


def test_frames_of_the_profile_give_a_node_that_is_linked_to_them(aiida_profile: Any) -> None:
    before = ("-p", get_manager().get_profile().name)
    cell = FramesData(Frames.from_atoms([copper(20.0)])).store()
    cut = call(cell.pk, "--cut", 0, 0.5, before=before)
    assert cut.exit_code == 0, cut.output
    cells = orm.load_node(int(cut.output.split("<")[1].split(">")[0]))
    assert cells.creator.inputs.frames.uuid == cell.uuid
    assert cells.creator.inputs.cuts["vacuum_ang"] == 15.0
    shard = FramesData(labelled(cells.frames)).store()
    told = call(f"{shard.pk}@0", f"{shard.pk}@1", f"{shard.pk}@2", before=before)
    assert told.exit_code == 0, told.output
    node = orm.load_node(int(told.output.split("Dict <")[1].split(">")[0]))
    assert node["n_interfaces"] == 1
    assert node["settings_hash"] == "emt"
    assert node.creator.is_finished_ok
    assert {link.node.uuid for link in node.creator.base.links.get_incoming()} >= {shard.uuid}
    alone = call(shard.pk, before=before)
    assert alone.output.splitlines()[0] == told.output.splitlines()[0]
    n_nodes = orm.QueryBuilder().append(orm.Node).count()
    assert "have no energy" in call(cells.pk, before=before).output
    assert "is Int, no frames" in call(orm.Int(1).store().pk, before=before).output
    # What is refused leaves nothing in the graph but the Int.
    assert orm.QueryBuilder().append(orm.Node).count() == n_nodes + 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(("none.extxyz",), "There is no file none.extxyz"), (("1", "2", "--cut", "0", "0.5"), "takes one joined cell")],
)
def test_bad_input_is_one_sentence(aiida_profile: Any, arguments: tuple[str, ...], sentence: str) -> None:
    told = call(*arguments)
    assert told.exit_code != 0
    assert sentence in told.output

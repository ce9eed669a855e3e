"""An import is a process whose input is the source, or its hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiida import orm
from ase.io import write

from aiida_seireact.calculations.functions.imports import import_frames, source_by_hash, source_kept
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.extxyz import write_extxyz
from aiida_seireact.formats.frames import Frames, FramesError
from tests.formats.test_importing import copper, deepmd, vasp_runs

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")
PBE = {"name": "PBE", "settings": {}}


def test_a_file_is_kept_and_leads_to_its_frames(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", copper())
    parameters = orm.Dict({"format": "extxyz", "level": PBE})
    made, node = import_frames.run_get_node(source_kept(tmp_path / "a.extxyz", "extxyz"), parameters)
    assert isinstance(made["frames"], FramesData)
    assert made["frames"].creator.pk == node.pk
    assert node.inputs.source.get_content() == (tmp_path / "a.extxyz").read_text()
    assert made["report"]["convergence"] == "vouched for by who imported"
    assert "dataset" not in made


def test_folders_are_kept_without_what_is_not_read(tmp_path: Path) -> None:
    folder = vasp_runs(tmp_path / "runs", one="OUTCAR_example_1")
    (folder / "one" / "WAVECAR").write_bytes(b"large")
    source = source_kept(folder, "vasp")
    assert source.base.repository.list_object_names("one") == ["OUTCAR"]
    made = import_frames(source, orm.Dict({"format": "vasp", "level": PBE}))
    assert made["report"]["convergence"] == "each ionic step tells it"
    sets = source_kept(deepmd(tmp_path / "sys", copper()), "deepmd")
    assert len(import_frames(sets, orm.Dict({"format": "deepmd", "level": PBE}))["frames"]) == 3


def test_a_large_source_is_told_by_its_hash_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    write(path, copper())
    kept = import_frames(source_kept(path, "extxyz"), orm.Dict({"format": "extxyz", "level": PBE}))
    source = source_by_hash(path, "extxyz")
    found = import_frames(source, orm.Dict({"format": "extxyz", "level": PBE}))
    assert found["frames"].content_hash == kept["frames"].content_hash
    assert not source.base.repository.list_object_names()
    assert str(tmp_path) not in str(source.get_dict())
    path.write_text(path.read_text().replace("Cu ", "Al ", 1))
    with pytest.raises(FramesError, match="is not what was hashed: a.extxyz differs"):
        import_frames(source, orm.Dict({"format": "extxyz", "level": PBE}))


def test_the_place_of_a_source_is_no_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.extxyz", copper())
    one, two = (source_by_hash(tmp_path / name / "a.extxyz", "extxyz") for name in ("one", "two"))
    assert one.base.caching.get_hash() == two.base.caching.get_hash()


def test_an_export_with_splits_becomes_the_same_dataset(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    frames = labelled(3)
    write_extxyz(tmp_path / "a.extxyz", frames, ["train", "val", "test"])
    made = import_frames(source_kept(tmp_path / "a.extxyz", "extxyz"), orm.Dict({"format": "extxyz"}))
    assert made["dataset"].split_of() == dict(zip(frames.frame_ids, ["train", "val", "test"], strict=True))
    assert made["dataset"].frames().frame_ids == sorted(frames.frame_ids)


def test_a_group_that_a_file_splits_is_refused(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    frames = labelled(3)
    frames.group[:] = "one run"
    write_extxyz(tmp_path / "a.extxyz", frames, ["train", "val", "test"])
    with pytest.raises(ValueError, match="Group 'one run' is split between"):
        import_frames(source_kept(tmp_path / "a.extxyz", "extxyz"), orm.Dict({"format": "extxyz"}))

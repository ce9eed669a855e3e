"""Extended XYZ keeps every bit, and ASE and nequip read it as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read

from aiida_seireact.formats.extxyz import UNITS, read_extxyz, write_extxyz
from aiida_seireact.formats.frames import Frames, FramesError


@pytest.fixture
def rich(labelled: Callable[..., Frames]) -> Frames:
    """Return frames with everything a frame can have, and text that looks like numbers and truth values."""
    frames = labelled(4)
    return replace(
        frames,
        config_type=np.array(["Li2S", "007", "T", "1.50"]),
        group=np.array(["run/block-1", 'with "quotes" and spaces', "1e5", "[1, 2]"]),
        parent_id=np.array(["a" * 64, "", "1" * 64, "3" + "0" * 62 + "1"]),
        md_step=np.array([0, -1, 10, 20]),
        energy_e0=np.asarray(frames.energy) - 1e-3,
    )


def test_everything_comes_back_bit_for_bit(rich: Frames, tmp_path: Path) -> None:
    splits = ["train", "val", "test", "train"]
    write_extxyz(tmp_path / "all.extxyz", rich, splits)
    again, told = read_extxyz(tmp_path / "all.extxyz")
    assert told == splits
    assert again.frame_ids == rich.frame_ids
    assert again.content_hash == rich.content_hash
    assert again.settings_hash == rich.settings_hash
    for name in ("positions", "cells", "energy", "forces", "stress", "energy_e0", "md_step", "pbc", "numbers"):
        assert np.array_equal(getattr(again, name), getattr(rich, name)), name
    for name in ("config_type", "group", "parent_id"):
        assert getattr(again, name).tolist() == getattr(rich, name).tolist()


def test_what_was_read_is_written_as_the_same_file(rich: Frames, tmp_path: Path) -> None:
    rich.to_extxyz(tmp_path / "one.extxyz")
    Frames.from_extxyz(tmp_path / "one.extxyz").to_extxyz(tmp_path / "two.extxyz")
    assert (tmp_path / "one.extxyz").read_bytes() == (tmp_path / "two.extxyz").read_bytes()


def test_molecules_and_bare_structures_come_back(tmp_path: Path) -> None:
    frames = Frames.from_atoms([molecule("H2O"), molecule("CH4")])
    frames.to_extxyz(tmp_path / "bare.extxyz")
    again, told = read_extxyz(tmp_path / "bare.extxyz")
    assert again.content_hash == frames.content_hash
    assert told is None


def test_the_header_tells_the_units(rich: Frames, tmp_path: Path) -> None:
    rich.to_extxyz(tmp_path / "all.extxyz")
    assert read(tmp_path / "all.extxyz", index=0).info["units"] == UNITS


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Let nequip read as it does in training: with double precision as the default of torch."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("double_precision")
def test_nequip_reads_the_file_as_it_is(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    dataset = pytest.importorskip("nequip.data.dataset")
    frames = labelled(3)
    frames.to_extxyz(tmp_path / "all.extxyz", ["train"] * 3)
    read_by_nequip = dataset.ASEDataset(file_path=str(tmp_path / "all.extxyz"))[:]
    assert len(read_by_nequip) == 3
    for index, item in enumerate(read_by_nequip):
        first, last = frames.offsets[index : index + 2]
        assert np.array_equal(item["pos"].numpy(), frames.positions[first:last])
        assert np.array_equal(item["forces"].numpy(), frames.forces[first:last])
        assert item["total_energy"].item() == frames.energy[index]
        assert np.array_equal(item["cell"].numpy().reshape(3, 3), frames.cells[index])
        assert np.array_equal(item["stress"].numpy().reshape(9)[[0, 4, 8, 5, 2, 1]], frames.stress[index])


def test_a_changed_frame_is_named(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    path = tmp_path / "all.extxyz"
    frames = labelled(2)
    frames.to_extxyz(path)
    path.write_text(path.read_text().replace(f"energy={float(frames.energy[1])!r}", "energy=1.0"))
    with pytest.raises(FramesError, match="Frame 1 of .* is not what its frame_id says"):
        Frames.from_extxyz(path)


def test_two_levels_in_a_file_are_refused(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    parts = [labelled(1), labelled(1, seed=1, settings_hash="b" * 64)]
    for number, part in enumerate(parts):
        part.to_extxyz(tmp_path / f"{number}.extxyz")
    both = tmp_path / "both.extxyz"
    both.write_text("".join((tmp_path / f"{number}.extxyz").read_text() for number in (0, 1)))
    with pytest.raises(FramesError, match="frames of 2 levels of theory"):
        Frames.from_extxyz(both)


def test_another_level_than_the_one_told_is_refused(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    labelled(1).to_extxyz(tmp_path / "all.extxyz")
    with pytest.raises(FramesError, match="is not the one given"):
        Frames.from_extxyz(tmp_path / "all.extxyz", settings_hash="b" * 64)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.extxyz").write_text("")
    with pytest.raises(FramesError, match="not readable as extxyz|holds no frame"):
        Frames.from_extxyz(tmp_path / "empty.extxyz")

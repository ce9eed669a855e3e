"""Blocks of a file are the file, cut: nothing is lost, and what is torn is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.frame_blocks import frame_blocks
from aiida_seireact.formats.frames import Frames, FramesError


@pytest.mark.parametrize("suffix", ["npz", "extxyz"])
@pytest.mark.parametrize(("most_atoms", "sizes"), [(1, [1] * 7), (6, [2, 2, 2, 1]), (8, [2, 2, 2, 1]), (99, [7])])
def test_blocks_joined_are_the_file(
    labelled: Callable[..., Frames], tmp_path: Path, suffix: str, most_atoms: int, sizes: list[int]
) -> None:
    frames = labelled(7)
    path = tmp_path / f"frames.{suffix}"
    frames.save(path) if suffix == "npz" else frames.to_extxyz(path)
    blocks = list(frame_blocks(path, most_atoms))
    assert [len(block) for block in blocks] == sizes
    assert Frames.concatenate(blocks).content_hash == frames.content_hash


def test_a_compressed_file_without_labels_is_read_too(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    frames = labelled(3).without_labels()
    frames.save(tmp_path / "plain.npz")
    with np.load(tmp_path / "plain.npz") as archive:
        np.savez_compressed(tmp_path / "packed.npz", **archive)
    (block,) = frame_blocks(tmp_path / "packed.npz")
    assert (block.is_labelled, block.frame_ids) == (False, frames.frame_ids)


def test_a_torn_file_is_one_sentence(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    path = tmp_path / "frames.npz"
    labelled(5).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FramesError, match="frames.npz is not a whole frames file"):
        list(frame_blocks(path))
    # One bit of a position: only the checksum of the archive knows.
    place = whole.index(labelled(5).positions.tobytes()) + 100
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(FramesError, match="Bad CRC-32"):
        list(frame_blocks(path))
    with pytest.raises(FramesError, match="There is no frames file"):
        list(frame_blocks(tmp_path / "none.npz"))


def test_a_foreign_archive_is_refused(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(FramesError, match="unknown is 'weights'"):
        list(frame_blocks(tmp_path / "other.npz"))
    replace(labelled(2), group=np.array(["a", None], dtype=object)).save(tmp_path / "pickled.npz")
    with pytest.raises(FramesError, match="group is not stored row by row"):
        list(frame_blocks(tmp_path / "pickled.npz"))

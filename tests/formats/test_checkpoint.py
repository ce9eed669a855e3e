"""Checkpoints are looked at without loading them, and only whole ones pass."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.checkpoint import (
    CheckpointError,
    joined,
    read_checkpoint_card,
    read_origin,
    unpack_checkpoint,
    write_checkpoint,
)
from tests.checkpoints import curve, lightning_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path):
    """Return a factory of checkpoint files of a training of three epochs, the second of which was best."""

    def make(name: str = "checkpoint.zip", totals=(3.0, 1.0, 2.0), lr=0.02, **changes) -> Path:
        last = lightning_checkpoint(tmp_path / "last.ckpt", len(totals) - 1, **changes)
        best = lightning_checkpoint(tmp_path / "best.ckpt", 1)
        write_checkpoint(tmp_path / name, last, best, curve(*totals), {"lr": lr})
        return tmp_path / name

    return make


@pytest.mark.parametrize("epoch", [0, 1, 255, 256, 70000])
def test_the_epoch_is_read_without_unpickling(tmp_path: Path, epoch: int) -> None:
    last = lightning_checkpoint(tmp_path / "last.ckpt", epoch)
    one = {"epoch": np.array([float(epoch)]), "val_total": np.ones(1)}
    write_checkpoint(tmp_path / "checkpoint.zip", last, last, one, {})
    assert read_checkpoint_card(tmp_path / "checkpoint.zip").epoch == epoch


def test_a_checkpoint_tells_its_epoch_and_the_best_one(checkpoint) -> None:
    card = read_checkpoint_card(checkpoint())
    assert (card.epoch, card.best_epoch, card.best_total) == (2, 1, 1.0)


def test_where_it_was_written_is_no_part_of_its_hash_and_what_it_holds_is(checkpoint) -> None:
    here = read_checkpoint_card(checkpoint("a.zip"))
    there = read_checkpoint_card(checkpoint("b.zip", where="/scratch/2"))
    other = read_checkpoint_card(checkpoint("c.zip", weights=b"others"))
    assert here.state_hash == there.state_hash != other.state_hash
    assert read_checkpoint_card(checkpoint("d.zip", lr=0.01)).state_hash != here.state_hash


def test_a_checkpoint_tells_which_training_it_is_of(checkpoint) -> None:
    assert read_origin(checkpoint()) == {"lr": 0.02}


def test_epochs_beyond_the_checkpoint_are_left_out_since_they_are_done_again(tmp_path: Path) -> None:
    last = lightning_checkpoint(tmp_path / "last.ckpt", 1)
    write_checkpoint(tmp_path / "c.zip", last, last, curve(3.0, 2.0, 1.0), {})
    (tmp_path / "out").mkdir()
    kept = unpack_checkpoint(tmp_path / "c.zip", tmp_path / "out")
    assert kept["epoch"].tolist() == [0, 1]
    assert np.isnan(kept["lr"]).all()
    assert (tmp_path / "out" / "last.ckpt").read_bytes() == last.read_bytes()


def test_two_runs_of_one_training_are_one_curve_with_each_epoch_once() -> None:
    second = {name: values[1:] + (name == "val_total") for name, values in curve(9.0, 4.0, 3.0, 2.0).items()}
    both = joined(curve(9.0, 8.0), second)
    assert both["epoch"].tolist() == [0, 1, 2, 3]
    assert both["val_total"].tolist() == [9.0, 5.0, 4.0, 3.0]


def test_a_curve_that_ends_before_the_checkpoint_is_refused(tmp_path: Path) -> None:
    last = lightning_checkpoint(tmp_path / "last.ckpt", 5)
    with pytest.raises(CheckpointError, match="does not reach epoch 5"):
        write_checkpoint(tmp_path / "c.zip", last, last, curve(1.0, 2.0), {})


def test_what_nequip_replaces_meanwhile_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = lightning_checkpoint(tmp_path / "last.ckpt", 1)
    read = Path.read_bytes

    def replaced_after(path: Path) -> bytes:
        content = read(path)
        lightning_checkpoint(path, 2, b"of a later epoch")
        return content

    monkeypatch.setattr(Path, "read_bytes", replaced_after)
    write_checkpoint(tmp_path / "c.zip", last, last, curve(2.0, 1.0), {})
    monkeypatch.undo()
    assert read_checkpoint_card(tmp_path / "c.zip").epoch == 1


def test_a_flipped_byte_in_the_weights_is_found(checkpoint) -> None:
    path = checkpoint()
    content = bytearray(path.read_bytes())
    place = content.index(b"weights")
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="torn"):
        read_checkpoint_card(path)


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_cut_file_is_refused(checkpoint, kept: float, tmp_path: Path) -> None:
    path = checkpoint()
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError, match=r"torn|lacks last\.ckpt"):
        unpack_checkpoint(path, tmp_path)


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        read_checkpoint_card(tmp_path / "absent.zip")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/b", b"")
    (tmp_path / "other.zip").write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="it lacks last.ckpt, best.ckpt, curve.json, origin.json"):
        read_checkpoint_card(tmp_path / "other.zip")
    with pytest.raises(CheckpointError, match="not a checkpoint of lightning"):
        write_checkpoint(tmp_path / "c.zip", tmp_path / "other.zip", tmp_path / "other.zip", curve(1.0), {})

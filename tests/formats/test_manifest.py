"""Manifests of dumps."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

from aiida_seireact.formats.manifest import (
    ManifestError,
    chunk,
    compress,
    copy_until,
    drop_broken_end,
    read_manifest,
    verify,
    verify_copy,
    write_manifest,
)


def frame(step: int, n_atoms: int = 2) -> str:
    """One frame as LAMMPS writes it."""
    atoms = "".join(f"{index + 1} Li 0.0 1.0 2.0\n" for index in range(n_atoms))
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n_atoms}\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 5\n"
        f"ITEM: ATOMS id element xu yu zu\n{atoms}"
    )


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump of three frames."""
    path = tmp_path / "traj.dump"
    path.write_text(frame(0) + frame(50) + frame(100))
    return path


def test_chunk_tells_steps_columns_and_hash(dump: Path) -> None:
    found = chunk(dump)
    assert found == {
        "file": "traj.dump",
        "sha256": hashlib.sha256(dump.read_bytes()).hexdigest(),
        "bytes": dump.stat().st_size,
        "first_step": 0,
        "last_step": 100,
        "n_frames": 3,
        "n_atoms": 2,
        "columns": ["id", "element", "xu", "yu", "zu"],
    }


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_compressed_chunk_tells_the_same_and_hashes_the_compressed_bytes(dump: Path, method: str, suffix: str) -> None:
    plain = chunk(dump)
    packed = compress(dump, method)
    assert packed.name == f"traj.dump{suffix}"
    assert not dump.exists()
    found = chunk(packed)
    assert found["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    keys = ("first_step", "last_step", "n_frames", "n_atoms", "columns")
    assert [found[key] for key in keys] == [plain[key] for key in keys]


@pytest.mark.parametrize(("method", "level"), [("gzip", None), ("gzip", 1), ("zstd", None), ("zstd", 1), ("zstd", 12)])
def test_equal_dumps_compress_to_equal_bytes(tmp_path: Path, method: str, level: int | None) -> None:
    packed = []
    text = "".join(frame(step, 500) for step in range(20))
    for name in ("one.dump", "two.dump"):
        (tmp_path / name).write_text(text)
        packed.append(compress(tmp_path / name, method, level=level).read_bytes())
    assert packed[0] == packed[1]
    unpack = gzip.decompress if method == "gzip" else zstandard.decompress
    assert unpack(packed[0]).decode() == text


def test_gzip_is_the_default_and_other_methods_are_refused(dump: Path) -> None:
    with pytest.raises(ValueError, match="no compression 'bzip2': gzip or zstd"):
        compress(dump, "bzip2")
    assert compress(dump).name == "traj.dump.gz"


def test_a_dump_stays_if_it_could_not_be_compressed(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aiida_seireact.formats.manifest.shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        compress(dump)
    assert [path.name for path in dump.parent.iterdir()] == ["traj.dump"]


def binary(step: int, n_atoms: int = 1) -> bytes:
    """One frame of a binary dump as LAMMPS writes it."""

    def packed(kind: str, *values: float) -> bytes:
        return np.array(values, dtype=kind).tobytes()

    columns = b"id type xu yu zu"
    head = packed("<i8", -10) + b"DUMPCUSTOM" + packed("<i4", 1, 2) + packed("<i8", step, n_atoms)
    box = packed("<i4", *[0] * 7) + packed("<f8", 0, 5, 0, 5, 0, 5)
    head += box + packed("<i4", 5, 0) + b"\0" + packed("<i4", len(columns)) + columns
    rows = [float(value) for index in range(n_atoms) for value in (index + 1, 1, 0.5, 1.5, 2.5)]
    return head + packed("<i4", 1, 5 * n_atoms) + packed("<f8", *rows)


def test_binary_dumps_are_described(tmp_path: Path) -> None:
    path = tmp_path / "traj.bin"
    path.write_bytes(binary(0) + binary(50))
    found = chunk(path)
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found["first_step"], found["last_step"], found["n_frames"], found["n_atoms"]) == (0, 50, 2, 1)
    assert found["columns"] == ["id", "type", "xu", "yu", "zu"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ManifestError, match="cut short after step 0"):
        chunk(path)


@pytest.mark.parametrize("end", [b"", binary(30, 2), binary(30, 3)[:-2], binary(30, 3)[:20]])
def test_a_broken_end_of_a_binary_dump_is_dropped(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "traj.bin"
    path.write_bytes(binary(10, 3) + binary(20, 3) + end)
    drop_broken_end(path)
    assert path.read_bytes() == binary(10, 3) + binary(20, 3)


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_a_compressed_dump_is_neither_cut_nor_compressed_again(dump: Path, method: str) -> None:
    packed = compress(dump, method)
    content = packed.read_bytes()
    assert compress(packed) == packed
    with pytest.raises(ManifestError, match="is compressed"):
        drop_broken_end(packed)
    assert packed.read_bytes() == content


def test_manifest_is_verified_against_the_files(dump: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", [chunk(dump)])
    chunks = read_manifest(tmp_path / "manifest.json")
    verify(tmp_path, chunks)
    content = dump.read_text()
    dump.write_text(content.replace("2.0", "3.0", 1))
    with pytest.raises(ManifestError, match="sha256 differs"):
        verify(tmp_path, chunks)
    dump.write_text(content + "\n")
    with pytest.raises(ManifestError, match="its manifest says"):
        verify(tmp_path, chunks)
    dump.unlink()
    with pytest.raises(ManifestError, match="is not in"):
        verify(tmp_path, chunks)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (frame(0) + frame(50)[:-9], "is cut short after step 0"),
        (frame(0)[:30], "is cut short in its first frame"),
        ("", "holds no frame"),
        ("2\ncomment\nLi 0 0 0\n", "is not a text dump of LAMMPS"),
        (frame(0) + frame(50, n_atoms=3), "different numbers of atoms"),
    ],
)
def test_dumps_that_are_not_whole_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "traj.dump").write_text(text)
    with pytest.raises(ManifestError, match=sentence):
        chunk(tmp_path / "traj.dump")


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_cut_compressed_dump_is_refused(dump: Path, method: str) -> None:
    packed = compress(dump, method)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ManifestError, match=f"not a whole {method} file"):
        chunk(packed)


def test_foreign_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ManifestError, match="not a manifest of schema"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize("end", ["", frame(30, 2), frame(30, 3)[:-2], "ITEM: TIMESTEP\n30\n"])
def test_frames_with_lost_atoms_or_cut_ones_are_dropped_at_the_end(end: str, tmp_path: Path) -> None:
    path = tmp_path / "traj.dump"
    path.write_text(frame(10, 3) + frame(20, 3) + end)
    drop_broken_end(path)
    assert path.read_text() == frame(10, 3) + frame(20, 3)
    assert chunk(path)["last_step"] == 20


def test_a_dump_without_a_whole_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traj.dump"
    path.write_text(frame(10, 3)[:-20])
    with pytest.raises(ManifestError, match="no whole frame"):
        drop_broken_end(path)


ENDS = {
    "whole": "",
    "cut in its atoms": frame(150, 3)[:-2],
    "cut in its header": "ITEM: TIMESTEP\n15",
    "zeros": "\0" * 9,
}


@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("method", [None, "gzip", "zstd"])
@pytest.mark.parametrize(
    ("step", "kept"), [(-1, []), (0, [0]), (99, [0, 50]), (100, [0, 50, 100]), (400, [0, 50, 100])]
)
def test_frames_up_to_a_step_are_copied_and_a_torn_end_is_not(
    tmp_path: Path, end: str, method: str | None, step: int, kept: list[int]
) -> None:
    source = tmp_path / "traj.dump"
    source.write_text(frame(0, 3) + frame(50, 3) + frame(100, 3) + ENDS[end])
    if method is not None:
        source = compress(source, method)
    target = tmp_path / "copy.dump"
    assert copy_until(source, target, step) == (len(kept), kept[-1] if kept else -1)
    assert target.read_text() == "".join(frame(number, 3) for number in kept)
    verify_copy(source, target, step)
    if kept:
        verify_copy(source, compress(target, "zstd"), step)


def test_a_torn_stream_is_copied_as_far_as_it_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "traj.dump"
    source.write_text("".join(frame(step, 4000) for step in range(8)))
    source = compress(source, "gzip")
    source.write_bytes(source.read_bytes()[:-20])
    n_frames, last = copy_until(source, tmp_path / "copy.dump", 100)
    assert (n_frames, last) == (7, 6)
    assert chunk(tmp_path / "copy.dump")["n_frames"] == 7


def test_frames_after_the_step_are_left_out_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "traj.dump").write_text(frame(0) + frame(90) + frame(50) + frame(70))
    assert copy_until(tmp_path / "traj.dump", tmp_path / "copy.dump", 60) == (2, 50)
    assert (tmp_path / "copy.dump").read_text() == frame(0) + frame(50)


def test_a_copy_that_differs_is_said(dump: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.dump"
    copy_until(dump, copy, 50)
    with pytest.raises(
        ManifestError, match="holds 2 frames that are not the 3 whole frames of traj.dump up to step 100"
    ):
        verify_copy(dump, copy, 100)
    copy.write_text(copy.read_text().replace("1.0", "1.1", 1))
    with pytest.raises(ManifestError, match="copy it again"):
        verify_copy(dump, copy, 50)
    copy.write_text(copy.read_text()[:-3])
    with pytest.raises(ManifestError, match="cut short after step 0"):
        verify_copy(dump, copy, 50)


@pytest.mark.parametrize(("text", "sentence"), [(None, "There is no dump"), ("hello\n", "not a text dump")])
def test_what_is_no_dump_is_not_copied(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "traj.dump").write_text(text)
    with pytest.raises(ManifestError, match=sentence):
        copy_until(tmp_path / "traj.dump", tmp_path / "copy.dump", 100)
    assert not (tmp_path / "copy.dump").exists()

"""Manifests of dumps."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aiida_seireact.formats.manifest import (
    ManifestError,
    chunk,
    compress,
    drop_broken_end,
    read_manifest,
    verify,
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


def test_compressed_chunk_tells_the_same_and_hashes_the_compressed_bytes(dump: Path) -> None:
    plain = chunk(dump)
    packed = compress(dump)
    assert packed.name == "traj.dump.gz"
    assert not dump.exists()
    found = chunk(packed)
    assert found["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    keys = ("first_step", "last_step", "n_frames", "n_atoms", "columns")
    assert [found[key] for key in keys] == [plain[key] for key in keys]


def test_equal_dumps_compress_to_equal_bytes(tmp_path: Path) -> None:
    packed = []
    for name in ("one.dump", "two.dump"):
        (tmp_path / name).write_text(frame(0))
        packed.append(compress(tmp_path / name).read_bytes())
    assert packed[0] == packed[1]


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


def test_cut_gzip_is_refused(dump: Path) -> None:
    packed = compress(dump)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ManifestError, match="not a whole gzip file"):
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

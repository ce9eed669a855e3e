"""Lines as blocks of bytes, whatever their length and however the file is packed."""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.formats import dump_bytes
from aiida_seireact.formats.dump_bytes import ROOM, ByteLines, CutStreamError, packing

PACK = {
    "": bytes,
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    # Files put together stay files, as `cat` makes them.
    "two": lambda content: zstandard.compress(content[:7]) + zstandard.compress(content[7:]),
}


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40), max_size=40),
    end=st.sampled_from([b"", b"rest"]),
    take=st.lists(st.integers(0, 9), max_size=8),
    kind=st.sampled_from(list(PACK)),
)
def test_lines_come_back_by_one_and_by_block(
    lengths: list[int], end: bytes, take: list[int], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [b"%d" % (place % 10) * length + b"\n" for place, length in enumerate(lengths)]
    path = tmp_path_factory.mktemp("lines") / "file"
    packed = PACK[kind](b"".join(lines) + end)
    path.write_bytes(packed)
    seen, taken = hashlib.sha256(), bytearray()
    with pytest.MonkeyPatch.context() as patch:
        # Lines longer than a block, too.
        patch.setattr(dump_bytes, "BLOCK", 16)
        with ByteLines(path, watch=seen.update) as reader:
            reader.taken = taken.extend
            place = 0
            for count in take:
                got = b""
                for text, n_lines in reader.blocks(count):
                    assert text[ROOM - 1] == 10
                    piece = text[ROOM:].tobytes()
                    assert piece.count(b"\n") == n_lines
                    got += piece
                assert got == b"".join(lines[place : place + count])
                place += got.count(b"\n")
                assert reader.offset == len(b"".join(lines[:place]))
                if place < len(lines):
                    assert reader.line() == lines[place]
                    place += 1
            left = len(lines) - place
            assert reader.pass_over(left + 3) == left
            assert reader.line() == end
            assert reader.line() == b""
    assert taken == b"".join(lines) + end
    assert seen.hexdigest() == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_packed_file_that_is_cut_or_damaged_is_said_after_what_it_still_holds(kind: str, tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number for number in range(100_000))
    packed = bytearray(PACK[kind](content))
    path = tmp_path / "file"
    path.write_bytes(packed[:-3])
    assert packing(path) == kind
    with ByteLines(path) as reader:
        assert reader.pass_over(99_000) == 99_000
        with pytest.raises(CutStreamError):
            reader.pass_over(2_000)
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with ByteLines(path) as reader, pytest.raises(CutStreamError):
        reader.pass_over(200_000)


def test_without_zstandard_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file.zst").write_bytes(zstandard.compress(b"1\n"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ModuleNotFoundError, match="pip install zstandard"):
        ByteLines(tmp_path / "file.zst")

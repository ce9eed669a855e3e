from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import Any

import pytest
import zstandard

from aiida_seireact.formats.licensed_bytes import is_potcar_name, why_file_is_licensed, why_text_is_licensed
from tools.mock_vasp import POTCAR

FULL = POTCAR.format(element="Li", symbol="Li_sv").encode()
HEAD = (
    b"   VRHFIN =Li: a dummy\n   LEXCH  = PE\n   EATOM  =     1.0 eV,    0.1 Ry\n   TITEL  = PAW_PBE Li_sv 10Sep2004\n"
)
OUTCAR = b" vasp.6.4.2 20Jul23 (build Aug 01 2023) complex\n POTCAR:    PAW_PBE Li_sv 10Sep2004\n" + HEAD
VASPRUN = b'<?xml version="1.0"?>\n<modeling>\n <rc><c>Li</c><c>PAW_PBE Li_sv 10Sep2004</c></rc>\n</modeling>\n'


def why(content: bytes) -> str:
    return why_file_is_licensed(io.BytesIO(content))


def tarred(content: bytes, name: str = "x", mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zipped(content: bytes, name: str = "x") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("POTCAR", "a/b/POTCAR", "POTCAR.gz", "POTCAR_Li_sv", "potcar", "POTCARLi", "POTCARS"),
        *("Li_POTCAR", "my.POTCAR", "Li.potcar", "POTCAR/Li", "a/POTCAR.d/b/Li.txt", "2POTCAR3.bak"),
    ],
)
def test_names_of_potcars(name: str) -> None:
    assert is_potcar_name(name)


@pytest.mark.parametrize("name", ["OUTCAR", "NOTPOTCAR", "POTCARS.d/readme", "notpotcar.d/POSCAR"])
def test_names_that_have_it_within_another_word_are_looked_at_by_their_bytes_alone(name: str) -> None:
    assert not is_potcar_name(name)


@pytest.mark.parametrize(
    "content",
    [
        FULL,
        FULL + FULL,
        b"  PAW_PBE Li_sv 10Sep2004\n  3.0\n",
        b"  US Li 01Apr2000\n  1.0\n",
        HEAD,
        b"a log of something\n" * 200_000 + FULL,
        OUTCAR + FULL,
        gzip.compress(FULL),
        bz2.compress(FULL),
        lzma.compress(FULL),
        zstandard.compress(FULL),
        tarred(FULL),
        tarred(FULL, mode="w:gz"),
        zipped(FULL),
        zipped(gzip.compress(FULL)),
        zipped(b"", "deep/POTCAR"),
        tarred(b"", "deep/POTCAR.Li"),
    ],
)
def test_a_potcar_is_known_in_whatever_it_is_packed(content: bytes) -> None:
    assert why(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        OUTCAR,
        VASPRUN,
        gzip.compress(OUTCAR),
        b"ITEM: TIMESTEP\n0\n",
        b'{"potentials": "PAW_PBE Li_sv"}',
        b"PAW potentials are described in ...",
        gzip.compress(b"x" * 1000)[:60],
        b"PK\x03\x04 no zip at all",
    ],
)
def test_what_vasp_prints_and_what_is_none_passes(content: bytes) -> None:
    assert why(content) == ""


def test_a_marker_across_two_chunks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_seireact.formats.licensed_bytes.CHUNK", 512)
    for shift in range(0, 512, 37):
        assert why(b"." * (600 + shift) + b"\nVRHFIN =Li\n" + b"." * 2000), shift


def test_an_encrypted_member_hides_none_after_it() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme", b"hello")
        archive.writestr("x", FULL)
    content = bytearray(stream.getvalue())
    assert why(bytes(content))
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    assert "member x" in why(bytes(content))


def test_a_torn_zip_of_stored_members_is_read_as_it_is() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x", FULL)
    assert why(stream.getvalue()[:-30])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-le"])
def test_wide_letters_are_read(encoding: str) -> None:
    assert why(("x\n" + FULL.decode()).encode(encoding))
    assert not why(VASPRUN.decode().encode(encoding))


def test_text_is_looked_at_too() -> None:
    assert "head" in why_text_is_licensed("some words\n VRHFIN =Li: 1s\n")
    assert why_text_is_licensed("PAW_PBE is a functional") == ""


def test_why_tells_where(tmp_path: Any) -> None:
    assert "inside gzip" in why(gzip.compress(FULL))
    assert "member deep/secret" in why(zipped(FULL, "deep/secret"))


LONG = b"a log of something that does not pack too well: %d\n"
TALK = b"".join(LONG % (n * 7919) for n in range(3000))


def reads(content: bytes) -> tuple[str, list[str]]:
    unread: list[str] = []
    return why_file_is_licensed(io.BytesIO(content), unread=unread), unread


@pytest.mark.parametrize("prefix", [b"#!/bin/sh\nexec unzip $0\n", b"x" * (2 << 20)])
def test_a_zip_behind_other_bytes_is_opened(prefix: bytes) -> None:
    assert "member x" in why(prefix + zipped(FULL))
    assert reads(prefix + zipped(OUTCAR)) == ("", [])


def test_a_zip_whose_magic_lies_across_two_chunks_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_seireact.formats.licensed_bytes.CHUNK", 1024)
    for shift in range(6):
        assert "member x" in why(b"." * (1021 + shift) + zipped(FULL)), shift


def test_lzma_alone_is_opened_and_what_only_begins_so_is_read_as_it_is() -> None:
    packed = lzma.compress(TALK + FULL, format=lzma.FORMAT_ALONE)
    assert "inside lzma" in why(packed)
    assert reads(lzma.compress(TALK, format=lzma.FORMAT_ALONE)) == ("", [])
    assert reads(b"\x5d\0\0\0" + b"\xff" * 600) == ("", [])
    assert "head" in why(b"\x5d\0\0\0" + b"\xff" * 600 + FULL)


def test_what_is_cut_short_is_looked_into_as_far_as_it_goes() -> None:
    packed = gzip.compress(TALK[:3000] + FULL + TALK)
    assert "inside gzip" in why(packed[: len(packed) // 2])
    clean = gzip.compress(TALK)
    assert reads(clean[: len(clean) // 2]) == ("", [])
    # A tar is cut in its last member.
    plain = tarred(FULL + TALK)
    torn = plain[: 512 + len(FULL) + 5000]
    assert "member x" in why(torn)
    assert "inside gzip" in why(gzip.compress(torn)[:-20])
    assert reads(gzip.compress(tarred(TALK)[:9000])) == ("", [])
    packed = tarred(gzip.compress(TALK))
    assert reads(packed[: len(packed) // 2]) == ("", [])


def test_parts_that_are_joined_and_bytes_behind_them_are_looked_into() -> None:
    assert "inside gzip" in why(gzip.compress(TALK) + gzip.compress(FULL))
    assert why(gzip.compress(TALK) + FULL)
    assert why(bz2.compress(TALK) + zipped(FULL))
    assert why(tarred(TALK) + tarred(FULL))
    assert reads(gzip.compress(TALK) + bytes(100) + gzip.compress(TALK)) == ("", [])


def test_a_broken_head_of_a_tar_hides_none_after_it() -> None:
    content = bytearray(tarred(TALK, "a")[:-10240] + tarred(FULL, "b"))
    assert why(bytes(content))
    # Nor what it is the head of.
    content = bytearray(tarred(b"", "a")[:512] + tarred(FULL, "b"))
    content[512 + 150] ^= 1
    assert "what follows the head" in why(bytes(content))


@pytest.mark.parametrize("content", [FULL, TALK])
def test_a_member_with_a_bad_checksum_is_read_and_hides_none_after_it(content: bytes) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"first")
        archive.writestr("b", content)
    damaged = bytearray(stream.getvalue())
    for magic, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        damaged[damaged.find(magic) + place] ^= 1
    why_not, unread = reads(bytes(damaged))
    assert ("member b" in why_not) is (content is FULL)
    assert unread == []
    # Bytes that are no deflate at all are told.
    start = damaged.find(b"PK\x03\x04") + 31
    damaged[start : start + 5] = b"\xff" * 5
    why_not, unread = reads(bytes(damaged))
    assert ("member b" in why_not) is (content is FULL)
    (sentence,) = unread
    assert sentence.endswith("in its member a")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 no zip at all", "it is a zip and can't be opened"),
        (zipped(b"hello")[:-30], "it is a zip and can't be opened"),
        (b"7z\xbc\xaf\x27\x1c and more", "packed by 7z, which is not read here"),
        (b"\x1f\x9d\x90 and more", "packed by compress"),
        (b"\x1f\x8b is no gzip", "it is packed by gzip and damaged"),
        (tarred(b"\x1f\x8b is no gzip"), "damaged (Error -3 while decompressing data: unknown compression method)"),
        (gzip.compress(TALK)[:-8] + b"12345678", "it is packed by gzip and damaged"),
    ],
)
def test_what_cannot_be_looked_into_is_told(content: bytes, words: str) -> None:
    why_not, unread = reads(content)
    assert why_not == ""
    assert any(words in sentence for sentence in unread), unread


def test_layers_beyond_those_that_are_opened_are_told() -> None:
    content = TALK
    for _ in range(4):
        content = gzip.compress(content)
    assert reads(content) == ("", [])
    _, (sentence,) = reads(gzip.compress(content))
    assert sentence.startswith("it is packed more than 4 times over, inside gzip")


def test_an_encrypted_member_is_told() -> None:
    content = bytearray(zipped(b"hello"))
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    _, (sentence,) = reads(bytes(content))
    assert "encrypted" in sentence
    assert sentence.endswith("in its member x")

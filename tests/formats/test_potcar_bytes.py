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

from aiida_seireact.formats.potcar_bytes import is_potcar_name, why_file_is_potcar, why_text_is_potcar
from tools.mock_vasp import POTCAR

FULL = POTCAR.format(element="Li", symbol="Li_sv").encode()
HEAD = (
    b"   VRHFIN =Li: a dummy\n   LEXCH  = PE\n   EATOM  =     1.0 eV,    0.1 Ry\n   TITEL  = PAW_PBE Li_sv 10Sep2004\n"
)
OUTCAR = b" vasp.6.4.2 20Jul23 (build Aug 01 2023) complex\n POTCAR:    PAW_PBE Li_sv 10Sep2004\n" + HEAD
VASPRUN = b'<?xml version="1.0"?>\n<modeling>\n <rc><c>Li</c><c>PAW_PBE Li_sv 10Sep2004</c></rc>\n</modeling>\n'


def why(content: bytes) -> str:
    return why_file_is_potcar(io.BytesIO(content))


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


@pytest.mark.parametrize("name", ["POTCAR", "a/b/POTCAR", "POTCAR.gz", "POTCAR_Li_sv", "potcar"])
def test_names_of_potcars(name: str) -> None:
    assert is_potcar_name(name)


@pytest.mark.parametrize("name", ["OUTCAR", "NOTPOTCAR", "POTCARS.d/readme"])
def test_other_names(name: str) -> None:
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
    monkeypatch.setattr("aiida_seireact.formats.potcar_bytes.CHUNK", 512)
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
    assert "head" in why_text_is_potcar("some words\n VRHFIN =Li: 1s\n")
    assert why_text_is_potcar("PAW_PBE is a functional") == ""


def test_why_tells_where(tmp_path: Any) -> None:
    assert "inside gzip" in why(gzip.compress(FULL))
    assert "member deep/secret" in why(zipped(FULL, "deep/secret"))

"""What a file of another pair style tells, and the wrong ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from aiida_seireact.formats.model import ModelFileError
from aiida_seireact.formats.pair_files import read_pair_file

# As mir-flare 1.4's write_mapping_coefficients begins, for two species.
FLARE = (
    "DATE: Sat Nov 28 11:13:00 2026 CONTRIBUTOR: me\n2 NormalizedDotProduct\nchebyshev\n2 3 2 2016\nquadratic\n"
    "5.00 5.00 5.00 5.00 \n  3.5390456927615957e-03  1.7283742915083729e-02\n"
)
PACE = "elements: [Li, S]\nE0: [0, 0]\nbonds:\n  [0, 0]: {nradmax: 5, rcut: 6}\n"


def write(folder: Path, text: str) -> Path:
    """Write a file."""
    path = folder / "model"
    path.write_text(text)
    return path


def test_pace_tells_its_elements(tmp_path: Path) -> None:
    path = write(tmp_path, PACE)
    assert read_pair_file(path, "pace").species == ["Li", "S"]
    assert read_pair_file(path, "pace", ["Li", "S"]).sha256 == read_pair_file(path, "pace").sha256
    with pytest.raises(ModelFileError, match="is of Li, S, in this order, not of S, Li"):
        read_pair_file(path, "pace", ["S", "Li"])
    with pytest.raises(ModelFileError, match=r"not a potential of `pair_style pace`"):
        read_pair_file(write(tmp_path, FLARE), "pace")


def test_flare_tells_how_many(tmp_path: Path) -> None:
    path = write(tmp_path, FLARE)
    assert read_pair_file(path, "flare-coefficients", ["S", "Li"]).species == ["S", "Li"]
    with pytest.raises(ModelFileError, match="is of 2 species, not of the 1 S"):
        read_pair_file(path, "flare-coefficients", ["S"])
    with pytest.raises(ModelFileError, match="does not tell its elements"):
        read_pair_file(path, "flare-coefficients")
    with pytest.raises(ModelFileError, match="write_mapping_coefficients"):
        read_pair_file(write(tmp_path, PACE), "flare-coefficients", ["S"])


def test_mliap_is_a_whole_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.nequip.lmp.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"x" * 1000)
    assert read_pair_file(path, "nequip-mliap", ["Li"]).species == ["Li"]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelFileError, match="nequip-prepare-lmp-mliap"):
        read_pair_file(path, "nequip-mliap", ["Li"])


def test_other_files_are_taken_as_they_are(tmp_path: Path) -> None:
    assert read_pair_file(write(tmp_path, "eam"), "lammps-file", ["Ni"]).species == ["Ni"]
    with pytest.raises(ModelFileError, match="is empty"):
        read_pair_file(write(tmp_path, ""), "deepmd", ["Ni"])
    with pytest.raises(ModelFileError, match="There is no model"):
        read_pair_file(tmp_path / "gone", "deepmd", ["Ni"])
    with pytest.raises(ModelFileError, match="no kind 'reaxff'"):
        read_pair_file(write(tmp_path, "x"), "reaxff")

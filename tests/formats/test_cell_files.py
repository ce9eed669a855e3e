"""Cells written block by block: the same atoms as written at once, and never half a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import find_mic
from ase.io.lammpsdata import read_lammps_data

from aiida_seireact.formats import cell_files
from aiida_seireact.formats.cell_files import NoSpace, write_cell
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.lammps_input import write_data

BOTH = ("lammps", "frames")


@dataclass
class Planned:
    """The plan of atoms that are there already, in blocks of ``size``."""

    atoms: Atoms
    size: int = 7
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        symbols, counts = np.unique(self.atoms.get_chemical_symbols(), return_counts=True)
        self.counts = dict(zip(symbols.tolist(), counts.tolist(), strict=True))

    @property
    def cell(self) -> np.ndarray:
        return self.atoms.cell.array

    def blocks(self) -> Iterator[Any]:
        for first in range(0, len(self.atoms), self.size):
            rows = slice(first, first + self.size)
            yield SimpleNamespace(numbers=self.atoms.numbers[rows], positions=self.atoms.positions[rows])


def salt() -> Atoms:
    """Return 64 rattled atoms of LiCl in an orthorhombic cell, positions rounded as everywhere."""
    atoms = bulk("LiCl", "rocksalt", a=5.14, cubic=True).repeat((2, 2, 2))
    atoms.rattle(0.1, seed=1)
    atoms.positions = atoms.positions.round(8)
    return atoms


def skewed() -> Atoms:
    """Return a primitive cell that lies across the axes."""
    atoms = bulk("LiCl", "rocksalt", a=5.14).repeat((2, 3, 2))
    atoms.rotate(25, "xyz", rotate_cell=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_frames_read_back_are_the_cell_with_its_identity(tmp_path: Path) -> None:
    atoms = salt()
    facts = write_cell(Planned(atoms), tmp_path, BOTH, config_type="interface", group="recipe")
    atoms.info.update(config_type="interface", group="recipe")
    expected, read = Frames.from_atoms([atoms]), Frames.load(tmp_path / "cell.npz")
    assert read.content_hash == expected.content_hash
    assert facts["structure_id"] == expected.structure_ids[0]
    assert (facts["n_atoms"], facts["counts"], facts["species"]) == (64, {"Cl": 32, "Li": 32}, ["Li", "Cl"])


@pytest.mark.parametrize("make", [salt, skewed])
def test_the_data_file_holds_the_atoms_of_the_one_written_at_once(tmp_path: Path, make: Any) -> None:
    atoms = make()
    write_cell(Planned(atoms), tmp_path, ["lammps"], species=["P", "Cl", "Li"])
    write_data(tmp_path / "at_once.data", atoms, ["P", "Cl", "Li"])
    ours, theirs = (read_lammps_data(tmp_path / name, units="metal") for name in ("cell.data", "at_once.data"))
    assert ours.numbers.tolist() == theirs.numbers.tolist() == atoms.numbers.tolist()
    assert ours.cell.array == pytest.approx(theirs.cell.array, abs=1e-12)
    assert find_mic(ours.positions - theirs.positions, ours.cell)[1].max() < 1e-8  # eight decimals are written


def test_real_lammps_reads_the_file(tmp_path: Path) -> None:
    from aiida_seireact.programs._lammps_run import open_lammps

    atoms = skewed()
    write_cell(Planned(atoms), tmp_path, ["lammps"], species=["Li", "Cl"])
    lmp = open_lammps("none")
    try:
        lmp.commands_list(["units metal", "atom_style atomic", "box tilt large", f"read_data {tmp_path / 'cell.data'}"])
        places = np.array(lmp.numpy.extract_atom("x"))[np.argsort(lmp.numpy.extract_atom("id")[: len(atoms)])]
        kinds = np.array(lmp.numpy.extract_atom("type"))[np.argsort(lmp.numpy.extract_atom("id")[: len(atoms)])]
        masses = np.array(lmp.numpy.extract_atom("mass")).ravel()[1:3]
    finally:
        lmp.close()
    assert kinds.tolist() == [1 if symbol == "Li" else 2 for symbol in atoms.symbols]
    assert masses == pytest.approx([6.94, 35.45], abs=1e-12)
    there = Atoms(atoms.symbols, positions=places, cell=atoms.cell.standard_form()[0], pbc=True)
    # Every distance is what it was: the cell was only turned.
    assert there.get_all_distances(mic=True) == pytest.approx(atoms.get_all_distances(mic=True), abs=2e-8)


def test_blocks_of_another_size_give_the_same_bytes(tmp_path: Path) -> None:
    facts = []
    for name, size in (("a", 1), ("b", 13), ("c", 1000)):
        (tmp_path / name).mkdir()
        facts.append(write_cell(Planned(salt(), size), tmp_path / name, BOTH))
    assert facts[0] == facts[1] == facts[2]
    for output in BOTH:
        told = facts[0]["files"][output]
        content = (tmp_path / "a" / told["file"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (told["sha256"], told["bytes"])


class Torn(Planned):
    """A plan whose blocks end before all atoms came."""

    def blocks(self) -> Iterator[Any]:
        yield from list(super().blocks())[:-1]


class Killed(Planned):
    """A plan that fails in the middle."""

    def blocks(self) -> Iterator[Any]:
        yield next(super().blocks())
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("plan", "error", "message"), [(Torn, ValueError, "announced"), (Killed, OSError, "No space left")]
)
def test_half_a_cell_leaves_no_file(tmp_path: Path, plan: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        write_cell(plan(salt()), tmp_path, BOTH)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_an_atom_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    plan = Planned(salt())
    monkeypatch.setattr(plan, "blocks", lambda: pytest.fail("atoms were made"))
    with pytest.raises(NoSpace, match="are free on the disk"):
        write_cell(plan, tmp_path, BOTH)


def test_species_that_lack_an_element_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The cell holds Cl, but the types of the file are Li, S"):
        write_cell(Planned(salt()), tmp_path, BOTH, species=["Li", "S"])


def test_a_left_handed_cell_is_refused(tmp_path: Path) -> None:
    atoms = salt()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    with pytest.raises(ValueError, match="left-handed"):
        write_cell(Planned(atoms), tmp_path, BOTH)


def test_an_unknown_output_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as lammps or frames, not as cif"):
        write_cell(Planned(salt()), tmp_path, ["cif"])

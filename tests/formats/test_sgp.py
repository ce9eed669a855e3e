from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.formats.sgp import SgpError, load_gp, save_gp
from aiida_seireact.science.sparse_gp import SparseGP

MakeGP = Callable[..., SparseGP]


def crystal() -> Atoms:
    # No Cl: one of the four species has no sparse environments.
    atoms = bulk("Ar", "fcc", a=3.9, cubic=True) * (2, 1, 1)
    atoms.set_chemical_symbols(["Li", "P", "S", "S"] * 2)
    atoms.rattle(0.1, seed=0)
    return atoms


def rewritten(path: Path, **changes: np.ndarray) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path.open("wb"), **{**arrays, **changes})


def test_a_process_comes_back_bit_for_bit(tmp_path: Path, sparse_gp: MakeGP) -> None:
    written = sparse_gp(crystal(), frame_ids=("b", "a"))
    save_gp(tmp_path / "sgp.npz", written)
    got = load_gp(tmp_path / "sgp.npz")
    for item in fields(SparseGP):
        before, after = getattr(written, item.name), getattr(got, item.name)
        assert type(before) is type(after), item.name
        if item.name in ("descriptors", "alpha", "inverse_cholesky"):
            assert [part.shape for part in before] == [part.shape for part in after]
            assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True)), item.name
        elif item.name == "energies_ev":
            assert np.array_equal(before, after)
        else:
            assert before == after, item.name
    assert got.content_hash == written.content_hash


def test_the_same_process_gives_the_same_bytes(tmp_path: Path, sparse_gp: MakeGP) -> None:
    save_gp(tmp_path / "one.npz", sparse_gp(crystal()))
    save_gp(tmp_path / "two.npz", load_gp(tmp_path / "one.npz"))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]


def test_no_pickle_is_written(tmp_path: Path, sparse_gp: MakeGP) -> None:
    save_gp(tmp_path / "sgp.npz", sparse_gp(crystal()))
    with np.load(tmp_path / "sgp.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_a_torn_file_is_refused(tmp_path: Path, sparse_gp: MakeGP, part: float) -> None:
    path = tmp_path / "sgp.npz"
    save_gp(path, sparse_gp(crystal()))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(SgpError, match=r"sgp\.npz is not a whole file of a Gaussian process .*: write it again"):
        load_gp(path)


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SgpError, match=r"There is no file .*sgp\.npz"):
        load_gp(tmp_path / "sgp.npz")
    np.savez(tmp_path / "frames.npz", positions=np.zeros((3, 3)))
    with pytest.raises(SgpError, match=r"frames\.npz is not a file of a Gaussian process"):
        load_gp(tmp_path / "frames.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(SgpError, match=r"one\.npy is not a whole file"):
        load_gp(tmp_path / "one.npy")


def test_another_format_is_named(tmp_path: Path, sparse_gp: MakeGP) -> None:
    path = tmp_path / "sgp.npz"
    save_gp(path, sparse_gp(crystal()))
    header = json.loads(np.load(path)["header"].tobytes())
    other = json.dumps({**header, "format": "seireact sparse gp /2"}).encode()
    rewritten(path, header=np.frombuffer(other, dtype=np.uint8))
    with pytest.raises(SgpError, match="'seireact sparse gp /2'.*train the process again"):
        load_gp(path)


def test_changed_arrays_are_noticed(tmp_path: Path, sparse_gp: MakeGP) -> None:
    path = tmp_path / "sgp.npz"
    save_gp(path, sparse_gp(crystal()))
    rewritten(path, energies_ev=np.array([-1.0, -2.0, -3.0, -4.5]))
    with pytest.raises(SgpError, match="changed after it was written"):
        load_gp(path)
    rewritten(path, energies_ev=np.zeros(3))
    with pytest.raises(SgpError, match="SparseGPError: energies_ev must be float64"):
        load_gp(path)


def test_reading_a_process_needs_no_torch() -> None:
    # AiiDA's side reads the file too, and has none.
    code = "import sys, aiida_seireact.formats.sgp; sys.exit('torch' in sys.modules or 'matscipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

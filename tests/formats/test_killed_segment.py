"""What is kept of a killed try, on folders made by hand: a restart file is magic, step and magic."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.dump import scan_dump
from aiida_seireact.formats.killed_segment import RESUME_RESTART_FILE, Past, read_past, take_over
from aiida_seireact.formats.manifest import compress
from aiida_seireact.formats.restart_file import MAGIC, restart_step
from aiida_seireact.formats.thermo import load_thermo


def restart(step: int) -> bytes:
    """A restart file as far as its step is read."""
    head = struct.pack("<iiiiiq", 1, 3, 1, 4, 5, step)
    return MAGIC + head + b"atoms" * 40 + MAGIC


def frame(step: int) -> str:
    """A frame of one atom."""
    box = "0 1\n0 1\n0 1\n"
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n{box}ITEM: ATOMS id x\n1 0.5\n"
    )


def thermo(steps: range) -> str:
    """A log with a row for each step."""
    rows = "".join(f"  - [{step}, 300]\n" for step in steps)
    return f"---\nkeywords: ['Step', 'Temp', ]\ndata:\n{rows}"


def killed(folder: Path, *, begun: int, came_to: int, restarts: dict[str, int]) -> Path:
    """The folder of a try that dumped all 10 steps and wrote restart files."""
    folder.mkdir()
    first = begun if begun == 0 else begun + 10
    (folder / "traj.dump").write_text("".join(frame(step) for step in range(first, came_to + 1, 10)) + "ITEM: TIM")
    (folder / "log.lammps").write_text(thermo(range(begun, came_to + 1)) + "  - [9")
    for name, step in restarts.items():
        (folder / name).write_bytes(restart(step))
    return folder


def take(source: Path, target: Path, *, first_step: int = 0, refuse: tuple[str, ...] = ()) -> tuple[Past | None, str]:
    """Take over, and what was said."""
    target.mkdir()
    told: list[str] = []
    past = take_over(
        source,
        target,
        first_step=first_step,
        dumps={"traj.dump": 10},
        refusal=lambda path: "LAMMPS does not read it" if path.name in refuse else "",
        say=told.append,
    )
    return past, "; ".join(told)


def test_the_newest_restart_is_taken_with_all_before_it(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 20, "restart.2": 40})
    past, _ = take(source, tmp_path / "b")
    assert past is not None
    assert past.step == 40
    assert restart_step(tmp_path / "b" / RESUME_RESTART_FILE) == 40
    (piece,) = past.pieces
    assert scan_dump(tmp_path / "b" / piece.dumps["traj.dump"]) == [0, 10, 20, 30, 40]
    assert load_thermo(tmp_path / "b" / piece.thermo)["Step"].tolist() == list(range(41))
    assert read_past(tmp_path / "b") == past


def test_a_torn_and_a_refused_restart_are_passed_over(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 20, "restart.2": 40})
    (source / "restart.2").write_bytes(restart(40)[:-5])
    past, told = take(source, tmp_path / "b")
    assert past is not None
    assert past.step == 20
    assert "restart.2 is torn" in told
    (source / "restart.2").write_bytes(restart(40))
    past, told = take(source, tmp_path / "c", refuse=("restart.2",))
    assert past is not None
    assert past.step == 20
    assert "restart.2 of the killed try is passed over: LAMMPS does not read it" in told


def test_a_restart_newer_than_the_frames_on_disk_is_passed_over(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 20, "restart.2": 40})
    text = (source / "traj.dump").read_text()
    (source / "traj.dump").write_text(text[: text.index("\n30\n")])
    past, told = take(source, tmp_path / "b")
    assert past is not None
    assert past.step == 20
    assert "holds 3 of the 5 frames up to step 40" in told


def test_a_restart_newer_than_the_log_is_passed_over(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 20, "restart.2": 40})
    (source / "log.lammps").write_text(thermo(range(31)))
    past, told = take(source, tmp_path / "b")
    assert past is not None
    assert past.step == 20
    assert "log.lammps ends before step 40" in told


def test_a_try_that_was_a_resumption_itself_hands_on_all_pieces(tmp_path: Path) -> None:
    first = killed(tmp_path / "a", begun=100, came_to=147, restarts={"restart.1": 140})
    past, _ = take(first, tmp_path / "b", first_step=100)
    assert past is not None
    second = killed(tmp_path / "made", begun=140, came_to=166, restarts={"restart.1": 160})
    for path in second.iterdir():
        path.rename(tmp_path / "b" / path.name)
    # It was killed while it packed its dumps: some are packed already.
    compress(tmp_path / "b" / past.pieces[0].dumps["traj.dump"], "zstd")
    past, _ = take(tmp_path / "b", tmp_path / "c", first_step=100)
    assert past is not None
    assert [piece.until_step for piece in past.pieces] == [140, 160]
    steps = [step for piece in past.pieces for step in scan_dump(tmp_path / "c" / piece.dumps["traj.dump"])]
    assert steps == [110, 120, 130, 140, 150, 160]
    table = np.concatenate([load_thermo(tmp_path / "c" / piece.thermo)["Step"] for piece in past.pieces])
    assert table.tolist() == [*range(100, 141), *range(140, 161)]


def test_a_resumption_that_wrote_nothing_hands_on_what_it_began_with(tmp_path: Path) -> None:
    first = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 40})
    take(first, tmp_path / "b")
    past, _ = take(tmp_path / "b", tmp_path / "c")
    assert past is not None
    assert past.step == 40
    assert scan_dump(tmp_path / "c" / past.pieces[0].dumps["traj.dump"]) == [0, 10, 20, 30, 40]


def test_a_try_that_was_killed_before_it_took_over_costs_nothing(tmp_path: Path) -> None:
    first = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 40})
    for name, before in (("b", first), ("c", tmp_path / "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "killed").symlink_to(before)
    target = tmp_path / "d"
    target.mkdir()
    (target / "killed").symlink_to(tmp_path / "c")
    past = take_over(
        target / "killed", target, first_step=0, dumps={"traj.dump": 10}, refusal=lambda _: "", say=lambda _: None
    )
    assert past is not None
    assert past.step == 40
    assert scan_dump(target / past.pieces[0].dumps["traj.dump"]) == [0, 10, 20, 30, 40]


def test_without_a_restart_or_a_folder_the_segment_starts_over(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=17, restarts={})
    past, told = take(source, tmp_path / "b")
    assert past is None
    assert "left no restart file to go on from, so the segment starts over" in told
    past, told = take(tmp_path / "purged", tmp_path / "c")
    assert past is None
    assert "is gone, so the segment starts over" in told


@pytest.mark.parametrize("every", [25, 50])
def test_frames_are_counted_by_their_stride(tmp_path: Path, every: int) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 40})
    (tmp_path / "b").mkdir()
    told: list[str] = []
    past = take_over(
        source, tmp_path / "b", first_step=0, dumps={"traj.dump": every}, refusal=lambda path: "", say=told.append
    )
    assert past is None
    assert f"of the {1 + 40 // every} frames" in told[0]


def test_a_wish_outlives_a_kill_while_dumps_are_packed(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=40, restarts={"final.restart": 40})
    (source / "STOP").write_text("asked: enough")
    past, _ = take(source, tmp_path / "b")
    assert past is not None
    assert (tmp_path / "b" / "STOP").read_text() == "asked: enough"
    # Of a run that was killed before it could follow the wish, nothing is known of its end.
    (source / "final.restart").rename(source / "restart.1")
    take(source, tmp_path / "c")
    assert not (tmp_path / "c" / "STOP").exists()


def test_what_a_lost_node_still_writes_is_not_gone_on_from(tmp_path: Path) -> None:
    source = killed(tmp_path / "a", begun=0, came_to=47, restarts={"restart.1": 40})
    take(source, tmp_path / "b")
    with (source / "restart.1").open("r+b") as stream:
        stream.write(b"another")
    assert restart_step(tmp_path / "b" / RESUME_RESTART_FILE) == 40

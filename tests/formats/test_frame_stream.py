from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.dump import DumpError
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames, FramesError


def chunk(path: Path, steps: list[int]) -> Path:
    text = "".join(
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n"
        f"ITEM: ATOMS id element xu yu zu\n1 Li {step} 0 0\n"
        for step in steps
    )
    path.write_text(text)
    return path


def frames_file(path: Path, steps: list[int | None]) -> Path:
    images = [Atoms("Li", [[number, 0, 0]], cell=[9, 9, 9], pbc=True) for number in range(len(steps))]
    for image, step in zip(images, steps, strict=True):
        if step is not None:
            image.info["md_step"] = step
    Frames.from_atoms(images).save(path)
    return path


def test_chunks_of_a_run_do_not_give_their_common_step_twice(tmp_path: Path) -> None:
    files = [chunk(tmp_path / "0.dump", [0, 50, 100]), chunk(tmp_path / "1.dump", [100, 150])]
    stream = FrameStream(files)
    assert stream.steps == [0, 50, 100, 150]
    assert len(stream) == 4
    assert [frame.positions[0, 0] for frame in stream] == [0, 50, 100, 150]
    assert [frame.step for frame in stream] == stream.steps  # it can be gone through again


def test_stride_and_skip_run_over_the_whole_run_or_each_file(tmp_path: Path) -> None:
    files = [chunk(tmp_path / "0.dump", [0, 50, 100]), chunk(tmp_path / "1.dump", [100, 150, 200])]
    assert FrameStream(files, skip_first=1, stride=2).steps == [50, 150]
    assert [frame.step for frame in FrameStream(files, skip_first=1, stride=2)] == [50, 150]
    assert FrameStream(files, skip_first=1, one_run=False).steps == [50, 100, 150, 200]


def test_frames_are_read_at_chosen_places_across_files(tmp_path: Path) -> None:
    files = [chunk(tmp_path / "0.dump", [0, 50, 100]), frames_file(tmp_path / "f.npz", [100, 150, 200])]
    stream = FrameStream(files, skip_first=1)
    assert stream.steps == [50, 100, 150, 200]
    assert [frame.step for frame in stream.at({3, 0})] == [50, 200]
    with pytest.raises(IndexError, match="no frame 4: the stream has 4"):
        list(stream.at([4]))


def test_chunks_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    files = [chunk(tmp_path / "1.dump", [100, 150]), chunk(tmp_path / "0.dump", [0, 50])]
    with pytest.raises(DumpError, match=r"0\.dump goes back from step 150 to 0: give the files .* in their order"):
        FrameStream(files)
    assert FrameStream(files, one_run=False).steps == [100, 150, 0, 50]


def test_frames_files_are_read_alike(tmp_path: Path) -> None:
    stream = FrameStream([frames_file(tmp_path / "f.npz", [10, 20, 30])], skip_first=1)
    assert stream.steps == [20, 30]
    first = next(iter(stream))
    assert first.ids.tolist() == [1]
    assert first.numbers.tolist() == [3]
    assert first.positions.tolist() == [[1, 0, 0]]
    assert not first.unwrapped
    assert FrameStream([frames_file(tmp_path / "g.npz", [None, None])]).steps == [0, 1]


def test_nothing_left_missing_and_nan_are_said(tmp_path: Path) -> None:
    file = chunk(tmp_path / "0.dump", [0, 50])
    with pytest.raises(DumpError, match=r"No frame is left of .*skip_first 2"):
        FrameStream([file], skip_first=2)
    with pytest.raises(DumpError, match="no dump file"):
        FrameStream([tmp_path / "none.dump"])
    with pytest.raises(FramesError, match="no frames file"):
        FrameStream([tmp_path / "none.npz"])
    broken = Atoms("Li", [[np.nan, 0, 0]], cell=[9, 9, 9], pbc=True)
    Frames.from_atoms([broken]).save(tmp_path / "nan.npz")
    with pytest.raises(DumpError, match=r"nan.npz, frame 0: positions or cell hold NaN"):
        list(FrameStream([tmp_path / "nan.npz"]))


def test_cut_off_dump_ends_before_its_last_frame_if_asked(tmp_path: Path) -> None:
    file = chunk(tmp_path / "0.dump", [0, 50])
    file.write_text(file.read_text()[:-4])
    with pytest.raises(DumpError, match="cut off"):
        FrameStream([file])
    assert [frame.step for frame in FrameStream([file], stop_before_truncated=True)] == [0]

"""Labels and their course: the same however they are cut, and refused when they are not whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.environments import STAGES, Course, Labels, course_of, joined, joined_labels
from aiida_seireact.formats.label_chunks import LabelsOf, LabelsWriter, iter_labels, read_manifest
from aiida_seireact.science.labelling import Stage

N_FRAMES, N_CENTRES = 6, 4


def labels(steps: range = range(N_FRAMES)) -> Labels:
    rng = np.random.default_rng(0)
    shape = (N_FRAMES, N_CENTRES)
    names = rng.integers(0, 3, shape).astype(np.int8)
    z = rng.random(shape).astype(np.float32)
    late = [step for step in steps if step == N_FRAMES - 1]
    profile = np.zeros((3, 2), dtype=np.int64)
    for step in late:
        np.add.at(profile, (names[step], (z[step] * 2).astype(int)), 1)
    whole = {
        "labels": names,
        "clusters": rng.integers(0, 9, shape).astype(np.int16),
        "core": rng.random(shape) < 0.5,
        "ratio": rng.random(shape).astype(np.float32),
        "z_fraction": z,
        "stage": np.where(names > 0, Stage.CORE, Stage.UNKNOWN).astype(np.int8),
        "landmark": rng.integers(0, 99, shape).astype(np.int32),
        "distance": rng.random(shape).astype(np.float32),
    }
    rows = list(steps)
    return Labels(
        steps=np.array(rows) * 50,
        heights_ang=np.full(len(rows), 10.0),
        atom_ids=np.arange(1, N_CENTRES + 1),
        label_names=np.array(["unknown", "Li", "Li2S"]),
        profile=profile,
        **{name: values[rows] for name, values in whole.items()},
    )


def write(folder: Path, cuts: list[range], **sizes: int) -> Course:
    writer = LabelsWriter(folder, N_FRAMES * N_CENTRES, **{"most_in_one": 1000, "chunk": 8, **sizes})
    for cut in cuts:
        writer.add(labels(cut), course_of(labels(cut)))
    return writer.finish()[0]


def test_stages_are_those_of_the_labelling() -> None:
    assert [name.replace("-", "_").upper() for name in STAGES] == [stage.name for stage in Stage]


def test_a_small_run_is_one_file_a_large_one_chunks_and_both_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = write(tmp_path / "one", [range(0, 2), range(2, 6)])
    many = write(tmp_path / "many", [range(n, n + 1) for n in range(N_FRAMES)], most_in_one=1)
    assert one.content_hash == many.content_hash == course_of(labels()).content_hash
    assert [chunk["n_frames"] for chunk in read_manifest(tmp_path / "many" / "labels.json")] == [2, 2, 2]
    whole = labels().arrays()
    for folder in ("one", "many"):
        found = joined_labels(list(iter_labels(tmp_path / folder))).arrays()
        assert all(np.array_equal(found[name], values) for name, values in whole.items())
        labels_of = LabelsOf(tmp_path / folder)
        assert [labels_of(place)[0].tolist() for place in (5, 0, 3)] == whole["labels"][[5, 0, 3]].tolist()
        assert Course.read(tmp_path / folder / "labels.npz").content_hash == one.content_hash


def test_a_chunk_that_is_not_the_one_of_the_manifest_is_refused_by_both_readers(tmp_path: Path) -> None:
    write(tmp_path, [range(n, n + 1) for n in range(N_FRAMES)], most_in_one=1)
    first, second = (tmp_path / chunk["file"] for chunk in read_manifest(tmp_path / "labels.json")[:2])
    first.write_bytes(second.read_bytes())
    with pytest.raises(PhasesError, match="its sha256 differs"):
        next(iter_labels(tmp_path))
    with pytest.raises(PhasesError, match="its sha256 differs"):
        LabelsOf(tmp_path)(0)


def test_the_course_counts_every_environment_once(tmp_path: Path) -> None:
    course = course_of(labels())
    assert course.counts.sum(axis=(1, 2)).tolist() == [N_CENTRES] * N_FRAMES
    assert np.array_equal(course.counts.sum(axis=2), course.slabs.sum(axis=2))
    assert np.array_equal(course.unknown, (labels().labels == 0).mean(axis=1))
    assert np.array_equal(course.slabs[-1], labels().profile)


def test_another_label_is_another_hash() -> None:
    changed = labels()
    changed.labels[3, 1] ^= 1
    assert course_of(changed).content_hash != course_of(labels()).content_hash


def test_files_of_an_older_version_are_read(tmp_path: Path) -> None:
    old = {name: values for name, values in labels().arrays().items() if name not in ("stage", "landmark", "distance")}
    np.savez(tmp_path / "labels.npz", **old)
    assert Labels.load(tmp_path / "labels.npz").stage is None
    course = Course.read(tmp_path / "labels.npz")
    assert np.array_equal(course.unknown, course_of(labels()).unknown)


def test_an_unfinished_run_has_no_manifest(tmp_path: Path) -> None:
    write(tmp_path, [range(N_FRAMES)], most_in_one=1)
    writer = LabelsWriter(tmp_path, N_FRAMES * N_CENTRES, most_in_one=1, chunk=4)
    writer.add(labels(range(2)), course_of(labels(range(2))))
    with pytest.raises(PhasesError, match="the run that writes it last has not ended"):
        read_manifest(tmp_path / "labels.json")


def test_parts_out_of_order_or_of_other_runs_are_refused() -> None:
    first, second = course_of(labels(range(3))), course_of(labels(range(3, 6)))
    assert joined([first, second]).content_hash == course_of(labels()).content_hash
    with pytest.raises(PhasesError, match="comes after step"):
        joined([second, first])
    other = replace(labels(range(3, 6)), atom_ids=np.arange(2, N_CENTRES + 2))
    with pytest.raises(PhasesError, match="The atoms of step"):
        joined_labels([labels(range(3)), other])

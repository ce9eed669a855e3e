"""seireact-select on a crystal that melts: what is uncertain is taken, blocks stay apart, short runs are helped."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list as neighbour_list
from click.testing import CliRunner

from aiida_seireact.formats.environments import Labels
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.select import SelectJob
from aiida_seireact.formats.phases import save_classifier
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs import select
from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.labelling import build_classifier, fit_reduction, reference
from aiida_seireact.science.sparse_gp import SparseGP

from .conftest import call, write_dump


def melting(n_frames: int, *, repeat: int = 1, seed: int = 0) -> list[Atoms]:
    """LiCl, every atom on its way: frame k is rattled by 0.02 Å more than frame k - 1, so its atoms are less known."""
    rng = np.random.default_rng(seed)
    start = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat((repeat, 1, 1))
    start = start[np.argsort(start.numbers, kind="stable")]
    images = []
    for number in range(n_frames):
        atoms = start.copy()
        atoms.positions += 0.02 * number * rng.normal(size=(len(atoms), 3))
        images.append(atoms)
    return images


JOB: dict[str, Any] = {
    "runs": {
        "small": {"files": ["small.dump"], "skip_first": 1, "learned": 8, "held_out": 4},
        "large": {"files": ["large.npz"], "skip_first": 1, "learned": 2, "held_out": 1, "start_id": "e" * 64},
    },
    "gps": {"cold": "cold.npz", "lithium": "lithium.npz"},
    "gap_frames": 1,
    "min_distance_ang": 0.1,
}


@pytest.fixture
def folder(tmp_path: Path, gp_that_knows: Callable[..., SparseGP]) -> Path:
    """A run of 8 atoms as a dump, one of 16 atoms as frames, a process of the cold crystal and one of lithium alone."""
    write_dump(tmp_path / "small.dump", melting(31))
    images = melting(21, repeat=2, seed=1)
    for number, atoms in enumerate(images):
        atoms.info["md_step"] = 10 * number
    Frames.from_atoms(images).save(tmp_path / "large.npz")
    save_gp(tmp_path / "cold.npz", gp_that_knows(melting(3), ("Li", "Cl")))
    save_gp(tmp_path / "lithium.npz", gp_that_knows([bulk("Li", "bcc", a=3.44).repeat(2)], ("Li",)))
    return tmp_path


def selected(folder: Path) -> tuple[Frames, dict[str, np.ndarray]]:
    with np.load(folder / "selection.npz", allow_pickle=False) as rows:
        return Frames.load(folder / "selected.npz"), {name: rows[name] for name in rows.files}


def test_numbers_are_those_asked_and_both_files_agree(folder: Path) -> None:
    status, result, progress = call(select.main, folder, JOB)
    assert status == 0, result
    told = result["outputs"]
    frames, rows = selected(folder)
    assert (told["n_chosen"], told["n_learned"], told["n_held_out"]) == (len(frames), 10, 5)
    assert told["runs"]["small"]["chosen"] == {"learned": 8, "held_out": 4}
    assert rows["chosen"].sum() == len(frames)
    # dump of 8 decimals, wrapped into the cell: the very positions that a label will belong to
    assert [rows["frame_ids"][i] for i in np.flatnonzero(rows["chosen"])] == frames.frame_ids
    assert rows["md_step"][rows["chosen"]].tolist() == frames.md_step.tolist()
    assert set(frames.config_type) == {"augment-small", "augment-large"}
    assert set(frames.parent_id[frames.config_type == "augment-large"]) == {"e" * 64}
    assert not frames.is_labelled
    assert "small: frame 30 of 30, step 1500, largest uncertainty 0." in progress
    frames.validate(min_distance_ang=0.1)


def test_time_blocks_are_never_split_and_a_gap_apart(folder: Path) -> None:
    _, result, _ = call(select.main, folder, JOB)
    frames, rows = selected(folder)
    for name, told in result["outputs"]["runs"].items():
        assert [block["part"] for block in told["blocks"]] == ["learned", "held_out", "learned"] * 2
        assert sum(block["n_chosen"] for block in told["blocks"]) == sum(told["chosen"].values())
        of_run = rows["run"] == name
        block, part = rows["block"][of_run], rows["part"][of_run]
        assert (part[block == -1] == "").all()
        assert not rows["chosen"][of_run][block == -1].any()
        changes = np.flatnonzero(np.diff(block) != 0)
        assert -1 in block[changes] or -1 in block[changes + 1]
        groups = {entry["group"]: entry for entry in told["blocks"]}
        mine = frames.config_type == f"augment-{name}"
        for group, step in zip(frames.group[mine], frames.md_step[mine], strict=True):
            assert groups[group]["first_step"] <= step <= groups[group]["last_step"]
    assert "of every 3 blocks the middle one is held out" in result["outputs"]["block_rule"]


def test_the_frames_taken_of_a_block_are_among_its_most_uncertain_ones(folder: Path) -> None:
    call(select.main, folder, JOB)
    _, rows = selected(folder)
    small = rows["run"] == "small"
    # The cold process knows the first frames; lithium's lacks the chlorine that every environment holds.
    assert rows["max_std"][small][0] < 0.15 < rows["max_std"][small][-1] <= 1.0
    assert (rows["mean_std"] <= rows["max_std"]).all()
    for block in range(6):
        places = np.flatnonzero(small & (rows["block"] == block))
        taken = np.flatnonzero(rows["chosen"][places])
        # The shortlist of twice as many, of which those unlike each other are taken.
        assert set(taken) <= set(np.argsort(-rows["max_std"][places])[: 2 * len(taken)])
        assert len(taken)


def test_a_run_that_ended_early_is_helped_by_the_other_one(folder: Path) -> None:
    write_dump(folder / "small.dump", melting(8))
    status, result, _ = call(select.main, folder, {**JOB, "min_learned": 8, "min_held_out": 4})
    assert status == 0, result
    runs = result["outputs"]["runs"]
    # 7 frames: 4 blocks of 1, gaps between; three are learned, one is held out; the large run gives what lacks
    assert runs["small"]["chosen"] == {"learned": 3, "held_out": 1}
    assert runs["large"]["chosen"] == {"learned": 7, "held_out": 4}
    assert runs["small"]["asked"] == {"learned": 8, "held_out": 4}


def test_without_processes_frames_are_chosen_by_difference_alone_and_that_is_said(folder: Path) -> None:
    status, result, _ = call(select.main, folder, {**JOB, "gps": {}})
    assert status == 0, result
    assert result["outputs"]["criterion"].startswith("unlike each other")
    _, rows = selected(folder)
    assert np.isnan(rows["max_std"]).all()
    assert rows["chosen"].sum() == 15


def test_same_runs_give_the_same_bytes(folder: Path) -> None:
    call(select.main, folder, JOB)
    once = [(folder / name).read_bytes() for name in ("selected.npz", "selection.npz")]
    outputs = json.loads((folder / "result.json").read_text())["outputs"]
    _, again, _ = call(select.main, folder, JOB)
    assert [(folder / name).read_bytes() for name in ("selected.npz", "selection.npz")] == once
    assert again["outputs"] == outputs


def test_another_run_has_other_groups(folder: Path) -> None:
    call(select.main, folder, JOB)
    before = set(selected(folder)[0].group)
    write_dump(folder / "small.dump", melting(31, seed=7))
    call(select.main, folder, JOB)
    after = set(selected(folder)[0].group)
    assert before & after == {group for group in before if "large" in group}


def test_frames_with_atoms_on_each_other_are_passed_over(folder: Path) -> None:
    images = melting(31)
    for atoms in images[10:]:
        atoms.positions[0] = atoms.positions[1] + 0.01
    write_dump(folder / "small.dump", images)
    _, result, _ = call(select.main, folder, JOB)
    assert result["outputs"]["runs"]["small"]["n_too_close"] == 21
    _, rows = selected(folder)
    assert not rows["chosen"][rows["too_close"]].any()
    assert np.isnan(rows["max_std"][rows["too_close"]]).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"min_learned": 11}, "asked for 10 frames learned, less than min_learned 11"),
        ({"min_learned": 10, "runs": {"small": {**JOB["runs"]["small"], "learned": 99}}}, None),
        (
            {"min_learned": 30, "runs": {"small": {**JOB["runs"]["small"], "learned": 99}}},
            r"only 17 frames for the part learned, at least 30 are needed \(small has 17\)",
        ),
        ({"held_out_every": 13}, "of 6 blocks none is held out where held_out_every is 13"),
        ({"held_out_every": 1}, "held_out_every"),
        ({"gps": {"cold": "large.npz"}}, "large.npz is not a file of a Gaussian process"),
        ({"gps": {"cold": "none.npz"}}, "There is no file .*none.npz"),
        ({"runs": {}}, "runs"),
        ({"runs": {"x": {"files": ["none.dump"], "learned": 1, "held_out": 1}}}, "There is no dump file"),
        ({"runs": {"x": {"files": ["cut.dump"], "learned": 1, "held_out": 1}}}, "cut off in"),
        ({"runs": {"x": {"files": ["mixed.npz"], "learned": 1, "held_out": 1}}}, "x, step 1: the atoms are not those"),
        ({"shortlists": 3}, "shortlists"),
    ],
)
def test_bad_input_is_one_sentence(folder: Path, change: dict[str, Any], sentence: str | None) -> None:
    text = (folder / "small.dump").read_text()
    (folder / "cut.dump").write_text(text[: len(text) // 2])
    Frames.from_atoms([*melting(1), *melting(1, repeat=2)]).save(folder / "mixed.npz")
    status, result, _ = call(select.main, folder, {**JOB, **change})
    if sentence is None:
        assert status == 0
        return
    assert status == 2
    assert result["error"]["kind"] == "invalid_input"
    assert re.search(sentence, result["error"]["message"]), result["error"]["message"]


def test_missing_package_is_said_with_its_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, result, _ = call(select.main, folder, JOB)
    assert status == 3
    assert "pip install 'aiida-seireact[select]'" in result["error"]["message"]


def test_help_shows_an_example_that_is_a_valid_job() -> None:
    SelectJob.model_validate_json(select.EXAMPLE)
    shown = CliRunner().invoke(select.main, ["--help"]).output
    assert "Li6PS5Cl_300.npz" in shown
    assert "held_out_every" in shown


# ---------------------------------------------------------------- reasons
def labels_of(steps: list[int], unknown: list[float], n_centres: int = 4) -> Labels:
    """Labels of a run in which so large a part of each frame is unknown."""
    shape = (len(steps), n_centres)
    labels = np.ones(shape, dtype=np.int8)
    for row, part in zip(labels, unknown, strict=True):
        row[: round(part * n_centres)] = 0
    return Labels(
        steps=np.array(steps),
        atom_ids=np.arange(n_centres),
        labels=labels,
        clusters=np.zeros(shape, dtype=np.int16),
        core=np.ones(shape, dtype=bool),
        ratio=np.zeros(shape, dtype=np.float32),
        z_fraction=np.zeros(shape, dtype=np.float32),
        heights_ang=np.ones(len(steps)),
        label_names=np.array(["unknown", "LiCl"]),
        profile=np.zeros((2, 3), dtype=np.int64),
    )


def with_run(name: str, **changes: Any) -> dict[str, Any]:
    return {**JOB, "runs": {**JOB["runs"], name: {**JOB["runs"][name], **changes}}}


def test_frames_before_a_stop_are_taken_for_that_reason_and_no_more_than_their_share(folder: Path) -> None:
    job = {**with_run("small", stopped_step=100_000), "reasons": {"uncertain": 1, "screened": 1}, "screened_frames": 6}
    status, result, _ = call(select.main, folder, job)
    assert status == 0, result
    told = result["outputs"]["runs"]["small"]
    _, rows = selected(folder)
    small = rows["run"] == "small"
    screened = rows["md_step"][small & rows["screened"]]
    assert told["n_screened"] == 6
    assert screened.tolist() == sorted(rows["md_step"][small].tolist())[-6:]
    taken = rows["md_step"][small & (rows["reason"] == "screened")]
    assert 0 < len(taken) <= 6
    # The end of the run is not held out: what ended it is learned.
    assert (rows["part"][small & (rows["reason"] == "screened")] == "learned").any()
    assert set(taken) <= set(screened)
    assert sum(told["reasons"].values()) == told["chosen"]["learned"] + told["chosen"]["held_out"] == 12
    # Of the run that came to its end nothing was screened, so its frames are the uncertain ones.
    assert result["outputs"]["runs"]["large"]["reasons"] == {"uncertain": 3}


def test_frames_with_unknown_environments_are_taken_though_no_process_is_unsure_of_them(folder: Path) -> None:
    steps = [frame.info["md_step"] for frame in Frames.load(folder / "large.npz").iter_atoms()]
    early = [step for step in steps[1:] if step <= 60]
    labels_of(steps, [0.5 if step in early else 0.0 for step in steps]).save(folder / "labels.npz")
    job = {**with_run("large", labels="labels.npz", learned=4, held_out=1), "reasons": {"unknown": 1}}
    status, result, _ = call(select.main, folder, job)
    assert status == 0, result
    _, rows = selected(folder)
    large = rows["run"] == "large"
    assert set(rows["md_step"][large & (rows["reason"] == "unknown")]) <= set(early)
    assert (large & (rows["reason"] == "unknown")).sum() >= 1
    assert result["outputs"]["runs"]["large"]["max_unknown"] == 0.5
    assert "unknown" in result["outputs"]["criterion"]


def test_labels_of_another_run_are_refused(folder: Path) -> None:
    labels_of([7777], [0.5]).save(folder / "labels.npz")
    status, result, _ = call(select.main, folder, with_run("large", labels="labels.npz"))
    assert status == 2
    assert "give the labels of this run" in result["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"committee": {"a": "a.zip", "b": "b.zip"}}, "different units"),
        ({"gps": {}, "committee": {"a": "a.zip"}}, "committee of one"),
        ({"reasons": {"uncertain": 0}}, "one must be above 0"),
    ],
)
def test_judges_and_reasons_that_cannot_be_are_refused(folder: Path, changes: dict[str, Any], words: str) -> None:
    status, result, _ = call(select.main, folder, {**JOB, **changes})
    assert status == 2
    assert words in result["error"]["message"]


# ---------------------------------------------------------------- cells cut out of large frames
CUT = {"core_ang": 4.0, "edge_ang": 11.0, "relax_steps": 5}


@pytest.fixture
def long_run(folder: Path) -> Path:
    """A run of a cell of 36 Å whose frames are half unknown, and a classifier that knows all but what is near 10 Å."""
    images = melting(13, repeat=7, seed=2)
    # An environment of its own: two Cl of the crystal are Li there.
    near = np.argsort(np.abs(images[0].positions[:, 0] - 10.0) + 100 * (images[0].numbers == 3))[:2]
    for number, atoms in enumerate(images):
        atoms.numbers[near] = 3
        atoms.info["md_step"] = 10 * number
    Frames.from_atoms(images).save(folder / "long.npz")
    labels_of([10 * number for number in range(13)], [0.5] * 13).save(folder / "labels.npz")
    spec = DescriptorSpec(species=("Li", "Cl"), cutoff_ang=3.5)
    crystal = melting(13, repeat=7, seed=3)
    described = [describe(a.positions, a.numbers, a.cell.array, a.pbc, spec)[0] for a in (*crystal, *images)]
    reduction = fit_reduction(np.concatenate(described))
    points = reduction.apply(np.concatenate(described))
    peaks = density_peaks(points, z=3.0, maxk=60, alpha=1e-6)
    known = reference("LiCl", reduction.apply(np.concatenate(described[: len(crystal)])))
    classifier = build_classifier(reduction, points, peaks, [known], maxk=60, alpha=1e-6)
    save_classifier(folder / "phases.npz", classifier, spec)
    return folder


def cut_job(**changes: Any) -> dict[str, Any]:
    run = {"files": ["long.npz"], "skip_first": 1, "learned": 4, "held_out": 1, "labels": "labels.npz", "cut": CUT}
    return {
        "runs": {"long": {**run, **changes}},
        "gps": {"cold": "cold.npz"},
        "potential": {"file": "cold.npz", "kind": "sgp"},
        "classifier": "phases.npz",
        "reasons": {"unknown": 1},
        "n_blocks": 3,
        "gap_frames": 1,
        "min_distance_ang": 0.1,
    }


def test_cells_are_cut_amid_what_is_unknown_and_their_surroundings_are_those_of_the_run(long_run: Path) -> None:
    status, result, _ = call(select.main, long_run, cut_job())
    assert status == 0, result
    frames, rows = selected(long_run)
    told = result["outputs"]["runs"]["long"]["cut"]
    assert (told["n_cells"], told["edge_ang"]) == (len(frames), 11.0) == (5, 11.0)
    assert told["n_relaxed"] == rows["relaxed"].sum() > 0
    run = {int(atoms.info["md_step"]): atoms for atoms in Frames.load(long_run / "long.npz").iter_atoms()}
    taken = np.flatnonzero(rows["chosen"])
    assert [rows["cell_ids"][row] for row in taken] == frames.frame_ids
    assert (rows["cell_ids"][~rows["chosen"]] == "").all()
    for number, row in enumerate(taken):
        cell, whole = frames.to_atoms(number), run[int(rows["md_step"][row])]
        centre = int(rows["centre_id"][row]) - 1
        assert abs(whole.positions[centre, 0] - 10.0) < 3.0
        assert cell.cell.lengths()[0] <= 11.0 < whole.cell.lengths()[0]
        np.testing.assert_allclose(cell.cell.lengths()[1:], whole.cell.lengths()[1:])
        # Distances from the centre up to the core are those of the run, whoever moved the seam.
        found = sorted_distances(whole, centre, 3.99)
        assert any(
            len(near := sorted_distances(cell, atom, 3.99)) == len(found) and np.allclose(near, found, atol=1e-6)
            for atom in range(len(cell))
        )


def sorted_distances(atoms: Atoms, centre: int, reach: float) -> np.ndarray:
    i, d = neighbour_list("id", atoms, reach)
    return np.sort(d[i == centre])


def test_without_a_classifier_the_most_uncertain_atom_is_the_centre(long_run: Path) -> None:
    status, result, _ = call(select.main, long_run, {**cut_job(labels=None), "classifier": None})
    assert status == 0, result
    _, rows = selected(long_run)
    assert (rows["centre_id"][rows["chosen"]] > 0).all()
    assert result["outputs"]["runs"]["long"]["reasons"] == {"uncertain": 5}


def test_a_run_that_is_not_cut_gives_whole_frames(long_run: Path) -> None:
    status, result, _ = call(select.main, long_run, cut_job(cut=None))
    assert status == 0, result
    frames, rows = selected(long_run)
    assert result["outputs"]["runs"]["long"]["cut"] is None
    assert {len(atoms) for atoms in frames.iter_atoms()} == {56}
    assert rows["cell_ids"][rows["chosen"]].tolist() == rows["frame_ids"][rows["chosen"]].tolist()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({**cut_job(), "potential": None}, "give a `potential`, or relax_steps 0"),
        ({**cut_job(), "classifier": None, "gps": {}}, "have no centre"),
        (cut_job(cut={**CUT, "edge_ang": 8.5}), "edge_ang must be at least"),
    ],
)
def test_cuts_that_cannot_be_are_refused(long_run: Path, job: dict[str, Any], words: str) -> None:
    status, result, _ = call(select.main, long_run, job)
    assert status == 2
    assert words in result["error"]["message"]


def test_a_cell_without_room_for_its_core_is_refused() -> None:
    from aiida_seireact.formats.jobs.select import CutSettings

    with pytest.raises(ValueError, match="no room for core_ang 8"):
        CutSettings(core_ang=8.0)

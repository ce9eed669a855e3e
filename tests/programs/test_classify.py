"""seireact-classify on LiCl that turns from rock salt into zinc blende: known, absent, unknown and added phases."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from click.testing import CliRunner

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.phases import Labels, load_classifier
from aiida_seireact.programs import classify

from .conftest import call, write_dump

SIGMA = 0.15
N_FRAMES = 10


def phase(name: str) -> Atoms:
    return {
        "LiCl": lambda: bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat(3),
        "ZB": lambda: bulk("LiCl", "zincblende", a=5.5, cubic=True).repeat(3),
        "Li2S": lambda: crystal(
            ["S", "Li"], [(0, 0, 0), (0.25,) * 3], spacegroup=225, cellpar=[5.71] * 3 + [90] * 3
        ).repeat(3),
    }[name]()


def rattled(name: str, n_frames: int, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(n_frames):
        atoms = phase(name)
        order = np.argsort(atoms.numbers, kind="stable")
        images.append(atoms[order])
        images[-1].positions += rng.normal(scale=SIGMA, size=(len(atoms), 3))
    return images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of rock salt, then zinc blende; references of rock salt and of Li2S, which the run does not hold."""
    folder = tmp_path_factory.mktemp("classify")
    start = [phase("LiCl")[np.argsort(phase("LiCl").numbers, kind="stable")]]
    write_dump(folder / "run.dump", start + rattled("LiCl", N_FRAMES, 1) + rattled("ZB", N_FRAMES, 2))
    write_dump(folder / "licl.dump", rattled("LiCl", 5, 3))
    Frames.from_atoms(rattled("Li2S", 3, 4)).save(folder / "li2s.npz")
    write_dump(folder / "zb.dump", rattled("ZB", 5, 5))
    return folder


JOB: dict[str, Any] = {
    "trajectory": {"files": ["run.dump"], "skip_first": 1},
    "references": {"LiCl": {"files": ["licl.dump"]}, "Li2S": {"files": ["li2s.npz"]}},
    "keep_variance": 0.9999,
}


@pytest.fixture(scope="module")
def done(folder: Path) -> dict[str, Any]:
    status, result, progress = call(classify.main, folder, JOB)
    assert status == 0, result
    assert f"descriptors: frame {2 * N_FRAMES} of {2 * N_FRAMES}, step 1000, 108 environments" in progress
    return result["outputs"]


def test_known_phase_is_named_absent_one_never_and_the_new_one_is_unknown(done: dict[str, Any]) -> None:
    fractions = done["phase_fractions"]
    assert fractions["first_tenth"] == pytest.approx({"LiCl": 1.0, "Li2S": 0.0, "unknown": 0.0}, abs=0.01)
    assert fractions["last_tenth"] == {"LiCl": 0.0, "Li2S": 0.0, "unknown": 1.0}
    assert fractions["whole_run"] == pytest.approx({"LiCl": 0.5, "Li2S": 0.0, "unknown": 0.5}, abs=0.01)
    assert done["of"] == "Li environments of the whole cell"
    assert done["n_unknown_clusters"] >= 1
    assert done["n_landmarks"] == done["n_environments"] == 2 * N_FRAMES * 108
    assert sum(cluster["n_landmarks"] for cluster in done["clusters"]) == done["n_landmarks"]
    assert done["null_expectation"] is None  # no sulfur


def test_labels_file_has_one_label_for_each_environment(folder: Path, done: dict[str, Any]) -> None:
    labels = Labels.load(folder / "labels.npz")
    assert labels.steps.tolist() == list(range(50, 50 * (2 * N_FRAMES + 1), 50))
    assert labels.atom_ids.tolist() == list(range(1, 109))
    assert labels.labels.shape == labels.core.shape == labels.ratio.shape == (2 * N_FRAMES, 108)
    assert labels.label_names.tolist() == ["unknown", "LiCl", "Li2S"]
    assert labels.labels.dtype == np.int8
    assert (labels.ratio[labels.labels > 0] <= 2.0).all()
    assert (labels.ratio[N_FRAMES:] > 1.5).all()
    assert ((labels.z_fraction >= 0) & (labels.z_fraction < 1)).all()
    assert labels.heights_ang[[0, -1]] == pytest.approx([3 * 5.13, 3 * 5.5])
    assert labels.profile.sum() == 2 * 108
    assert labels.profile.shape == (3, 8)
    assert done["profile_last_tenth"]["counts"]["unknown"] == labels.profile[0].tolist()


def test_phase_named_later_needs_no_clustering(folder: Path, done: dict[str, Any], tmp_path: Path) -> None:
    before = load_classifier(folder / "phases.npz")[0]
    for name in ("run.dump", "zb.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "phases.npz").rename(tmp_path / "known.npz")
    references = {"ZB": {"files": ["zb.dump"]}}
    status, result, _ = call(
        classify.main, tmp_path, {"trajectory": JOB["trajectory"], "references": references, "classifier": "known.npz"}
    )
    assert status == 0, result
    assert result["outputs"]["clustered_anew"] is False
    assert result["outputs"]["phase_fractions"]["last_tenth"]["ZB"] == pytest.approx(1.0, abs=0.02)
    assert result["outputs"]["phase_fractions"]["first_tenth"] == pytest.approx(
        {**done["phase_fractions"]["first_tenth"], "ZB": 0.0}, abs=0.01
    )
    after = load_classifier(tmp_path / "phases.npz")[0]
    assert np.array_equal(after.clusters, before.clusters)
    assert after.names == ("unknown", "LiCl", "Li2S", "ZB")


def test_fewer_landmarks_give_the_same_labels(folder: Path, done: dict[str, Any], tmp_path: Path) -> None:
    full = Labels.load(folder / "labels.npz")
    for name in ("run.dump", "licl.dump", "li2s.npz"):
        (tmp_path / name).symlink_to(folder / name)
    status, result, _ = call(classify.main, tmp_path, {**JOB, "n_landmarks": 1205})
    assert status == 0, result
    assert result["outputs"]["n_landmarks"] == 1205
    assert np.mean(Labels.load(tmp_path / "labels.npz").labels == full.labels) > 0.98


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trajectory": {"files": ["none.dump"]}}, "There is no dump file .*none.dump"),
        ({"trajectory": {"files": ["cut.dump"]}}, "cut.dump is cut off in the atoms of step 50"),
        ({"trajectory": {"files": ["nan.dump"]}}, "nan.dump, step 50: positions or box hold NaN"),
        ({"trajectory": {"files": ["few.dump"]}}, "Only 64 of 64 points are distinct, too few for maxk 100"),
        ({"trajectory": {"files": ["mixed.npz"]}}, "step 1: the Li atoms are not those of the first frame"),
        ({"trajectory": {"files": ["sodium.npz"]}}, "trajectory, step 0: The structure holds Na, but"),
        ({"references": {"NaCl": {"files": ["sodium.npz"]}}}, "reference NaCl, step 0: The structure holds Na"),
        ({"references": {"LiCl": {"files": ["rest.npz"]}}}, "phase LiCl has 1 distinct environments"),
        ({"references": {"unknown": {"files": ["licl.dump"]}}}, "can't be named 'unknown'"),
        ({"classifier": "phases.npz", "spec": {"n_max": 9}}, "made with the descriptors .*'n_max': 4"),
        ({"classifier": "none.npz"}, "There is no phases file"),
        ({"spec": {"centre": "Na"}}, "centre Na is not among the species"),
        ({"trajectory": {"files": []}}, "trajectory.files"),
        ({"zz": 3}, "zz"),
    ],
)
def test_bad_input_is_one_sentence(
    folder: Path, done: dict[str, Any], tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    for name in ("licl.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    text = (folder / "licl.dump").read_text()
    (tmp_path / "cut.dump").write_text(text[: int(len(text) * 0.35)])
    lines = text.splitlines(keepends=True)
    second = lines.index("50\n")
    lines[second + 12] = " ".join([*lines[second + 12].split()[:4], "nan"]) + "\n"
    (tmp_path / "nan.dump").write_text("".join(lines))
    small = bulk("LiCl", "rocksalt", a=5.13, cubic=True).repeat((4, 2, 2))
    small.rattle(0.1, seed=0)
    write_dump(tmp_path / "few.dump", [small])
    Frames.from_atoms([*rattled("LiCl", 1, 1), *rattled("Li2S", 1, 1)]).save(tmp_path / "mixed.npz")
    Frames.from_atoms([bulk("NaCl", "rocksalt", a=5.6, cubic=True)]).save(tmp_path / "sodium.npz")
    Frames.from_atoms([bulk("LiCl", "rocksalt", a=5.13)]).save(tmp_path / "rest.npz")
    job = {"trajectory": {"files": ["licl.dump"]}, "keep_variance": 0.999, **change}
    status, result, _ = call(classify.main, tmp_path, job)
    assert status == 2
    assert result["error"]["kind"] == "invalid_input"
    assert re.search(sentence, result["error"]["message"]), result["error"]["message"]


def test_missing_package_is_said_with_its_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, result, _ = call(classify.main, folder, JOB)
    assert status == 3
    assert "pip install matscipy" in result["error"]["message"]


def test_help_shows_an_example_that_is_a_valid_job() -> None:
    from aiida_seireact.formats.jobs.classify import ClassifyJob

    ClassifyJob.model_validate_json(classify.EXAMPLE)
    shown = CliRunner().invoke(classify.main, ["--help"]).output
    assert "production.dump.gz" in shown
    assert "n_landmarks" in shown

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

from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.environments import Course, Labels, joined, joined_labels
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.classify import KEYS_OF_PART, ClassifyJob, Part
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.formats.label_chunks import LabelsOf, iter_labels
from aiida_seireact.formats.phases import load_classifier, load_sensitivity
from aiida_seireact.programs import classify
from aiida_seireact.programs._classify_cluster import describe_files
from aiida_seireact.programs._classify_draw import draw, landmarks_at
from aiida_seireact.programs._classify_frames import Run
from aiida_seireact.programs._classify_known import settled_complaint
from aiida_seireact.science.descriptors import DescriptorSpec

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
    "discover": None,
}


@pytest.fixture(scope="module")
def done(folder: Path) -> dict[str, Any]:
    status, result, progress = call(classify.main, folder, JOB)
    assert status == 0, result
    assert f"descriptors: frame {2 * N_FRAMES} of {2 * N_FRAMES}, step 1000, 108 landmarks of 108" in progress
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
    course = Course.load(folder / "labels.npz")
    assert course.counts.sum(axis=(1, 2)).tolist() == [108] * 2 * N_FRAMES
    assert course.n_environments == done["n_environments"]
    assert course.content_hash == done["labels"]["content_hash"]
    assert course.unknown[0] == pytest.approx(0.0, abs=0.02)
    assert course.unknown[-1] == 1.0
    assert labels.profile.shape == (3, 8)
    assert done["profile_last_tenth"]["counts"]["unknown"] == labels.profile[0].tolist()


def test_phase_named_later_needs_no_clustering(folder: Path, done: dict[str, Any], tmp_path: Path) -> None:
    before = load_classifier(folder / "phases.npz")[0]
    for name in ("run.dump", "zb.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "phases.npz").rename(tmp_path / "known.npz")
    job = {
        "trajectory": JOB["trajectory"],
        "references": {"ZB": {"files": ["zb.dump"]}},
        "classifier": "known.npz",
        "discover": {"n_frames": 1},
    }
    status, result, _ = call(classify.main, tmp_path, job)
    assert status == 0, result
    # All clusters have names: what lies beyond the gates, and antifluorites, are looked at all the same.
    assert result["outputs"]["n_unknown_clusters"] == 0
    assert {"LiCl", "ZB", "beyond ZB"} < {group["id"] for group in result["outputs"]["discovery"]["groups"]}
    part = {**job, "part": "discover", "classifier": "phases.npz"}
    assert call(classify.main, tmp_path, part)[1]["outputs"]["discovery"] == result["outputs"]["discovery"]
    assert result["outputs"]["clustered_anew"] is False
    assert result["outputs"]["phase_fractions"]["last_tenth"]["ZB"] == pytest.approx(1.0, abs=0.02)
    assert result["outputs"]["phase_fractions"]["first_tenth"] == pytest.approx(
        {**done["phase_fractions"]["first_tenth"], "ZB": 0.0}, abs=0.01
    )
    after = load_classifier(tmp_path / "phases.npz")[0]
    assert np.array_equal(after.clusters, before.clusters)
    # The table comes with every run; the names that clusters had at another z are those of before.
    names = {"fractions", "n_unknown_clusters"}
    assert result["outputs"]["sensitivity"] == [
        {key: value for key, value in row.items() if key not in names} for row in done["sensitivity"]
    ]
    assert load_sensitivity(tmp_path / "phases.npz") == result["outputs"]["sensitivity"]
    assert after.names == ("unknown", "LiCl", "Li2S", "ZB")


def test_fewer_landmarks_give_the_same_labels(folder: Path, done: dict[str, Any], tmp_path: Path) -> None:
    full = Labels.load(folder / "labels.npz")
    for name in ("run.dump", "licl.dump", "li2s.npz"):
        (tmp_path / name).symlink_to(folder / name)
    status, result, _ = call(classify.main, tmp_path, {**JOB, "n_landmarks": 1205})
    assert status == 0, result
    assert result["outputs"]["n_landmarks"] == 1205
    assert np.mean(Labels.load(tmp_path / "labels.npz").labels == full.labels) > 0.98


def test_frames_that_follow_each_other_closely_do_not_shrink_the_gate(
    folder: Path, done: dict[str, Any], tmp_path: Path
) -> None:
    # Half the frames show every atom once more, moved by next to nothing: its distance to itself says nothing.
    rng = np.random.default_rng(0)
    apart = rattled("LiCl", 3, 3)
    close = [image.copy() for atoms in apart for image in (atoms, atoms)]
    for atoms in close:
        atoms.positions += rng.normal(scale=1e-3, size=atoms.positions.shape)
    classifier, spec = load_classifier(folder / "phases.npz")
    gates = {}
    for name, images in {"apart": apart, "close": close}.items():
        write_dump(tmp_path / f"{name}.dump", images)
        files = {name: FrameFiles(files=(f"{name}.dump",))}
        found = describe_files(files, tmp_path, spec, lambda line: None)[name]
        gates[name] = found.reference(name, classifier, most=1000, seed=0).gate
        assert found.atoms.tolist() == list(range(1, 109)) * len(images)
    assert gates["close"] == pytest.approx(gates["apart"], rel=0.05)


def test_landmarks_lie_evenly_over_a_run_of_more_frames_than_landmarks(folder: Path) -> None:
    run = Run.open(FrameFiles(files=("run.dump",), skip_first=1), folder, DescriptorSpec())
    drawn = [
        draw(run, (share, 2), n_landmarks=5, slab_ang=None, seed=0, progress=lambda line: None).frames.tolist()
        for share in range(2)
    ]
    assert drawn == [[3, 7], [11, 15, 19]]


def test_fractions_say_of_what_and_by_which_stage(done: dict[str, Any]) -> None:
    interphase = done["interphase"]
    assert interphase["n_environments"]["whole_run"] == done["n_environments"]
    assert "no such label is there" in interphase["of"]
    for period, shares in done["core_fractions"].items():
        whole = done["phase_fractions"][period]
        assert all(shares[name] <= whole[name] for name in whole)
    assert 0.5 < sum(done["core_fractions"]["whole_run"].values()) <= 1
    assert sum(sum(stages.values()) for stages in done["stages"].values()) == done["n_environments"]
    assert done["stages"]["LiCl"]["unknown"] == 0
    assert done["stages"]["unknown"]["core"] == 0


def test_metal_is_no_interphase(folder: Path, tmp_path: Path) -> None:
    for name in ("run.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "phases.npz").rename(tmp_path / "known.npz")
    job = {"trajectory": JOB["trajectory"], "classifier": "known.npz", "metal": ["LiCl"], "discover": None}
    outputs = call(classify.main, tmp_path, job)[1]["outputs"]
    assert outputs["interphase"]["n_environments"]["first_tenth"] <= 2
    assert outputs["interphase"]["phase_fractions"]["last_tenth"] == {"unknown": 1.0, "Li2S": 0.0}
    assert outputs["interphase"]["of"].endswith("not LiCl")


def test_sensitivity_and_peaks_come_with_every_run(done: dict[str, Any]) -> None:
    table = done["sensitivity"]
    assert [row["z"] for row in table] == sorted({1.65, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, done["z"]})
    (chosen,) = [row for row in table if row["z"] == done["z"]]
    assert chosen["adjusted_rand"] == 1.0
    assert chosen["n_clusters"] == done["n_clusters"]
    # All environments are landmarks here, so the two fractions are of the same.
    assert chosen["fractions"] == pytest.approx(done["phase_fractions"]["whole_run"])
    clusters = [row["n_clusters"] for row in table]
    assert clusters == sorted(clusters, reverse=True)
    for cluster in done["clusters"]:
        assert cluster["n_core"] + cluster["n_halo"] == cluster["n_landmarks"]
        if cluster["log_density_saddle"] is not None:
            assert cluster["log_density_peak"] > cluster["log_density_saddle"]
    assert len(done["dendrogram"]) == done["n_clusters"] - 1
    assert done["neighbour_recall"] == 1.0
    assert "fewer than the 20000 landmarks" in done["notes"][0]


def test_chunks_hold_the_same_labels(folder: Path, done: dict[str, Any], tmp_path: Path) -> None:
    for name in ("run.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "phases.npz").rename(tmp_path / "known.npz")
    job = {"trajectory": JOB["trajectory"], "classifier": "known.npz", "discover": None}
    whole = call(classify.main, tmp_path, job)[1]["outputs"]["labels"]
    full = Labels.load(tmp_path / "labels.npz")
    cut = {"most_in_one_file": 500, "chunk_environments": 500}
    chunked = call(classify.main, tmp_path, {**job, **cut})[1]["outputs"]["labels"]
    assert chunked["content_hash"] == whole["content_hash"]
    assert [chunk["n_frames"] for chunk in chunked["chunks"]] == [5] * 4
    parts = list(iter_labels(tmp_path))
    assert np.array_equal(np.concatenate([part.labels for part in parts]), full.labels)
    assert np.array_equal(np.sum([part.profile for part in parts], axis=0), full.profile)
    labels_of = LabelsOf(tmp_path)
    for place in (0, 4, 5, 19):
        assert np.array_equal(labels_of(place)[1], full.clusters[place])
    with pytest.raises(PhasesError, match="holds the course of a run of 2160 environments"):
        Labels.load(tmp_path / "labels.npz")
    first = tmp_path / chunked["chunks"][0]["file"]
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(PhasesError, match="sha256 differs"):
        next(iter_labels(tmp_path))
    first.unlink()
    with pytest.raises(PhasesError, match="bring all chunks"):
        next(iter_labels(tmp_path))


def in_parts(folder: Path, run: Path, n_jobs: int, settings: dict[str, Any]) -> tuple[str, list[Path]]:
    """Do the work as jobs side by side; return the content hash of the labels and the folders of the last jobs."""

    def job(name: str, links: dict[str, Path], content: dict[str, Any]) -> Path:
        place = folder / name
        place.mkdir(parents=True)
        for link, target in links.items():
            (place / link).symlink_to(target)
        status, result, _ = call(classify.main, place, {**settings, **content})
        assert status == 0, result
        return place

    files = {"run.dump": run / "run.dump"}
    references = {name: run / name for name in ("licl.dump", "li2s.npz")}
    shares = [{"share": [number, n_jobs]} for number in range(n_jobs)]
    of_run = {"trajectory": JOB["trajectory"]}
    drawn = [
        job(f"draw{number}", files, {**of_run, **share, "part": "draw"}) / "drawn.npz"
        for number, share in enumerate(shares)
    ]
    if n_jobs > 2:
        names = {f"{number}.npz": path for number, path in enumerate(drawn)}
        drawn = [job("gather", names, {"part": "gather", "drawn": list(names)}) / "drawn.npz"]
    names = {f"{number}.npz": path for number, path in enumerate(drawn)}
    clustered = job(
        "cluster",
        {**names, **references},
        {"part": "cluster", "drawn": list(names), "references": JOB["references"]},
    )
    known = {name: clustered / name for name in ("phases.npz", "landmark_places.npz")}
    content = {"part": "assign", "classifier": "phases.npz", "landmark_places": "landmark_places.npz"}
    done = [
        job(f"assign{number}", {**files, **known}, {**of_run, **share, **content})
        for number, share in enumerate(shares)
    ]
    return joined([Course.load(place / "labels.npz") for place in done]).content_hash, done


def test_one_job_and_many_side_by_side_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    settings = {"n_landmarks": 1205, "keep_variance": 0.9999, "sensitivity": [], "discover": None}
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("run.dump", "licl.dump", "li2s.npz"):
        (alone / name).symlink_to(folder / name)
    status, result, _ = call(classify.main, alone, {**JOB, **settings})
    assert status == 0, result
    whole = Labels.load(alone / "labels.npz")
    for n_jobs in (2, 3):
        content_hash, places = in_parts(tmp_path / str(n_jobs), folder, n_jobs, settings)
        assert content_hash == result["outputs"]["labels"]["content_hash"]
        assert (places[0] / "phases.npz").read_bytes() == (alone / "phases.npz").read_bytes()
        merged = joined_labels([Labels.load(place / "labels.npz") for place in places])
        assert all(np.array_equal(values, merged.arrays()[name]) for name, values in whole.arrays().items())


class Watched:
    """A job that notes which of its keys were read."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.job, self.read = ClassifyJob.model_validate(content), set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.job, name)


def test_a_part_reads_the_settings_it_is_given_and_no_others(folder: Path, tmp_path: Path) -> None:
    """What a part does not read must not change its hash, and what it reads must."""
    for name in ("run.dump", "licl.dump", "li2s.npz"):
        (tmp_path / name).symlink_to(folder / name)
    common = {**JOB, "n_landmarks": 500, "maxk": 40, "sensitivity": [], "discover": {"n_frames": 1}}
    known = {"classifier": "phases.npz", "landmark_places": "landmark_places.npz"}
    given: dict[Part, dict[str, Any]] = {
        "draw": {},
        "gather": {"drawn": ["drawn.npz"]},
        "cluster": {"drawn": ["drawn.npz"]},
        "assign": known,
        "discover": known,
    }
    for part, files in given.items():
        job: Any = Watched({**common, **files, "part": part})
        classify.run(job, tmp_path, lambda line: None)
        of_files = {"part", "share", "drawn", "classifier", "landmark_places"}
        assert job.read - of_files == KEYS_OF_PART[part], part


def test_parts_refuse_what_does_not_belong_together(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.dump").symlink_to(folder / "run.dump")
    draw = {"part": "draw", "trajectory": JOB["trajectory"], "n_landmarks": 200, "discover": None}
    for name, change in (("a", {"share": [0, 2]}), ("b", {"share": [1, 2], "spec": {"n_max": 3}})):
        assert call(classify.main, tmp_path, {**draw, **change})[0] == 0
        (tmp_path / "drawn.npz").rename(tmp_path / f"{name}.npz")

    def refusal(job: dict[str, Any]) -> str:
        status, result, _ = call(classify.main, tmp_path, job)
        assert status == 2
        return str(result["error"]["message"])

    assert "unlike runs or descriptors" in refusal({"part": "gather", "drawn": ["a.npz", "b.npz"]})
    assert "out of order, or twice the same" in refusal({"part": "gather", "drawn": ["a.npz", "a.npz"]})
    assert "drawn with other descriptors" in refusal({"part": "cluster", "drawn": ["b.npz"]})
    assert "30 jobs can't share 20 frames" in refusal({**draw, "share": [0, 30]})
    assert "no share 2 of 2" in refusal({**draw, "share": [2, 2]})
    assert "classifier: the part assign needs it" in refusal({**draw, "part": "assign"})


@pytest.mark.parametrize("normalisation", ["standard", "row"])
def test_new_points_are_normalised_as_the_landmarks_were(folder: Path, tmp_path: Path, normalisation: str) -> None:
    for name in ("run.dump", "licl.dump", "li2s.npz"):
        (tmp_path / name).symlink_to(folder / name)
    job = {**JOB, "normalisation": normalisation, "n_landmarks": 1000, "sensitivity": []}
    outputs = call(classify.main, tmp_path, job)[1]["outputs"]
    assert outputs["normalisation"] == normalisation
    assert outputs["phase_fractions"]["first_tenth"]["LiCl"] > 0.95
    assert outputs["phase_fractions"]["last_tenth"]["unknown"] == 1.0
    (tmp_path / "phases.npz").rename(tmp_path / "known.npz")
    by_it = {"trajectory": JOB["trajectory"], "classifier": "known.npz", "discover": None}
    assert call(classify.main, tmp_path, by_it)[1]["outputs"]["normalisation"] == normalisation


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"z": 9.0}, "z: 9 was asked for, but phases.npz was made with 3, and nothing is clustered again"),
        ({"z": 3.5}, "classify without the classifier"),
        ({"gates": {"point": 1.0}}, r"gates.point: 1 .* made with 2, .*`aiida-seireact relabel`"),
        ({"gates": {"reach": None}}, "gates.reach: null .* made with 4"),
        ({"n_landmarks": 500}, "n_landmarks: 500 .* made with 2160"),
        ({"normalisation": "standard"}, "normalisation: standard .* made with none"),
        ({"keep_variance": None}, "keep_variance: null .* made with 0.9999"),
        ({"keep_variance": 0.99}, "keep_variance: 0.99 .* made with 0.9999"),
        ({"maxk": 50}, "maxk: 50 .* made with 100"),
        ({"engine": "dadapy"}, "engine: dadapy .* made with native"),
        ({"neighbours": "ivf"}, "neighbours: ivf .* made with exact"),
        ({"sensitivity": [2.0]}, "sensitivity: .* has its landmarks and clusters already"),
        ({"landmark_slab_ang": None}, "landmark_slab_ang: .* has its landmarks and clusters already"),
    ],
)
@pytest.mark.parametrize("part", ["all", "cluster"])
def test_what_a_classifier_has_settled_is_refused_and_not_ignored(
    folder: Path, done: dict[str, Any], tmp_path: Path, asked: dict[str, Any], sentence: str, part: Part
) -> None:
    for name in ("run.dump", "phases.npz"):
        (tmp_path / name).symlink_to(folder / name)
    job = {"part": part, "trajectory": JOB["trajectory"], "classifier": "phases.npz", "discover": None, **asked}
    status, result, _ = call(classify.main, tmp_path, job)
    assert status == 2
    assert result["error"]["kind"] == "invalid_input"
    assert re.search(sentence, result["error"]["message"]), result["error"]["message"]


def test_what_a_classifier_has_settled_may_be_repeated(folder: Path, done: dict[str, Any]) -> None:
    classifier, _ = load_classifier(folder / "phases.npz")
    own = {
        **{"z": 3, "gates": {"point": 2, "support": 0.02}, "n_landmarks": 2160, "normalisation": "none", "maxk": 100},
        **{"keep_variance": JOB["keep_variance"], "alpha": 1e-6, "engine": "native", "neighbours": "auto"},
    }
    assert settled_complaint(own, classifier, "it") is None
    assert (
        settled_complaint({"references": {}, "metal": ["Li"], "n_references": 50, "seed": 3}, classifier, "it") is None
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trajectory": {"files": ["none.dump"]}}, "There is no dump file .*none.dump"),
        ({"trajectory": {"files": ["cut.dump"]}}, "cut.dump is cut off in the atoms of step 50"),
        ({"trajectory": {"files": ["nan.dump"]}}, "nan.dump, step 50: positions or box hold NaN"),
        ({"trajectory": {"files": ["few.dump"]}}, "Only 64 of 64 points are distinct, too few for maxk 100"),
        ({"trajectory": {"files": ["mixed.npz"]}}, "step 1: the Li atoms are not those of the first frame"),
        ({"trajectory": {"files": ["sodium.npz"]}}, "trajectory, step 0: there is no Li, .* but Cl, Na"),
        ({"references": {"NaCl": {"files": ["sodium.npz"]}}}, "reference NaCl, step 0: The structure holds Na"),
        ({"references": {"LiCl": {"files": ["rest.npz"]}}}, "phase LiCl has 1 distinct environments"),
        ({"references": {"unknown": {"files": ["licl.dump"]}}}, "can't be named 'unknown'"),
        ({"references": {"a/b": {"files": ["licl.dump"]}}}, "references: .*can't be named 'a/b': it holds a slash"),
        ({"metal": ["Li", "unknown"]}, "metal: .*can't be named 'unknown': that is the name of what has none"),
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
    job = {"trajectory": {"files": ["licl.dump"]}, "keep_variance": 0.999, "discover": None, **change}
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


@pytest.mark.parametrize(("n_frames", "n_landmarks"), [(7, 100), (1000, 300), (5, 5), (301, 300)])
def test_landmarks_come_from_the_whole_run(n_frames: int, n_landmarks: int) -> None:
    """A phase that forms late is there, also where there are more frames than landmarks."""
    counts = [landmarks_at(place, n_frames, n_landmarks) for place in range(n_frames)]
    assert sum(counts) == n_landmarks
    assert max(counts) - min(counts) <= 1
    tenth = n_frames // 10
    if tenth:
        assert sum(counts[-tenth:]) == pytest.approx(n_landmarks / 10, abs=2)

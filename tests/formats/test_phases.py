from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_seireact.formats.phases import Labels, PhasesError, load_classifier, load_sensitivity, save_classifier
from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import (
    Classifier,
    Gates,
    adopt,
    assign,
    build_classifier,
    fit_reduction,
    reference,
    relabel,
)

SPEC = DescriptorSpec(n_max=2, l_max=1)


def classifier(keep_variance: float | None, gates: Gates, names: str = "AB") -> Classifier:
    """Return a classifier of two clouds of 150 points in the plane of the first two features."""
    rng = np.random.default_rng(0)
    descriptors = 0.1 * rng.normal(size=(300, SPEC.n_features))
    descriptors[:, :2] = rng.normal(size=(300, 2))
    descriptors[150:, 0] += 12.0
    reduction = fit_reduction(descriptors, keep_variance)
    landmarks = reduction.apply(descriptors)
    references = [
        reference(name, landmarks[start : start + 100] + np.float32(0.01))
        for name, start in zip(names, (0, 150), strict=False)
    ]
    peaks = density_peaks(landmarks, z=2.0, maxk=60)
    return build_classifier(reduction, landmarks, peaks, references, gates, maxk=60, alpha=1e-6)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, dataclasses and sequences by their parts."""
    if is_dataclass(one):
        return all(same(getattr(one, item.name), getattr(other, item.name)) for item in fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other) and np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.parametrize("keep_variance", [None, 0.9])
@pytest.mark.parametrize("gates", [Gates(), Gates(accept=2.0, majority=0.3, point=None)])
def test_classifier_comes_back_and_labels_alike(tmp_path: Path, keep_variance: float | None, gates: Gates) -> None:
    written = classifier(keep_variance, gates)
    save_classifier(tmp_path / "phases.npz", written, SPEC)
    got, spec = load_classifier(tmp_path / "phases.npz")
    assert spec == SPEC
    assert got.names == ("unknown", "A", "B")
    assert same(got, written)
    fresh = np.random.default_rng(1).normal(size=(20, SPEC.n_features))
    expected = assign(written.reduction.apply(fresh), written)
    found = assign(got.reduction.apply(fresh), got)
    assert same(found, expected)


def test_a_classifier_carries_what_another_z_would_have_given(tmp_path: Path) -> None:
    row = {"z": 2.0, "n_clusters": 3, "core_fraction": 0.9, "adjusted_rand": 0.8}
    table = [{**row, "n_unknown_clusters": 1, "fractions": {"A": 1.0}}, {"z": 9.0, "refused": "one peak"}]
    save_classifier(tmp_path / "phases.npz", classifier(None, Gates()), SPEC, table)
    assert load_sensitivity(tmp_path / "phases.npz") == [row, table[1]]
    with pytest.raises(PhasesError, match="There is no phases file"):
        load_sensitivity(tmp_path / "none.npz")


def test_classifier_without_references(tmp_path: Path) -> None:
    bare = classifier(None, Gates(), names="")
    save_classifier(tmp_path / "phases.npz", bare, SPEC)
    got = load_classifier(tmp_path / "phases.npz")[0]
    assert got.names == ("unknown",)
    assert same(got, bare)


def test_an_adopted_phase_comes_back_and_can_be_undone(tmp_path: Path) -> None:
    known = classifier(None, Gates(), names="A")
    unknown = np.flatnonzero(known.cluster_labels == 0)
    save_classifier(tmp_path / "phases.npz", adopt(known, unknown, "new"), SPEC)
    got = load_classifier(tmp_path / "phases.npz")[0]
    assert got.names == ("unknown", "A", "new")
    assert got.references[1].adopted == tuple(unknown)
    assert same(relabel(got, remove=["new"]), known)


def test_a_classifier_of_the_former_form_is_refused_by_a_sentence(tmp_path: Path) -> None:
    former = ("landmarks", "clusters", "core", "log_density", "saddle", "cluster_labels", "accepted", "spec", "z")
    np.savez(tmp_path / "phases.npz", **{name: np.zeros(2) for name in former})
    with pytest.raises(PhasesError, match="another form of classifier: classify the run anew"):
        load_classifier(tmp_path / "phases.npz")


def test_equal_classifiers_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_classifier(tmp_path / name, classifier(0.9, Gates()), SPEC)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def labels() -> Labels:
    return Labels(
        steps=np.array([0, 50]),
        atom_ids=np.array([1, 4, 6]),
        labels=np.zeros((2, 3), dtype=np.int8),
        clusters=np.zeros((2, 3), dtype=np.int16),
        core=np.ones((2, 3), dtype=bool),
        ratio=np.full((2, 3), np.nan, dtype=np.float32),
        z_fraction=np.zeros((2, 3), dtype=np.float32),
        heights_ang=np.array([10.0, 10.1]),
        label_names=np.array(["unknown"]),
        profile=np.array([[3, 0, 0]]),
    )


def test_labels_come_back(tmp_path: Path) -> None:
    labels().save(tmp_path / "labels.npz")
    got = Labels.load(tmp_path / "labels.npz")
    for item in fields(Labels):
        assert np.array_equal(getattr(got, item.name), getattr(labels(), item.name), equal_nan=item.name == "ratio")


def test_missing_foreign_and_cut_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(PhasesError, match="There is no labels file"):
        Labels.load(tmp_path / "none.npz")
    labels().save(tmp_path / "labels.npz")
    with pytest.raises(PhasesError, match="not a phases file: it lacks form"):
        load_classifier(tmp_path / "labels.npz")
    content = (tmp_path / "labels.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(PhasesError, match="not a whole labels file"):
        Labels.load(tmp_path / "cut.npz")

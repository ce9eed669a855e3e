from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.phases import Labels, PhasesError, load_classifier, save_classifier
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier, Gates, assign, fit_reduction, reference

SPEC = DescriptorSpec(n_max=2, l_max=1)


def classifier(keep_variance: float | None, gates: Gates) -> Classifier:
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(60, SPEC.n_features))
    reduction = fit_reduction(descriptors, keep_variance)
    landmarks = reduction.apply(descriptors)
    return Classifier(
        reduction=reduction,
        landmarks=landmarks,
        clusters=np.repeat([0, 1], 30),
        core=rng.random(60) > 0.3,
        log_density=rng.normal(size=60),
        log_density_error=rng.random(60),
        saddle=np.array([0.5, -np.inf]),
        intrinsic_dimension=7.5,
        z=3.0,
        references=(reference("A", landmarks[:30]), reference("B", landmarks[30:])),
        gates=gates,
        cluster_labels=np.array([2, 0]),
        accepted=np.array([[1, 7], [0, 0]]),
    )


@pytest.mark.parametrize("keep_variance", [None, 0.9])
@pytest.mark.parametrize("gates", [Gates(), Gates(accept=2.0, majority=0.3, point=None)])
def test_classifier_comes_back_and_labels_alike(tmp_path: Path, keep_variance: float | None, gates: Gates) -> None:
    written = classifier(keep_variance, gates)
    save_classifier(tmp_path / "phases.npz", written, SPEC)
    got, spec = load_classifier(tmp_path / "phases.npz")
    assert spec == SPEC
    assert got.names == ("unknown", "A", "B")
    assert got.gates == gates
    assert got.reduction.kept_variance == written.reduction.kept_variance
    for item in fields(Classifier):
        if item.name not in ("reduction", "references", "gates"):
            assert np.array_equal(getattr(got, item.name), getattr(written, item.name)), item.name
    fresh = np.random.default_rng(1).normal(size=(20, SPEC.n_features))
    expected = assign(written.reduction.apply(fresh), written)
    found = assign(got.reduction.apply(fresh), got)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.ratio, expected.ratio)


def test_classifier_without_references(tmp_path: Path) -> None:
    bare = replace(classifier(None, Gates()), references=(), accepted=np.zeros((2, 0), dtype=np.int64))
    save_classifier(tmp_path / "phases.npz", bare, SPEC)
    assert load_classifier(tmp_path / "phases.npz")[0].names == ("unknown",)


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
    with pytest.raises(PhasesError, match="not a phases file: it lacks landmarks"):
        load_classifier(tmp_path / "labels.npz")
    content = (tmp_path / "labels.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(PhasesError, match="not a whole labels file"):
        Labels.load(tmp_path / "cut.npz")

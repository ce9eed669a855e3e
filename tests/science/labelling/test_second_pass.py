"""References in the non-core region of a cluster: two clouds that were clustered as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_seireact.science import labelling
from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.labelling import Classifier, Gates, Stage

DENSE, EDGE = slice(0, 300), slice(300, 360)


def classifier(n_references: int = 60, gates: Gates | None = None, *, dense_is_known: bool = False) -> Classifier:
    """Return one cluster of 300 core points and, outside its core, 60 points among the references of phase A.

    :param dense_is_known: there are references of the core too, of phase B.
    """
    rng = np.random.default_rng(0)
    points = rng.normal(size=(360, 6)).astype(np.float32)
    points[EDGE] += 15.0
    references = (rng.normal(size=(n_references, 6)) + 15.0).astype(np.float32)
    if n_references < 60:
        references = np.concatenate([references, rng.normal(size=(60 - n_references, 6)) - 90.0])
    made = density_peaks(points, z=2.0, maxk=50)
    one = replace(
        made,
        clusters=np.zeros(360, dtype=np.int64),
        core=np.arange(360) < 300,
        centres=made.centres[:1],
        saddle=np.zeros(1),
        borders=np.zeros((0, 2), dtype=np.int64),
        border_log_density=np.zeros(0),
        border_log_density_error=np.zeros(0),
    )
    reduction = labelling.Reduction(mean=np.zeros(6), vectors=None, kept_variance=1.0)
    known = [labelling.reference("A", references)]
    if dense_is_known:
        known.append(labelling.reference("B", rng.normal(size=(200, 6)).astype(np.float32)))
    return labelling.build_classifier(reduction, points, one, known, gates, maxk=50, alpha=1e-6)


def test_non_core_points_among_references_take_the_name() -> None:
    made = classifier()
    got = labelling.label_landmarks(made)
    assert made.cluster_labels.tolist() == [0]
    assert (got.labels[DENSE] == 0).all()
    assert np.mean(got.labels[EDGE] == 1) > 0.8
    assert (got.stage[got.labels == 1] == Stage.NON_CORE).all()
    assert (got.ratio[got.labels == 1] <= made.gates.second_pass).all()  # type: ignore[operator]


def test_what_is_too_far_from_the_name_of_its_cluster_is_looked_at_too() -> None:
    """As the electrolyte of a small cell: too sparse for a peak of its own, it was clustered with the metal."""
    made = classifier(dense_is_known=True)
    assert made.cluster_labels.tolist() == [2]
    got = labelling.label_landmarks(made)
    assert np.mean(got.labels[DENSE] == 2) > 0.95
    assert np.mean(got.labels[EDGE] == 1) > 0.8
    assert (got.labels[EDGE] != 2).all()
    assert (got.stage[got.labels == 1] == Stage.NON_CORE).all()
    # Nothing else changes: without the pass the same points are B.
    without = labelling.label_landmarks(classifier(gates=Gates(second_pass=None), dense_is_known=True))
    assert np.array_equal(got.labels == 2, without.labels == 2)
    # Where no point loses its name, none is looked at.
    kept = labelling.label_landmarks(classifier(gates=Gates(point=None), dense_is_known=True))
    assert (kept.labels == 2).all()


def test_the_second_pass_can_be_left_out() -> None:
    made = classifier(gates=Gates(second_pass=None))
    assert (labelling.label_landmarks(made).labels == 0).all()


def test_two_references_are_no_evidence() -> None:
    assert (labelling.label_landmarks(classifier(n_references=2)).labels == 0).all()


def test_adopting_the_cluster_leaves_what_the_second_pass_named() -> None:
    made = classifier()
    before = labelling.label_landmarks(made).labels
    after = labelling.label_landmarks(labelling.adopt(made, [0], "new"))
    assert (after.labels[DENSE] == 2).all()
    assert np.array_equal(after.labels[before == 1], before[before == 1])


def test_other_points_near_such_a_landmark_take_its_name_only_near_the_phase() -> None:
    made = classifier()
    named = made.landmarks[np.flatnonzero(labelling.label_landmarks(made).labels == 1)]
    near = labelling.assign(named + np.float32(1e-3), made)
    assert (near.labels == 1).all()
    assert (near.stage == Stage.NON_CORE).all()
    far = labelling.assign(named + np.float32(3.0), made)
    assert (far.labels[far.ratio > made.gates.second_pass] == 0).all()
    assert far.ratio.max() > 1.0


@pytest.mark.parametrize("name", ["A"])
def test_removing_the_phase_removes_its_name(name: str) -> None:
    assert (labelling.label_landmarks(labelling.relabel(classifier(), remove=[name])).labels == 0).all()

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.data.phases import PhasesData
from aiida_seireact.formats.phases import PhasesError, save_classifier
from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Reduction, assign, build_classifier, reference


@pytest.fixture(scope="module")
def two_phases():
    """Return two clouds of points and a classifier that knows one of them by name."""
    rng = np.random.default_rng(0)
    clouds = [rng.normal(loc=centre, size=(300, 4)).astype(np.float32) for centre in (0.0, 12.0)]
    points = np.concatenate(clouds)
    spec = DescriptorSpec()
    reduction = Reduction(mean=np.zeros(4), vectors=None, kept_variance=1.0)
    known = reference("Li", clouds[0][:100] + rng.normal(scale=0.05, size=(100, 4)).astype(np.float32))
    return (
        points,
        build_classifier(reduction, points, density_peaks(points, z=2.0, maxk=60), [known], maxk=60, alpha=1e-6),
        spec,
    )


def test_a_stored_classifier_labels_as_the_one_it_was_made_of(two_phases, tmp_path, aiida_profile_clean):
    points, classifier, spec = two_phases
    save_classifier(tmp_path / "phases.npz", classifier, spec)
    node = PhasesData(tmp_path / "phases.npz").store()
    again, its_spec = node.classifier()
    assert its_spec.content_hash == spec.content_hash
    np.testing.assert_array_equal(assign(points, again).labels, assign(points, classifier).labels)
    assert node.label_names == ["unknown", "Li"]
    assert node.base.attributes.get("n_landmarks") == 600


def test_the_same_classifier_is_the_same_to_the_cache(two_phases, tmp_path, aiida_profile_clean):
    _, classifier, spec = two_phases
    hashes = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_classifier(tmp_path / name / "phases.npz", classifier, spec)
        hashes.add(PhasesData(tmp_path / name / "phases.npz").store().base.caching.get_hash())
    assert len(hashes) == 1


def test_a_torn_file_is_refused(two_phases, tmp_path, aiida_profile):
    _, classifier, spec = two_phases
    path = tmp_path / "phases.npz"
    save_classifier(path, classifier, spec)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PhasesError):
        PhasesData(path)

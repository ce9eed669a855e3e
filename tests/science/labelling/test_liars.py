"""References that lie, and what must not come of them. Small crystals, 0.15 Å; truth known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_seireact.science import labelling
from aiida_seireact.science.descriptors import describe
from aiida_seireact.science.labelling import Gates, Stage
from benchmarks._phases import AMORPHOUS, DISORDERED, KNOWN, SIZES, SPEC, cells
from benchmarks.phases import Classified, Settings, World, classify, make_world, new_phase, without


@pytest.fixture(scope="module")
def world() -> World:
    return make_world("small", rattle=0.15, seed=1)


@pytest.fixture(scope="module")
def found(world: World) -> Classified:
    return classify(world, Settings(z=2.0))


def referred(found: Classified, references: dict[str, np.ndarray], gates: Gates | None = None) -> Classified:
    """Return the same clustering with other references."""
    classifier = found.classifier
    made = [labelling.reference(name, classifier.reduction.apply(points)) for name, points in references.items()]
    return found.relabelled(labelling.relabel(classifier, add=made, remove=classifier.names[1:], gates=gates))


def test_swapped_references_swap_the_labels_whole(found: Classified) -> None:
    given = found.world.references
    swapped = referred(found, {**given, "Li2S": given["LiCl"], "LiCl": given["Li2S"]})
    other = {"Li2S": "LiCl", "LiCl": "Li2S"}
    assert np.array_equal(swapped.labels, [other.get(name, name) for name in found.labels.tolist()])


def test_references_of_another_length_are_refused(found: Classified) -> None:
    with pytest.raises(labelling.LabellingError, match="same spec"):
        referred(found, {"Li": np.random.default_rng(0).normal(size=(30, 7))})
    wrong = labelling.reference("X", np.random.default_rng(0).normal(size=(30, 7)))
    with pytest.raises(labelling.LabellingError, match="own reduction"):
        labelling.relabel(found.classifier, add=[wrong])


def test_references_of_another_cutoff_name_nothing(found: Classified) -> None:
    """As many features, so nothing but the hash of the spec tells; yet no cluster is near them."""
    rng = np.random.default_rng(5)
    shorter = replace(SPEC, cutoff_ang=5.0)
    references = {}
    for phase in KNOWN:
        atoms = next(iter(cells(phase, SIZES["small"], rng)))
        atoms.positions += rng.normal(scale=0.15, size=atoms.positions.shape)
        references[phase] = describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, shorter)[0]
    assert (referred(found, references).labels == "unknown").all()


def test_a_reference_of_amorphous_material_takes_no_known_label(found: Classified) -> None:
    given = found.world.references
    glass = found.world.descriptors[found.world.truth == AMORPHOUS][::2]
    labels = referred(found, {**given, "glass": glass}).labels
    before = found.labels
    assert np.array_equal(labels[before != "unknown"], before[before != "unknown"])
    assert not (labels[np.isin(found.world.truth, KNOWN)] == "glass").any()


def test_without_references_all_is_unknown(found: Classified) -> None:
    bare = referred(found, {})
    assert (bare.labels == "unknown").all()
    assert np.isnan(bare.assignment.ratio).all()
    assert (bare.assignment.stage == Stage.UNKNOWN).all()


def test_references_of_absent_phases_alone_name_nothing(found: Classified) -> None:
    """Li3P among data without it; of a polymorph (fcc beside bcc Li) more than its own reference has to be known."""
    without_it = classify(without(found.world, ("Li3P",)), Settings(z=2.0))
    assert (referred(without_it, {"Li3P": found.world.references["Li3P"]}).labels == "unknown").all()


def test_a_phase_given_twice_keeps_its_first_name(found: Classified) -> None:
    given = found.world.references
    labels = referred(found, {**given, "Li2S again": given["Li2S"]}).labels
    assert np.array_equal(labels, found.labels)


def test_repeated_rows_count_once(found: Classified) -> None:
    given = found.world.references
    labels = referred(found, {name: np.concatenate([rows, rows]) for name, rows in given.items()}).labels
    assert np.array_equal(labels, found.labels)


def test_nan_in_references_or_points_is_said(found: Classified) -> None:
    bad = found.world.references["Li"].copy()
    bad[3, 5] = np.nan
    with pytest.raises(labelling.LabellingError, match="Li hold NaN"):
        referred(found, {"Li": bad})
    with pytest.raises(labelling.LabellingError, match="points hold NaN"):
        labelling.assign(found.classifier.reduction.apply(bad), found.classifier)


# ------------------------------------------------------------------------------------------------ adopt, relabel


def test_adopting_names_the_new_phase_and_nothing_that_had_a_name(found: Classified) -> None:
    after = found.relabelled(labelling.adopt(found.classifier, new_phase(found), "new"))
    was_unknown = (found.world.truth == DISORDERED) & (found.labels == "unknown")
    assert np.mean(after.labels[was_unknown] == "new") >= 0.98
    named = found.labels != "unknown"
    assert np.array_equal(after.labels[named], found.labels[named])


def test_relabel_without_it_undoes_an_adoption(found: Classified) -> None:
    adopted = labelling.adopt(found.classifier, new_phase(found), "new")
    undone = found.relabelled(labelling.relabel(adopted, remove=["new"]))
    assert np.array_equal(undone.labels, found.labels)
    assert undone.classifier.names == found.classifier.names


def test_an_adopted_phase_given_elsewhere_is_a_reference_like_any(found: Classified) -> None:
    made = labelling.adopt(found.classifier, new_phase(found), "new").references[-1]
    assert made.adopted
    assert labelling.relabel(found.classifier, add=[made]).references[-1].adopted == ()


@pytest.mark.parametrize(
    ("clusters", "name", "sentence"),
    [
        ([], "new", "No cluster"),
        ([0, 999], "new", "no cluster 999: clusters are 0 to"),
        ([-1], "new", "no cluster -1"),
        ("named", "new", "have a name: "),
        ("unknown", "Li2S", "name Li2S is in use"),
        ("unknown", "unknown", "can't be named 'unknown'"),
        ("unknown", " ", "can't be named ' '"),
        ("unknown", "a/b", "can't be named 'a/b': it holds a slash"),
    ],
)
def test_what_cannot_be_adopted(found: Classified, clusters: object, name: str, sentence: str) -> None:
    labels = found.classifier.cluster_labels
    chosen = {"named": np.flatnonzero(labels), "unknown": np.flatnonzero(labels == 0)}
    with pytest.raises(labelling.LabellingError, match=sentence):
        labelling.adopt(found.classifier, chosen[clusters] if isinstance(clusters, str) else clusters, name)


@pytest.mark.parametrize("name", ["Li2S0.72P0.14Cl0.14", "γ-Li3PS4", "Li3P (hex)", "a" * 80])
def test_names_of_phases(name: str) -> None:
    assert labelling.require_name(name) == name


@pytest.mark.parametrize("name", ["", " Li", "Li\n", "unknown", "a/b", "a\\b", "..", "-o", "a\0", "a" * 81])
def test_names_no_phase_can_have(name: str) -> None:
    with pytest.raises(labelling.LabellingError, match="A phase can't be named"):
        labelling.require_name(name)


def test_what_cannot_be_relabelled(found: Classified) -> None:
    with pytest.raises(labelling.LabellingError, match="no reference phase Li2O to remove: there are Li, "):
        labelling.relabel(found.classifier, remove=["Li2O"])
    with pytest.raises(labelling.LabellingError, match="two reference phases named Li"):
        labelling.relabel(found.classifier, add=[found.classifier.references[0]])
    elsewhere = replace(
        found.classifier, peaks=replace(found.classifier.peaks), landmarks=found.classifier.landmarks + 1
    )
    with pytest.raises(labelling.LabellingError, match="another clustering"):
        labelling.follow(found.assignment, found.classifier, elsewhere)


@pytest.mark.parametrize("wrong", [{"accept": 0.0}, {"point": -1.0}, {"majority": 1.5}, {"support": -0.1}])
def test_gates_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(labelling.LabellingError, match="The gate"):
        Gates(**wrong)

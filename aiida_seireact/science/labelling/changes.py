"""Other names for an old clustering: more or fewer references, other gates, unknown clusters that become a phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aiida_seireact.science.labelling.classifier import Classifier, require_different_names
from aiida_seireact.science.labelling.errors import UNKNOWN, LabellingError
from aiida_seireact.science.labelling.gates import Gates
from aiida_seireact.science.labelling.naming import name_clusters, place
from aiida_seireact.science.labelling.references import Reference, reference


def relabel(
    classifier: Classifier,
    *,
    add: Sequence[Reference] = (),
    remove: Sequence[str] = (),
    gates: Gates | None = None,
) -> Classifier:
    """Return the classifier with other references or gates and its clusters named anew. Nothing is clustered again.

    :param add: phases given; what they were adopted from is another clustering's affair and is forgotten.
    :param remove: names of phases to forget, adopted ones too.
    :param gates: None keeps those it has.
    :raises LabellingError: a name to add that is there already, one to remove that isn't, or points of another length.
    """
    missing = [name for name in remove if name not in classifier.names[1:]]
    if missing:
        raise LabellingError(
            f"There is no reference phase {', '.join(missing)} to remove: there are {_listed(classifier)}."
        )
    kept = [number for number, item in enumerate(classifier.references) if item.name not in remove]
    new = [replace(item, adopted=()) for item in add]
    return _with(classifier, kept, new, gates or classifier.gates)


def adopt(classifier: Classifier, clusters: Sequence[int], name: str, *, most: int = 1000, seed: int = 0) -> Classifier:
    """Make unknown clusters a phase of its own, whose gate is the spacing of their cores.

    The clusters take the name; other clusters and other points are measured by it as by any reference.
    ``relabel(classifier, remove=[name])`` undoes it.

    :param clusters: numbers of unknown clusters.
    :param most: core landmarks kept as references, drawn at random.
    :raises LabellingError: no such cluster, one that has a name, a name in use, or too few core landmarks.
    """
    chosen = sorted({int(number) for number in clusters})
    if not chosen:
        raise LabellingError("No cluster is given to adopt.")
    wrong = [number for number in chosen if not 0 <= number < classifier.n_clusters]
    if wrong:
        raise LabellingError(f"There is no cluster {_numbers(wrong)}: clusters are 0 to {classifier.n_clusters - 1}.")
    named = [number for number in chosen if classifier.cluster_labels[number]]
    if named:
        labels = ", ".join(f"{number} ({classifier.names[classifier.cluster_labels[number]]})" for number in named)
        raise LabellingError(f"Only unknown clusters can be adopted, but these have a name: {labels}.")
    if name in classifier.names and name != UNKNOWN:
        raise LabellingError(f"The name {name} is in use: there are {_listed(classifier)}.")
    core = classifier.core & np.isin(classifier.clusters, chosen)
    made = replace(reference(name, classifier.landmarks[core], most=most, seed=seed), adopted=tuple(chosen))
    return _with(classifier, range(len(classifier.references)), [made], classifier.gates)


def _with(classifier: Classifier, kept: Sequence[int], new: Sequence[Reference], gates: Gates) -> Classifier:
    width = classifier.landmarks.shape[1]
    for item in new:
        if item.points.ndim != 2 or item.points.shape[1] != width:
            raise LabellingError(
                f"The references of {item.name} have shape {item.points.shape}, the landmarks {width} features: "
                "reduce them by the classifier's own reduction."
            )
    references = (*(classifier.references[number] for number in kept), *new)
    require_different_names(references)
    placements = (
        *(classifier.placements[number] for number in kept),
        *(place(item, classifier.landmarks) for item in new),
    )
    naming = name_clusters(classifier.landmarks, classifier.peaks, references, placements, gates)
    return replace(classifier, references=references, placements=placements, gates=gates, naming=naming)


def _listed(classifier: Classifier) -> str:
    return ", ".join(classifier.names[1:]) or "none"


def _numbers(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))

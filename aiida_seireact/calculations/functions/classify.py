"""Parts of a classification become one inside the graph, and new names for an old one; each takes seconds at most."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.formats import files
from aiida_seireact.formats.environments import Course, Labels, course_of, joined, joined_labels
from aiida_seireact.formats.jobs.classify import KEYS_OF_PART
from aiida_seireact.formats.phases import save_classifier
from aiida_seireact.programs._classify_cluster import Described
from aiida_seireact.programs._classify_follow import changed, followed, renamed_outputs
from aiida_seireact.programs._classify_result import facts_of_course
from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.labelling import Classifier

MAX_PARTS = 100
"""Parts that one merging takes: more are a tree of mergings (link creation is quadratic in the inputs)."""


@calcfunction
def divide_frames(parallel: orm.Int) -> dict[str, orm.List]:
    """Return which share of the frames each job takes: `[number, count]` by name, in their order.

    :param parallel: number of jobs.
    """
    count = parallel.value
    return {f"share_{number:04d}": orm.List([number, count]) for number in range(count)}


@calcfunction
def parameters_of_parts(parameters: orm.Dict) -> dict[str, orm.Dict]:
    """Return the parameters of each part of a classification: those it reads, so that others don't make it anew.

    :param parameters: those of the whole.
    """
    given = parameters.get_dict()
    return {
        part: orm.Dict({name: value for name, value in given.items() if name in keys})
        for part, keys in KEYS_OF_PART.items()
    }


def arrays_node(arrays: dict[str, Any], chunks: list[dict[str, Any]]) -> orm.ArrayData:
    """Return arrays as a node that also names the chunks in which the labels of a large run lie."""
    node = orm.ArrayData()
    for name, values in arrays.items():
        node.set_array(name, np.asarray(values))
    node.base.attributes.set("chunks", chunks)
    return node


def arrays_of_node(node: orm.ArrayData) -> dict[str, Any]:
    """Return the arrays of a node under their names."""
    return {name: node.get_array(name) for name in node.get_arraynames()}


@calcfunction
def merge_labels(**parts: orm.ArrayData) -> orm.ArrayData:
    """Put the labels of parts of a run, by names in their order, one after the other."""
    nodes = [node for _, node in sorted(parts.items())]
    arrays = [arrays_of_node(node) for node in nodes]
    chunks = [chunk for node in nodes for chunk in node.base.attributes.get("chunks", [])]
    merged = joined([Course.of_arrays(held) for held in arrays]).arrays()
    if not chunks:
        merged |= joined_labels([Labels.of_arrays(held) for held in arrays]).arrays()
    return arrays_node(merged, chunks)


@calcfunction
def tell_classification(
    clusters: orm.Dict, labels: orm.ArrayData, assigned: orm.Dict, parameters: orm.Dict
) -> orm.Dict:
    """Return the numbers of a run whose labels were merged, as ``seireact-classify`` tells those of a small one."""
    from aiida_seireact.calculations.classify import ClassifySettings

    settings = ClassifySettings.model_validate(parameters.get_dict())
    course = facts_of_course(
        Course.of_arrays(arrays_of_node(labels)),
        labels.base.attributes.get("chunks", []),
        centre=settings.spec.centre,
        metal=settings.metal,
        electrolyte=settings.electrolyte,
    )
    return orm.Dict({**clusters.get_dict(), **course, "null_expectation": assigned["null_expectation"]})


@calcfunction
def relabel_phases(phases: PhasesData, settings: orm.Dict, **references: FramesData) -> PhasesData:
    """Name the clusters of phases anew.

    :param settings: as of :func:`aiida_seireact.programs._classify_follow.changed`.
    :param references: frames of further known phases, by name.
    """
    return _renamed(phases, settings, references)[2]


@calcfunction
def relabel_run(
    phases: PhasesData,
    labels: orm.ArrayData,
    classification: orm.Dict,
    settings: orm.Dict,
    discovery: orm.Dict | None = None,
    **references: FramesData,
) -> dict[str, orm.Data]:
    """Name the clusters of phases anew, and let the labels of the run they were made of follow.

    :param discovery: what was found before; of it the regions stay in the classification, as ``regions_before``.
    """
    old, new, node = _renamed(phases, settings, references)
    after = followed(Labels.of_arrays(arrays_of_node(labels)), old, new)
    course = course_of(after)
    before = classification.get_dict()
    if discovery is not None:
        before["discovery"] = discovery.get_dict()
    told = renamed_outputs(before, new, course, [])
    return {
        "phases": node,
        "labels": arrays_node({**course.arrays(), **after.arrays()}, []),
        "classification": orm.Dict(told),
    }


def _renamed(
    phases: PhasesData, settings: orm.Dict, references: dict[str, FramesData]
) -> tuple[Classifier, Classifier, PhasesData]:
    old, spec = phases.classifier()
    described = {name: _described(frames, spec) for name, frames in references.items()}
    new = changed(old, settings.get_dict(), described)
    with tempfile.TemporaryDirectory() as folder:
        save_classifier(Path(folder) / files.PHASES, new, spec, phases.sensitivity())
        return old, new, PhasesData(Path(folder) / files.PHASES)


def _described(frames: FramesData, spec: DescriptorSpec) -> Described:
    parts = [describe(one.positions, one.numbers, one.cell.array, one.pbc, spec) for one in frames.iter_ase()]
    descriptors, atoms = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Described(descriptors, atoms)

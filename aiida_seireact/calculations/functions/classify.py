"""Parts of a classification become one inside the graph, and new names for an old one; each takes seconds at most."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.formats.environments import Course, Labels, joined, joined_labels
from aiida_seireact.programs._classify_result import facts_of_course

MAX_PARTS = 100
"""Parts that one merging takes: more are a tree of mergings (link creation is quadratic in the inputs)."""


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

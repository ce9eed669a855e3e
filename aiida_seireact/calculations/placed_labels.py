"""Bring the labels of a run to the folder of a job, from wherever their chunks lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from aiida import orm

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.placing import place_copy
from aiida_seireact.data.copies import copies_of
from aiida_seireact.formats import files
from aiida_seireact.formats.environments import Course
from aiida_seireact.formats.label_chunks import write_manifest


def place_labels(labels: orm.ArrayData, computer: orm.Computer, folder: Path, links: Links) -> str:
    """Bring labels of environments to the folder of a job; return the file that names or holds them.

    :raises ValueError: a chunk of the labels of a large run is gone, or on another computer.
    """
    arrays = {name: labels.get_array(name) for name in labels.get_arraynames()}
    if "labels" in arrays:
        np.savez(folder / files.LABELS, **arrays)
        return files.LABELS
    chunks = labels.base.attributes.get("chunks", [])
    for chunk in chunks:
        is_placed, elsewhere = place_copy(copies_of(_makers(labels), chunk["file"]), computer, chunk["file"], links)
        if not is_placed:
            where = "is gone" if elsewhere is None else f"lies on {elsewhere.node.computer.label}"
            raise ValueError(
                f"Chunk {chunk['file']} of the labels {labels.pk} {where}, this job runs on {computer.label}: "
                + ("classify the run again with caching off." if elsewhere is None else "run it there.")
            )
    write_manifest(folder / files.LABELS_MANIFEST, Course.of_arrays(arrays), chunks)
    return files.LABELS_MANIFEST


def _makers(node: orm.Data) -> list[orm.CalcJobNode]:
    """Return the jobs that a node comes from: its own, or those whose parts were put together."""
    if node.creator is None or isinstance(node.creator, orm.CalcJobNode):
        return [] if node.creator is None else [node.creator]
    parts = node.creator.base.links.get_incoming(node_class=orm.ArrayData).all()
    return [maker for part in parts for maker in _makers(part.node)]

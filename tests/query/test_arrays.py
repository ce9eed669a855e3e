"""Arrays of many nodes at once are those that numpy reads."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from aiida_seireact.query.arrays import _array, arrays_of, contents_of

from .graph import arrays, retrieved

ARRAYS = [
    np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.zeros((0, 3)), np.array(3.5),
    np.array(["Li", "Li6PS5Cl", ""]), np.array([(1, b"a")], dtype=[("row", "<i8"), ("id", "S4")]),
    np.array([True, False]),
]  # fmt: skip


@pytest.mark.parametrize("values", ARRAYS)
@pytest.mark.parametrize("version", [None, (2, 0)])
def test_an_array_is_read_as_numpy_reads_it(values: Any, version: Any) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=version)
    stream.seek(0)
    found = _array(stream)
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    assert np.array_equal(found, values)


def test_an_array_of_objects_is_refused() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    stream.seek(0)
    with pytest.raises(ValueError, match="array of objects"):
        _array(stream)


def test_arrays_and_files_of_many_nodes_are_told_apart(aiida_profile: Any) -> None:
    nodes = [arrays(a=[number], b=[0.5]).store() for number in range(3)]
    found = arrays_of([node.pk for node in nodes], ["a", "missing"])
    assert {pk: {name: one.tolist() for name, one in held.items()} for pk, held in found.items()} == {
        node.pk: {"a": [number]} for number, node in enumerate(nodes)
    }
    folder = retrieved({"x": 1}).store()
    assert contents_of([folder.pk, nodes[0].pk], "result.json") == {folder.pk: b'{"x": 1}'}

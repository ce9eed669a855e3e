"""Work of separation, rigid or relaxed, from labelled frames in the graph."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.programs._adhesion import adhesion_of, joined_and_slabs, three_of

VERSION = 1
"""Raise when the same input gives another output: the source of this module is part of the hash, that of `programs` is
not."""


@calcfunction
def cut_slabs(frames: FramesData, cuts: orm.Dict) -> FramesData:
    """Return a joined cell and the two slabs in it, frozen as they are, to be labelled.

    :param cuts: ``frame``, which of them; ``low`` and ``high``, heights of the cuts in fractions of the cell;
        ``vacuum_ang``.
    :raises ValueError: cuts out of order, or a slab without atoms.
    """
    given: dict[str, Any] = cuts.get_dict()
    row = given["frame"]
    return FramesData(joined_and_slabs(frames.frames, row, given["low"], given["high"], given["vacuum_ang"]))


@calcfunction
def work_of_adhesion(choice: orm.Dict, **shards: FramesData) -> orm.Dict:
    """Return the work of separation of three labelled frames: rigid, or relaxed if the slabs were.

    :param choice: ``rows``: for each shard by its link label which frame it is, null: all; ``n_interfaces``: 1, 2, or
        null: counted.
    :raises ValueError: they do not belong together, or were labelled with unlike settings.
    """
    rows: dict[str, int | None] = choice["rows"]
    frames = three_of([(shards[name].frames, rows[name]) for name in sorted(shards)])
    return orm.Dict(adhesion_of(frames, choice["n_interfaces"]))

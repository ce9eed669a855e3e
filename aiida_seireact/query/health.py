"""Health of a run frame by frame: close atoms, holes, voids."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aiida_seireact.query.analyses import analyses_in
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.interphase import IN_TIME
from aiida_seireact.query.sources import What

MEASURES = {
    "smallest_distance_ang": ("steps", "smallest distance", "Å"),
    "largest_hole_ang": ("steps", "largest hole", "Å"),
    "void_volume_ang3": ("void_steps", "voids", "Å³"),
}
"""Array of each measure: that of its steps, what it is called, its unit."""
HEALTH_COLUMNS = {**IN_TIME, "quantity": "str", "unit": "str", "value": "float"}


def health(what: What) -> pd.DataFrame:
    """Return a row for each measure of the health of each analysed frame of each run.

    ``quantity`` is ``smallest distance`` (of two atoms, Å), ``largest hole`` (the radius of the largest sphere without
    an atom, Å) or ``voids`` (their volume, Å³), as ``unit`` tells; a frame without the number has no row.

    :raises QueryError: not a process.
    """
    blocks = []
    for one in analyses_in(Graph(what), ("steps", "void_steps", *MEASURES)):
        for array, (steps, quantity, unit) in MEASURES.items():
            if array not in one.arrays:
                continue
            values = np.asarray(one.arrays[array], dtype=float)
            known = np.isfinite(values)
            if not known.any():
                continue
            at = np.asarray(one.arrays[steps], dtype=np.int64)[known]
            moments = {"step": at, "time_ps": one.times_ps(at)}
            blocks.append({**one.columns(), **moments, "quantity": quantity, "unit": unit, "value": values[known]})
    return table(HEALTH_COLUMNS, blocks)

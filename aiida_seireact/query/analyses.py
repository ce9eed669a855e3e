"""Where the results of classifications and analyses are, and which times they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_seireact.formats.environments import Labels, course_of
from aiida_seireact.query.arrays import arrays_of
from aiida_seireact.query.graph import Given, Graph, Made, without_parts
from aiida_seireact.query.trajectories import name_of_run

Array = NDArray[Any]

ANALYSE = "aiida.calculations:seireact.analyse"
LABELS = ("label_names", "steps", "counts", "cores", "slabs", "heights_ang")
"""Arrays of the course of labels in time, see `formats.environments.Course`."""
MERGE = "merge_labels"

SERIES = {"name": "str", "trajectory_uuid": "str", "n_atoms": "float"}
"""Columns of every table of something found of a run: which run, and its trajectory, which `runs` tells of."""


@dataclass(frozen=True)
class Found:
    """What was found of one run.

    :param arrays: those asked for that are there.
    :param numbers: attributes asked for of the output of numbers beside it.
    :param run: the trajectory, or the frames, that were looked at; None where nobody knows.
    """

    made: Made
    arrays: dict[str, Array]
    numbers: dict[str, Any]
    run: Given | None

    def columns(self) -> dict[str, Any]:
        """Return the source and what `SERIES` names."""
        return {
            **self.made.columns(),
            "name": name_of_run(self.made),
            "trajectory_uuid": None if self.run is None else self.run.uuid,
            "n_atoms": None if self.run is None else self.run.told["n_atoms"],
        }

    def times_ps(self, steps: Any) -> Array:
        """Return MD steps as times, NaN where the length of a step is not known."""
        timestep = None if self.run is None else self.run.told["timestep_fs"]
        return np.asarray(steps, dtype=float) * (np.nan if timestep is None else float(timestep)) / 1000


def analyses_in(graph: Graph, names: Sequence[str], numbers: Sequence[str] = ()) -> list[Found]:
    """Return what `seireact.analyse` has found of each run, those analyses that have any of the arrays.

    :param names: arrays to read.
    :param numbers: attributes of ``analysis`` to read.
    """
    made = graph.made(orm.ArrayData, by=(ANALYSE,), links=("analysis_arrays",))
    told = {}
    if numbers:
        told = {
            one.process.pk: one.told for one in graph.made(orm.Dict, by=(ANALYSE,), links=("analysis",), told=numbers)
        }
    found = with_runs(made, names, told)
    return [one for one in found if one.arrays.keys() - {"steps"}]


def classifications_in(graph: Graph) -> list[Found]:
    """Return the course of labels of each run that was classified, parts of a run joined; ``numbers`` has ``of``.

    The arrays are those of `formats.environments.Course`.
    """
    is_course = {"attributes": {"has_key": "array|label_names"}}
    made = graph.made(orm.ArrayData, links=("labels", "result"), filters=is_course)
    made = without_parts(made, (MERGE,), graph)
    classified = graph.made(orm.Dict, links=("classification",), told=("of",))
    told = {one.process.pk: one.told for one in classified}
    # The numbers of merged labels are told by another process, which was given the labels.
    by_labels = graph.given([one.process for one in classified], orm.ArrayData, "labels")
    of_labels = {given.pk: told[process] for process, rows in by_labels.items() for given in rows}
    numbers = {one.process.pk: told.get(one.process.pk, of_labels.get(one.pk, {})) for one in made}
    found = with_runs(made, LABELS, numbers)
    old = [one.made.pk for one in found if one.arrays.keys() < set(LABELS)]
    counted = {pk: course_of(Labels.of_arrays(arrays)).arrays() for pk, arrays in arrays_of(old).items()}
    return [replace(one, arrays=counted.get(one.made.pk, one.arrays)) for one in found]


def with_runs(made: Sequence[Made], names: Sequence[str] | None, told: dict[int, dict[str, Any]]) -> list[Found]:
    """Return nodes with their arrays, the numbers told by the same process, and the run that was looked at."""
    runs = _runs_of({one.process.pk for one in made})
    arrays = arrays_of((one.pk for one in made), names)
    return [Found(one, arrays[one.pk], told.get(one.process.pk, {}), runs.get(one.process.pk)) for one in made]


def _runs_of(processes: set[int]) -> dict[int, Given]:
    """Return by PK of a process the run it looked at: its input ``trajectory``, else that of who made its labels.

    Those that made labels count only if they are sealed and ended well, at however many joins from here.
    """
    found: dict[int, Given] = {}
    above: dict[int, list[int]] = {}
    asked, waiting = set(processes), set(processes)
    while waiting:
        mine = _trajectories_of(waiting)
        makers = _makers_of_labels(waiting - mine.keys())
        found.update(mine)
        above.update(makers)
        waiting = {maker for rows in makers.values() for maker in rows} - asked
        asked |= waiting
    # From the runs down again, join after join.
    while above:
        known = {
            process: run
            for process, makers in above.items()
            if (run := next((found[maker] for maker in makers if maker in found), None)) is not None
        }
        if not known:
            break
        found.update(known)
        above = {process: makers for process, makers in above.items() if process not in known}
    return found


def _trajectories_of(processes: set[int]) -> dict[int, Given]:
    query = orm.QueryBuilder().append(
        orm.ProcessNode, filters={"id": {"in": sorted(processes)}}, project="id", tag="it"
    )
    query.append(
        orm.Data,
        with_outgoing="it",
        edge_filters={"label": "trajectory"},
        project=["id", "uuid", *(f"attributes.{name}" for name in ("timestep_fs", "n_atoms", "n_frames"))],
    )
    # A shard of frames counts the atoms of all of them.
    return {
        it: Given(
            pk, uuid, "trajectory", {"timestep_fs": timestep, "n_atoms": n_atoms // n_frames if n_frames else n_atoms}
        )
        for it, pk, uuid, timestep, n_atoms, n_frames in query.all()
    }


def _makers_of_labels(processes: set[int]) -> dict[int, list[int]]:
    above: dict[int, list[int]] = {}
    if not processes:
        return above
    query = orm.QueryBuilder().append(
        orm.ProcessNode, filters={"id": {"in": sorted(processes)}}, project="id", tag="it"
    )
    query.append(
        orm.ArrayData,
        with_outgoing="it",
        edge_filters={"or": [{"label": "labels"}, {"label": {"like": "part\\_%"}}]},
        tag="labels",
    )
    query.append(
        orm.ProcessNode,
        with_outgoing="labels",
        edge_filters={"type": "create"},
        filters={"attributes.sealed": True, "attributes.exit_status": 0},
        project="id",
        tag="maker",
    )
    for process, maker in query.order_by({"maker": ["ctime", "uuid"]}).all():
        above.setdefault(process, []).append(maker)
    return above

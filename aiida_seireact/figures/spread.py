"""Mean and spread over runs that differ by their seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aiida_seireact.figures.facts import GROUP, MEMBER
from aiida_seireact.figures.figure import UUID_COLUMNS, FigureError

LOW, HIGH, SPREAD, N_RUNS = "mean_minus_sd", "mean_plus_sd", "sd", "n_runs"


def mean_over_seeds(
    table: pd.DataFrame, number: str, places: Sequence[str], *, name: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return one row for each group and place: the mean, its spread, how many runs; and what was left out.

    The spread is the standard deviation of runs about their mean (n − 1), NaN of one run. A run that is another's copy
    by content (a replay from the cache) counts once. Only places that all runs of a group have are kept, so that a
    curve doesn't jump where a run ends.

    :param table: of `facts.with_groups`, with ``content_hash``.
    :param number: column of the number.
    :param places: columns that tell which points belong together.
    :param name: of the figure, for messages.
    :raises FigureError: runs of a group share no place.
    """
    notes: list[str] = []
    once = _each_once(table, notes)
    keys = [GROUP, *places]
    uuids = [column for column in (*UUID_COLUMNS, "trajectory_uuid") if column in once]
    if once.duplicated([*keys, MEMBER]).any():
        raise FigureError(f"Figure {name} has several points of a run at one place, so there is no mean over seeds.")
    n_members = once.groupby(GROUP, sort=False)[MEMBER].nunique()
    grouped = once.groupby(keys, sort=False, dropna=False)
    found = grouped[number].agg(**{number: "mean", SPREAD: lambda values: values.std(ddof=1), N_RUNS: "size"})
    for column in uuids:
        found[column] = grouped[column].agg(lambda cells: " ".join(sorted(set(map(str, cells)))))
    found = found.reset_index()
    # pandas takes the mean of what is there; a number that one run lacks has no mean over all.
    lacking = grouped[number].agg(lambda values: values.isna().any()).to_numpy()
    found.loc[lacking, [number, SPREAD]] = np.nan
    shared = found[N_RUNS].to_numpy() == n_members.loc[found[GROUP]].to_numpy()
    if lost := int((~shared).sum()):
        notes.append(f"{lost} points that not all runs of their group have were left out.")
    for group in n_members.index:
        if not shared[(found[GROUP] == group).to_numpy()].any():
            raise FigureError(
                f"Figure {name}: the {n_members[group]} runs of “{group}” share no point, so there is no mean over "
                "seeds: analyse them at the same steps."
            )
    found = found[shared].reset_index(drop=True)
    found[LOW], found[HIGH] = found[number] - found[SPREAD], found[number] + found[SPREAD]
    told = ", ".join(f"{group}: {count}" for group, count in n_members.items())
    notes.append(f"Mean and standard deviation over runs of unlike seed ({told}).")
    return found, tuple(notes)


def _each_once(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if "content_hash" not in table:
        return table
    hashes = table["content_hash"].astype(object)
    hashes = hashes.where(hashes.notna() & (hashes != ""), table[MEMBER])
    first = table.assign(_hash=hashes).groupby("_hash", sort=False)[MEMBER].transform("first")
    if copies := table.loc[table[MEMBER] != first, MEMBER].nunique():
        notes.append(f"{copies} runs are copies of others by content, and count once.")
    return table[table[MEMBER] == first]

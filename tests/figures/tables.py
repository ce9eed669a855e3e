"""Tables as queries give them, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

SOURCE = ("run", "run_uuid", "stage", "part", "path", "name", "trajectory_uuid", "node_uuid", "process_uuid")


def uuid(kind: str, run: str) -> str:
    """Return a made-up UUID, another for each kind of node of each run."""
    return f"{kind}{run}".ljust(8, "0") + "-0000-4000-8000-000000000000"


def rows(run: str, *, part: str = "", label: str = "", **columns: Any) -> pd.DataFrame:
    """Return rows of one run, with the columns of every table."""
    frame = pd.DataFrame(columns)
    told = {
        "run": label or run,
        "run_uuid": uuid("r", run),
        "stage": "analyse",
        "part": part,
        "path": "analyse",
        "name": "analyse",
        "trajectory_uuid": uuid("t", run + part),
        "node_uuid": uuid("n", run + part),
        "process_uuid": uuid("p", run + part),
    }
    return frame.assign(**told)


def ps4(
    run: str, counts: Sequence[float], *, n_atoms: int = 100, every_ps: float = 1.0, **settings: Any
) -> pd.DataFrame:
    """Return a table as `query.ps4` gives it."""
    count = np.asarray(counts)
    return rows(
        run, **settings, n_atoms=n_atoms, step=np.arange(len(count)) * 500, time_ps=np.arange(len(count)) * every_ps,
        n_intact=count, n_p=int(count.max()), intact_fraction=count / count.max(),
    )  # fmt: skip


def phases(run: str, shares: dict[str, Sequence[float]], **settings: Any) -> pd.DataFrame:
    """Return a table as `query.phases` gives it."""
    return pd.concat(
        [
            rows(
                run, **settings, n_atoms=100, step=np.arange(len(share)) * 500, time_ps=np.arange(len(share)) * 1.0,
                of="Li environments", phase=name, fraction=np.asarray(share),
            )
            for name, share in shares.items()
        ],
        ignore_index=True,
    )  # fmt: skip


def facts(**runs: dict[str, Any]) -> pd.DataFrame:
    """Return what `facts.facts_of` tells of runs; what is not given is alike in all."""
    told = {
        uuid("t", run): {
            "n_atoms": 100, "temperature_k": 300.0, "pressure_gpa": 0.0, "coating": "bare", "model_hash": "m" * 64,
            "velocity_seed": 1.0, "content_hash": run, **given,
        }
        for run, given in runs.items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(told, orient="index")

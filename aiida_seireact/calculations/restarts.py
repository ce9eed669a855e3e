"""Bring a restart file to the folder of a job, from wherever a live copy lies."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.placing import place_copy
from aiida_seireact.data.restart import RestartData


def place_restart(restart: RestartData, computer: orm.Computer, name: str, links: Links) -> dict[str, Any]:
    """Put the file in place as ``name`` and return what the job must check: ``file``, ``sha256``, ``bytes``.

    One that was retrieved is copied from the repository, one that stayed on the computer of this job is linked.

    :raises NotExistent: no copy is left.
    :raises ValueError: the only copy is on another computer.
    """
    is_placed, elsewhere = place_copy(restart.live_copies(), computer, name, links)
    if not is_placed:
        elsewhere = elsewhere or restart.live_copy()  # which says that there is none
        raise ValueError(
            f"The restart file of step {restart.step} lies on {elsewhere.node.computer.label}, this job runs on "
            f"{computer.label}: run it there, or retrieve restart files (`retrieve_restart`)."
        )
    return {"file": name, "sha256": restart.sha256, "bytes": restart.base.attributes.get("bytes")}

"""Bring a restart file to the folder of a job, from wherever a live copy lies."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact.calculations.base import Links
from aiida_seireact.data.restart import RestartData


def place_restart(restart: RestartData, computer: orm.Computer, name: str, links: Links) -> dict[str, Any]:
    """Put the file in place as ``name`` and return what the job must check: ``file``, ``sha256``, ``bytes``.

    One that was retrieved is copied from the repository, one that stayed on the computer of this job is linked.

    :raises NotExistent: no copy is left.
    :raises ValueError: the only copy is on another computer.
    """
    elsewhere = None
    for copy in restart.live_copies():
        if copy.is_retrieved:
            links.local_copy.append((copy.node.uuid, copy.file, name))
        elif copy.node.computer.uuid == computer.uuid:
            links.remote_symlink.append((computer.uuid, copy.path, name))
        else:
            elsewhere = elsewhere or copy
            continue
        break
    else:
        found = elsewhere or restart.live_copy()  # which raises
        raise ValueError(
            f"The restart file of step {restart.step} lies on {found.node.computer.label}, this job runs on "
            f"{computer.label}: run it there, or retrieve restart files (`retrieve_restart`)."
        )
    return {"file": name, "sha256": restart.sha256, "bytes": restart.base.attributes.get("bytes")}

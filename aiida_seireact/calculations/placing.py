"""Bring a file that an earlier job has left to the folder of a job, from the best place that can be reached."""

from __future__ import annotations

from collections.abc import Iterable

from aiida import orm

from aiida_seireact.calculations.base import Links
from aiida_seireact.data.copies import LiveCopy


def place_copy(
    copies: Iterable[LiveCopy], computer: orm.Computer, name: str, links: Links
) -> tuple[bool, LiveCopy | None]:
    """Put the first copy that can be reached in place as ``name``: copied from the repository, or linked.

    :param computer: of the job.
    :returns: whether there was one; and if not, the first copy on another computer, None if there is none at all.
    """
    elsewhere = None
    for copy in copies:
        if copy.is_retrieved:
            links.local_copy.append((copy.node.uuid, copy.file, name))
            return True, None
        if copy.node.computer.uuid == computer.uuid:
            links.remote_symlink.append((computer.uuid, copy.path, name))
            return True, None
        elsewhere = elsewhere or copy
    return False, elsewhere

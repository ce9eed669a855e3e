"""Where a file lies that a job has left: in the repository, stashed, or still in the job's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from aiida import orm


@dataclass(frozen=True)
class LiveCopy:
    """A place where a file lies."""

    node: orm.FolderData | orm.RemoteData | orm.RemoteStashFolderData
    file: str

    @property
    def is_retrieved(self) -> bool:
        """Whether it is in the AiiDA repository, and so never purged."""
        return isinstance(self.node, orm.FolderData)

    @property
    def path(self) -> str:
        """Its path on the computer, for a copy that was not retrieved."""
        if isinstance(self.node, orm.RemoteStashFolderData):
            return str(PurePosixPath(self.node.target_basepath) / self.file)
        return str(PurePosixPath(self.node.get_remote_path()) / self.file)


def copies_of(jobs: Iterable[orm.ProcessNode], file: str) -> Iterator[LiveCopy]:
    """Yield the places that held a file of jobs with equal output, the surest first: repository, stash, folder.

    :param jobs: of which one may have run, and the others come from the cache.
    """
    outputs = [job.outputs for job in jobs]
    for folder in [found.retrieved for found in outputs if "retrieved" in found]:
        if file in folder.base.repository.list_object_names():
            yield LiveCopy(folder, file)
    for stash in [found.remote_stash for found in outputs if "remote_stash" in found]:
        patterns = stash.source_list if isinstance(stash, orm.RemoteStashFolderData) else ()
        if any(fnmatch(file, pattern) for pattern in patterns):
            yield LiveCopy(stash, file)
    for remote in [found.remote_folder for found in outputs if "remote_folder" in found]:
        if file in _names_in(remote):
            yield LiveCopy(remote, file)


def _names_in(remote: orm.RemoteData) -> list[str]:
    """Return what is left in a folder: scratch is purged file by file, by age."""
    try:
        return list(remote.listdir())
    except OSError:
        return []

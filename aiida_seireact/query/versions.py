"""Versions of AiiDA, of this plugin, and of what its programs ran with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from aiida import orm

from aiida_seireact.formats import files
from aiida_seireact.query.arrays import contents_of
from aiida_seireact.query.tree import Process


def versions_of(processes: Iterable[Process]) -> dict[str, Any]:
    """Return the versions of AiiDA and this plugin, and those each program reported in the results of its jobs.

    A package with unlike versions in two jobs of one program is told with both.
    """
    every = list(processes)
    engine: dict[str, set[str]] = {}
    programs: dict[str, dict[str, set[str]]] = {}
    for told in _attributes([process.pk for process in every], "version").values():
        for package, version in (told or {}).items():
            name = {"core": "aiida-core", "plugin": "aiida-seireact"}.get(package, package)
            engine.setdefault(name, set()).add(version)
    results = results_of(every)
    for process in every:
        if result := results.get(process.pk):
            packages = programs.setdefault(str(result.get("program", process.member.name)), {})
            for package, version in result.get("versions", {}).items():
                packages.setdefault(package, set()).add(str(version))
    versions: dict[str, Any] = {name: ", ".join(sorted(found)) for name, found in sorted(engine.items())}
    for program, packages in sorted(programs.items()):
        versions[program] = {package: ", ".join(sorted(found)) for package, found in sorted(packages.items())}
    return versions


def results_of(processes: Iterable[Process]) -> dict[int, dict[str, Any] | None]:
    """Return by PK of a job its retrieved result file, of those that left one; None where it is torn."""
    return results_of_jobs([process.pk for process in processes if process.member.is_job])


def results_of_jobs(jobs: Sequence[int]) -> dict[int, dict[str, Any] | None]:
    """Return by PK of a job its retrieved result file, of those that left one; None where it is torn.

    :param jobs: PKs of jobs.
    """
    if not jobs:
        return {}
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": [*jobs]}}, project="id", tag="job")
    query.append(
        orm.FolderData,
        with_incoming="job",
        edge_filters={"type": "create", "label": "retrieved"},
        project="id",
    )
    job_of = {folder: job for job, folder in query.all()}
    return {job_of[folder]: _whole(content) for folder, content in contents_of(job_of, files.RESULT).items()}


def _whole(content: bytes) -> dict[str, Any] | None:
    """Return the content of a result file, None if it is no mapping to its end: a disk was full, a job was killed."""
    try:
        result = json.loads(content)
    except ValueError:
        return None
    return result if isinstance(result, dict) else None


def _attributes(pks: list[int], name: str) -> dict[int, Any]:
    if not pks:
        return {}
    query = orm.QueryBuilder().append(
        orm.ProcessNode, filters={"id": {"in": pks}}, project=["id", f"attributes.{name}"]
    )
    return dict(query.all())

"""An archive comes into a profile with what its numbers need; AiiDA's own import leaves one thing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.manage import get_manager
from aiida.orm.entities import EntityTypes
from aiida.orm.nodes.caching import NodeCaching
from aiida.tools.archive import import_archive
from aiida.tools.archive.abstract import get_format

MARK = NodeCaching.CACHED_FROM_KEY
BATCH = 1000


def import_whole(archive: Path) -> int:
    """Import an archive into the loaded profile; return how many of its nodes came from the cache.

    AiiDA's import (2.9) takes away from new nodes the mark that they came from the cache. A job that did took no time
    on any machine: without the mark its hours would be counted a second time. The archive holds the marks; they are
    put back, and the times of the nodes kept.
    """
    import_archive(archive, create_group=False)
    with get_format().open(archive, "r") as reader:
        query = reader.querybuilder()
        query.append(orm.Node, filters={"extras": {"has_key": MARK}}, project=["uuid", f"extras.{MARK}"])
        marks: dict[str, str] = dict(query.all())
    storage = get_manager().get_profile_storage()
    uuids = sorted(marks)
    for start in range(0, len(uuids), BATCH):
        here = orm.QueryBuilder().append(
            orm.Node, filters={"uuid": {"in": uuids[start : start + BATCH]}}, project=["id", "uuid", "extras", "mtime"]
        )
        rows: list[dict[str, Any]] = [
            {"id": pk, "extras": {**extras, MARK: marks[uuid]}, "mtime": mtime}
            for pk, uuid, extras, mtime in here.all()
        ]
        storage.bulk_update(EntityTypes.NODE, rows)
    return len(marks)


def pks_of(archive: Path) -> dict[int, int]:
    """Return by the PK of each node of an archive, where it was written, its PK in the loaded profile.

    Nodes that were not imported are left out.
    """
    here: dict[str, int] = dict(orm.QueryBuilder().append(orm.Node, project=["uuid", "id"]).iterall())
    with get_format().open(archive, "r") as reader:
        there = reader.querybuilder().append(orm.Node, project=["id", "uuid"]).iterall()
        return {pk: here[uuid] for pk, uuid in there if uuid in here}

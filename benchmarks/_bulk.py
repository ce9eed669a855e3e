"""Nodes stored in bulk: rows of the database and objects of the repository, thousands a second."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Files = dict[str, bytes]


class Bulk:
    """Collects nodes and links, numbered as they come, and stores them all at once."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._links: list[tuple[int, int, str, str]] = []
        self._files: list[Files] = []

    def add(
        self,
        kind: Any,
        attributes: Mapping[str, Any],
        files: Files | None = None,
        *,
        process_type: str | None = None,
        label: str = "",
        computer: int | None = None,
    ) -> int:
        """Take a node of a class by its attributes and the files at its top; return its number."""
        from aiida import orm

        when = BEGIN + timedelta(seconds=len(self._rows))
        self._rows.append(
            {
                "uuid": str(uuid4()),
                "node_type": kind.class_node_type,
                "process_type": process_type,
                "label": label,
                "description": "",
                "ctime": when,
                "mtime": when + timedelta(seconds=60),
                "attributes": dict(attributes),
                "extras": {},
                "repository_metadata": {},
                "dbcomputer_id": computer,
                "user_id": orm.User.collection.get_default().pk,
            }
        )
        self._files.append(files or {})
        return len(self._rows) - 1

    def link(self, source: int, target: int, kind: str, label: str) -> None:
        """Link two nodes by their numbers."""
        self._links.append((source, target, kind, label))

    def store(self, *, packed: bool = True) -> tuple[list[int], int]:
        """Store all; return the PK of each number, and the bytes of all files.

        :param packed: put the files into packs, as ``verdi storage maintain`` does; no: each is a file of its own.
        """
        from aiida import orm
        from aiida.manage import get_manager
        from aiida.orm.entities import EntityTypes

        backend = get_manager().get_profile_storage()
        content = list(dict.fromkeys(one for files in self._files for one in files.values()))
        repository = backend.get_repository()
        if packed:
            with repository._container as container:
                keys = dict(zip(content, container.add_objects_to_pack(content), strict=True))
        else:
            keys = {one: repository.put_object_from_filelike(io.BytesIO(one)) for one in content}
        for row, files in zip(self._rows, self._files, strict=True):
            if files:
                row["repository_metadata"] = {"o": {name: {"k": keys[one]} for name, one in files.items()}}
        backend.bulk_insert(EntityTypes.NODE, self._rows, allow_defaults=True)
        # Rows need not come back in their order.
        pk_of = dict(orm.QueryBuilder().append(orm.Node, project=["uuid", "id"]).all())
        pks = [pk_of[row["uuid"]] for row in self._rows]
        links = [
            {"input_id": pks[source], "output_id": pks[target], "type": kind, "label": label}
            for source, target, kind, label in self._links
        ]
        backend.bulk_insert(EntityTypes.LINK, links, allow_defaults=True)
        return pks, sum(map(len, content))


def array_node(arrays: Mapping[str, Any], **attributes: Any) -> tuple[dict[str, Any], Files]:
    """Return attributes and files of an ArrayData."""
    shapes: dict[str, Any] = {}
    files = {}
    for name, values in arrays.items():
        held = np.asarray(values)
        shapes[f"array|{name}"] = list(held.shape)
        stream = io.BytesIO()
        np.save(stream, held, allow_pickle=False)
        files[f"{name}.npy"] = stream.getvalue()
    return {**shapes, **attributes}, files

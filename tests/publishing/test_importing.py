"""Nodes of an archive by the PK they had where it was written."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact.publishing.importing import import_whole, pks_of

from .fixtures import Published


def test_each_node_has_its_pk_there_and_its_pk_here(published: Published, aiida_profile_clean: Any) -> None:
    archive = published.folder / "archive.aiida"
    # So that PKs differ from those of the writer.
    orm.Int(1).store()
    assert pks_of(archive) == {}
    import_whole(archive)
    pks = pks_of(archive)
    assert len(pks) == len(set(pks.values())) == orm.QueryBuilder().append(orm.Node).count() - 1
    assert orm.load_node(pks[published.pk]).uuid == published.top_uuid

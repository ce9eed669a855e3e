from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common import LinkType


@pytest.fixture
def finished_job(aiida_localhost: orm.Computer) -> Callable[..., orm.CalcJobNode]:
    """Return a factory of calculation nodes whose job has ended and left these files."""

    def make(
        entry_point: str,
        files: dict[str, str],
        inputs: dict[str, orm.Data] | None = None,
        exit_status: int | None = None,
    ) -> orm.CalcJobNode:
        node = orm.CalcJobNode(computer=aiida_localhost, process_type=f"aiida.calculations:{entry_point}")
        node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
        node.set_option("scheduler_stderr", "_scheduler-stderr.txt")
        for name, value in (inputs or {}).items():
            node.base.links.add_incoming(value.store(), LinkType.INPUT_CALC, name)
        if exit_status is not None:
            node.set_exit_status(exit_status)
            node.set_exit_message("the scheduler's words")
        node.store()
        retrieved = orm.FolderData()
        for name, text in files.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(text.encode()), name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        return node

    return make


def result(**changes: Any) -> str:
    """Return the text of a result file."""
    return json.dumps({"status": "ok", "error": None, "outputs": {}, **changes})

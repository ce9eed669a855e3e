"""How the output of one of our programs becomes nodes: the part all parsers share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_seireact.formats import files

EXIT_CODES = {
    "invalid_input": "ERROR_INVALID_INPUT",
    "missing_package": "ERROR_MISSING_PACKAGE",
    "failed": "ERROR_PROGRAM_FAILED",
    "disk_full": "ERROR_DISK_FULL",
    # Of trainings only.
    "diverged": "ERROR_DIVERGED",
    "out_of_memory": "ERROR_OUT_OF_MEMORY",
    "checkpoint_lost": "ERROR_CHECKPOINT_LOST",
    # Of legs of learning only.
    "too_little_memory": "ERROR_TOO_LITTLE_MEMORY",
}


def arrays_of(path: Path) -> orm.ArrayData:
    """Return the arrays of an ``.npz`` under their names.

    :raises OSError, ValueError: missing or torn file.
    """
    node = orm.ArrayData()
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            node.set_array(name, file[name])
    return node


class ProgramParser(Parser):
    """Reads ``result.json``; tells apart killed, refused and failed; leaves the nodes to :meth:`make_outputs`."""

    CACHE_VERSION = 1

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        """Attach output nodes.

        :param result: the ``outputs`` of the program's result file.
        :param folder: the temporarily retrieved bulk files.
        :raises ValueError, OSError, KeyError: output that is not whole.
        """
        raise NotImplementedError

    def rescue(self, folder: Path) -> None:
        """Attach what a program that did not end well has left for the next one; nothing by default.

        :param folder: the temporarily retrieved bulk files.
        """

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        folder = Path(retrieved_temporary_folder or ".")
        code = self._outcome(folder)
        if code is not None and code.status:
            self.rescue(folder)
        return code

    def _outcome(self, folder: Path) -> ExitCode | None:
        # 0 is no verdict: a worker killed while it stored the outputs leaves it, and the job is parsed again.
        if self.node.exit_status:
            # The scheduler has spoken (out of time, out of memory); it knows better than half an output.
            return ExitCode(self.node.exit_status, self.node.exit_message)
        try:
            result = json.loads(self.retrieved.base.repository.get_object_content(files.RESULT))
        except (FileNotFoundError, json.JSONDecodeError):
            return self.exit_codes.ERROR_NO_RESULT.format(message=f"Its last words: {self.last_words()}")
        if result["status"] != "ok":
            error = result["error"]
            self.logger.warning(error["message"])
            return getattr(self.exit_codes, EXIT_CODES[error["kind"]]).format(message=error["message"])
        try:
            return self.make_outputs(result["outputs"], folder)
        except (ValueError, OSError, KeyError, BadZipFile) as error:
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(message=f"{type(error).__name__}: {error}")

    def last_words(self) -> str:
        """Return the last line the job wrote to its standard error."""
        name = self.node.get_option("scheduler_stderr")
        if name not in self.retrieved.base.repository.list_object_names():
            return "none."
        lines = self.retrieved.base.repository.get_object_content(name).strip().splitlines()
        return lines[-1] if lines else "none."

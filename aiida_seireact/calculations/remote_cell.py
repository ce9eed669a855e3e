"""A cell that `seireact.build` has left on a computer, as an input of another job there: linked, never copied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links


def define_cell(spec: CalcJobProcessSpec) -> None:
    """Define the optional ports ``cell.folder`` and ``cell.report``."""
    spec.input_namespace("cell", required=False, help="A large cell of `seireact.build`, in place of a node.")
    spec.input(
        "cell.folder",
        valid_type=(orm.RemoteData, orm.RemoteStashFolderData),
        required=False,
        help="`remote_folder` or `remote_stash` of the build, on the computer of this job.",
    )
    spec.input(
        "cell.report",
        valid_type=orm.Dict,
        required=False,
        help="`report` of the build: the sha256 that the file must have, and its species.",
    )


def validate_cell(cell: Mapping[str, Any], computer: orm.Computer | None, output: str) -> str | None:
    """Refuse half a cell, one without the file that is needed, and one on another computer.

    :param computer: of the job.
    :param output: which of its files is needed, a key of `cell_files.FORMATS`.
    """
    missing = [name for name in ("folder", "report") if name not in cell]
    if missing:
        return f"cell.{missing[0]} is missing: a cell is the remote folder of a `seireact.build` and its `report`."
    written = cell["report"].get_dict().get("files")
    if not isinstance(written, dict) or "species" not in cell["report"].get_dict():
        return "cell.report is not the report of a `seireact.build`: it names no files."
    if output not in written:
        return f"The cell was built without its {output} file: build it with `outputs` that name {output}."
    lies_on = cell["folder"].computer
    if computer is not None and lies_on.uuid != computer.uuid:
        return (
            f"The cell lies on {lies_on.label}, the job runs on {computer.label}: run it there, or build the cell on "
            f"{computer.label}: the same recipe gives the same bytes."
        )
    return None


def place_cell(cell: Mapping[str, Any], computer: orm.Computer, output: str, name: str, links: Links) -> dict[str, Any]:
    """Link a file of the cell as ``name`` and return what the job must check: ``file``, ``sha256``, ``bytes``."""
    told, folder = cell["report"]["files"][output], cell["folder"]
    root = folder.target_basepath if isinstance(folder, orm.RemoteStashFolderData) else folder.get_remote_path()
    links.remote_symlink.append((computer.uuid, str(PurePosixPath(root) / told["file"]), name))
    return {**told, "file": name}

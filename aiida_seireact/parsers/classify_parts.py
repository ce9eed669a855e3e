"""Output of the parts of a large classification as nodes, and what the parsers of all parts share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.base import ProgramParser, arrays_of


def labels_of(path: Path, chunks: list[dict[str, Any]]) -> orm.ArrayData:
    """Return labels as a node that names the chunks of a large run."""
    node = arrays_of(path)
    node.base.attributes.set("chunks", chunks)
    return node


def attach_discovery(parser: ProgramParser, result: dict[str, Any], folder: Path) -> None:
    """Attach what was found of unknown clusters and known phases, if it was looked for."""
    discovery = result.pop("discovery", None)
    if discovery is None:
        return
    discovery.pop("files", None)
    parser.out("discovery", orm.Dict(discovery))
    parser.out("discovery_arrays", arrays_of(folder / files.DISCOVERY))
    if (folder / files.EXAMPLES).exists():
        parser.out("examples", FramesData(Frames.load(folder / files.EXAMPLES)))


class DrawParser(ProgramParser):
    """Output ``drawn``: the landmarks of a share, or of several."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        self.out("drawn", orm.SinglefileData(folder / files.DRAWN, filename=files.DRAWN))
        return None


class ClusterParser(ProgramParser):
    """Outputs ``phases`` (the classifier), ``landmark_places`` and ``clusters`` (numbers)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        self.out("phases", PhasesData(folder / files.PHASES))
        if "landmark_places" in result.pop("files"):
            places = orm.SinglefileData(folder / files.LANDMARK_PLACES, filename=files.LANDMARK_PLACES)
            self.out("landmark_places", places)
        self.out("clusters", orm.Dict(result))
        return None


class AssignParser(ProgramParser):
    """Outputs ``labels`` of a share and ``assigned`` (numbers)."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        result.pop("files")
        self.out("labels", labels_of(folder / files.LABELS, result.pop("chunks")))
        self.out("assigned", orm.Dict(result))
        return None


class DiscoverParser(ProgramParser):
    """Outputs ``discovery``, ``discovery_arrays`` and ``examples``."""

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        attach_discovery(self, result, folder)
        return None

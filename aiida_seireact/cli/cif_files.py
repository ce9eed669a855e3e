"""CIFs on the command line: each is a phase under the name of its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def texts_of(paths: Sequence[Path], *, in_graph: bool) -> dict[str, str]:
    """Return the text of each CIF by the name of its phase.

    :param in_graph: the names become links of the graph, which not every name can be.
    :raises ValueError: two files of one name, of which one would replace the other; or no name of a link.
    """
    from aiida_seireact.calculations.validation import link_name_complaint

    found: dict[str, str] = {}
    for path in paths:
        name = path.stem
        if name in found:
            raise ValueError(f"--cif {path}: there is a phase {name} already, and its file names a phase: rename one.")
        if in_graph and (message := link_name_complaint(name, "a phase in the graph")):
            raise ValueError(f"--cif {path}: {message} Rename the file.")
        found[name] = path.read_text(encoding="utf-8", errors="replace")
    return found

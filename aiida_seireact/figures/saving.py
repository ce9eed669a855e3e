"""A picture becomes a file in one way: whole or not at all, and the same picture the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from aiida_seireact.formats.atomic import write_atomically

UNDATED: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def save_picture(figure: Figure, path: Path, *, dpi: int = 200, as_paths: bool = False, **options: Any) -> Path:
    """Write a figure as the end of the name says, without a date and with ids from a fixed salt; return the path.

    :param dpi: of what is no vector.
    :param as_paths: letters of an SVG as shapes, which look alike everywhere; else as text, which can be searched.
    :param options: further ones of matplotlib's ``savefig``.
    :raises OSError: the folder is not writable.
    """
    suffix = path.suffix.lower()
    looks: dict[Any, Any] = {"svg.hashsalt": "seireact", "svg.fonttype": "path" if as_paths else "none"}
    with matplotlib.rc_context(looks), write_atomically(path) as temporary:
        figure.savefig(
            temporary, format=suffix[1:], dpi=dpi, facecolor="white", metadata=UNDATED.get(suffix), **options
        )
    return path

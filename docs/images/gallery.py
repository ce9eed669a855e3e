"""Draw the pictures of docs/gallery.md from a finished study, as that of `make demo`.

``source demo/env.sh; python docs/images/gallery.py PK`` draws each figure that the study has numbers for, and removes
pictures of figures that it has none for. SVG where that is small, else PNG: a scatter of thousands of points is not.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
MOST_BYTES = 80_000


def draw(process: int, folder: Path = FOLDER) -> dict[str, str]:
    """Draw what can be drawn; return for each figure what became of it."""
    from aiida_seireact.figures.figure import FigureError
    from aiida_seireact.figures.gallery import FIGURES, make
    from aiida_seireact.figures.on_paper import to_matplotlib
    from aiida_seireact.figures.saving import save_picture

    told = {}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in FIGURES:
        try:
            figure = make(name, process)
        except FigureError as error:
            told[name] = str(error)
            continue
        picture = save_picture(to_matplotlib(figure), folder / f"{name}.svg")
        if picture.stat().st_size > MOST_BYTES:
            picture.unlink()
            picture = save_picture(to_matplotlib(figure), folder / f"{name}.png", dpi=110)
        told[name] = f"{picture.name}, {picture.stat().st_size:,} bytes"
    return told


if __name__ == "__main__":
    from aiida import load_profile

    load_profile()
    for figure_name, what in draw(int(sys.argv[1])).items():
        print(f"{figure_name}: {what}")

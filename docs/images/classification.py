"""Draw ``classification_z.svg`` and ``classification_time.svg``: the run of *Classify a trajectory*, by its labels.

Run ``python docs/images/classification.py FOLDER``, the folder that the how-to's first command writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

from aiida_seireact.cli.classify_report import fractions_picture, profile_picture
from aiida_seireact.formats.environments import Course

HERE = Path(__file__).parent


def draw(classified: Path, target: Path) -> None:
    """Write both pictures to the folder ``target`` as SVG whose text stays text."""
    course = Course.read(classified / "labels.npz")
    pictures = {
        "classification_z": profile_picture(course),
        "classification_time": fractions_picture(course, "Li environments of the whole cell", None),
    }
    for name, figure in pictures.items():
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seireact"}):
            figure.savefig(target / f"{name}.svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]), HERE)

"""Draw ``training_coverage.svg``: what the plan of *Draw a first training set* covers, all of its frames labelled.

Run ``python docs/images/training_coverage.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import matplotlib
import yaml

from aiida_seireact.cli.render.figures_coverage import coverage_picture
from aiida_seireact.cli.sample_report import rows_of
from aiida_seireact.formats.jobs.sample import SampleJob
from aiida_seireact.programs.sample import run

HERE = Path(__file__).parent
PAGE = HERE.parent / "howto" / "first_training_set.md"


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    plan = {**yaml.safe_load(text), "budget": None}
    with tempfile.TemporaryDirectory() as name:
        told = run(SampleJob.model_validate({"plan": plan}), Path(name), lambda line: None)
        rows = rows_of(Path(name) / told["files"]["selection"])
    figure = coverage_picture(told["coverage"], places=rows["map"], classes=rows["frame_class"].tolist())
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seireact"}):
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "training_coverage.svg")

"""Draw ``interface.svg``: the coated cell of *Build an interface*, by the command of the page.

Run ``python docs/images/interface.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from aiida_seireact.cli.build_interface import interface

HERE = Path(__file__).parent
CELL = ("Li6PS5Cl", "Li", "--layers-a", "4", "--layers-b", "10", "--coating", "LiCl")


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    result = CliRunner().invoke(interface, [*CELL, "--picture", str(path)], catch_exceptions=False)
    if result.exit_code:
        raise SystemExit(result.output)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "interface.svg")

"""Draw ``follow_up.svg``: the follow-up of Li2S0.75P0.125Cl0.125 by CHGNet, from the result beside the how-to.

Run ``python docs/images/follow_up.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aiida_seireact.cli.followup import draw as drawn

HERE = Path(__file__).parent
RESULT = HERE.parent / "howto" / "follow_up.json"


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    drawn(json.loads(RESULT.read_text(encoding="utf-8")), path)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "follow_up.svg")

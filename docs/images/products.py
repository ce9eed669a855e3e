"""Draw ``products.svg``: what forms between Li and Li6PS5Cl, from the energies beside *What will form?*.

Run ``python docs/images/products.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from aiida_seireact.cli.products import products

HERE = Path(__file__).parent
ENTRIES = HERE.parent / "howto" / "li-p-s-cl.json"


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    result = CliRunner().invoke(products, ["Li", "Li6PS5Cl", "--entries", str(ENTRIES), "--plot", str(path)])
    if result.exit_code:
        raise SystemExit(result.output)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "products.svg")

"""Draw ``dataset.svg``: the picture `classes` of ``aiida-seireact dataset plot``, of the first training set of `fast`.

Run ``python docs/images/dataset.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import matplotlib

from aiida_seireact.cli.render.figures_dataset import stacked_counts
from aiida_seireact.science.sampling import CONFIG_TYPES
from aiida_seireact.science.selection import SPLITS, split_by_group
from aiida_seireact.workchains.react import ReactWorkChain

HERE = Path(__file__).parent


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    inputs = ReactWorkChain.get_protocol_inputs("fast")
    kinds = [CONFIG_TYPES[name] for name in CONFIG_TYPES for _ in range(inputs["sampling"][name]["count"])]
    # Each frame is a draw of its own, hence a group of its own.
    groups = [f"{kind}-{number}" for number, kind in enumerate(kinds)]
    dataset = inputs["dataset"]
    split = split_by_group(groups, kinds, groups, fractions=tuple(dataset["fractions"]), seed=dataset["seed"])
    found = Counter(zip(kinds, split.tolist(), strict=True))
    counts = {kind: {part: found[kind, part] for part in SPLITS} for kind in CONFIG_TYPES.values()}
    figure = stacked_counts(counts, notes=[f"{sum(row.values())} groups" for row in counts.values()])
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seireact"}):
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dataset.svg")

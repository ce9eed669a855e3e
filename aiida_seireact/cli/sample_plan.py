"""Plans of a first training set as YAML: read, changed by options, and written with comments to start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import ValidationError

from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.sample import SamplePlan, default_plan

COMMENTS = {
    "bulk": "near its equilibrium: a little of everything",
    "strain": "compressed, expanded and sheared, atoms on their places",
    "rattle": "at its volume, atoms displaced by amplitudes in turn (amplitudes_ang: [0.02, 0.05, 0.1, 0.2])",
    "vacancy": "atoms taken out at random (species: Li, number: [1, 2]); kind interstitial puts some in",
    "surface": "slabs, every termination in turn (miller, slab_ang, vacuum_ang; unbroken: {P-S: 2.3} keeps bonds)",
    "amorphous": "packed at random at a part of its density (density_ratio, n_atoms, min_distance_ang: {Li-S: 2.2})",
    "interface": "a cell that you give: --cells FILE, a frame whose config type is this name",
    "boundary": "a cell that you give, with a grain boundary",
    "dimer": "every pair from 0.6 Å to 6 Å; left out, and said, where the labeller has no isolated atoms",
    "isolated_atom": "each element alone; written to a file of its own, since it is labelled apart",
}
HEAD = """\
# A plan of a first training set: aiida-seireact sample THIS.yaml --out pool.extxyz --report coverage.html
# The same plan and cells give the same frames. A changed entry changes no other: each has a seed made of its name.
seed: 1
# Frames that may be labelled; each config type gets its share, and in it those most unlike each other are taken.
budget: {budget}
# Weight of a class in the budget; 1 where it is not named.
shares: {{amorphous: 1.0}}
classes:
"""
TAIL = """\
  # A composition that is no phase needs its density:
  # - {kind: amorphous, composition: Li3PS4, density_g_per_cm3: [1.6, 1.9], count: 8}
  # Melted and quenched by MD of a cheap engine (with --store or --submit):
  # - {kind: melt_quench, of: Li2S, count: 2, temperatures_k: [2000, 1000, 300], steps: 500, every: 100}
"""


def commented_plan(cells: Sequence[str]) -> str:
    """Return the default plan of phases and cells by name as YAML with comments."""
    plan = default_plan(cells)
    lines = []
    for entry in plan["classes"]:
        lines.append(f"  # {COMMENTS[entry['kind']]}")
        lines.append("  - {" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}")
    total = sum(entry.get("count", 0) for entry in plan["classes"])
    return HEAD.format(budget=max(20, 10 * round(0.6 * total / 10))) + "\n".join(lines) + "\n" + TAIL


def read_plan(path: Path, *, seed: int | None = None, budget: int | None = None) -> dict[str, Any]:
    """Return a plan of a YAML file, with other values of the options where they are given.

    :raises click.ClickException: no YAML, or a plan that can't be drawn; all complaints in one sentence.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise click.ClickException(
            f"{path} holds no plan: `aiida-seireact sample --write-plan Li Li2S` prints one to start from."
        )
    content |= {name: value for name, value in (("seed", seed), ("budget", budget)) if value is not None}
    try:
        SamplePlan.model_validate(content)
    except ValidationError as error:
        raise click.ClickException(f"{path}: {readable(error)}.") from None
    return content

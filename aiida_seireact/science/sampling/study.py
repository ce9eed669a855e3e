"""The first training set of Li | Li6PS5Cl | Li: rattled, strained and expanded frames of reactants and products.

Reactants alone give potentials that lose crystalline Li or miss Li3P by 331 meV/atom (arXiv:2506.10944), so
the products, expanded Li and Li surfaces are in from the start: without them the first model evaporates the
metal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from ase import Atoms

from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.sampling.draws import Draw, distorted
from aiida_seireact.science.structures import argyrodite, crystal, li_slab, training_cell

MIN_DISTANCE_ANG = 0.5

CONFIG_TYPES: Mapping[str, str] = {
    "li": "Li",
    "li_expanded": "Li-expanded",
    "li_slab": "Li-slab",
    "li6ps5cl": "Li6PS5Cl",
    "interface": "interface",
    "interface_expanded": "interface-expanded",
    "li2s": "Li2S",
    "li3p": "Li3P",
    "licl": "LiCl",
}
"""Field of the plan -> config type. A new type goes to the end, so that the others keep their seeds."""


@dataclass(frozen=True)
class SamplingPlan:
    """Every count, range and seed of the first training set; the defaults are the demo's 176 frames.

    The fields of type `Draw` are the config types, in the order in which the master seed gives each its
    own: a changed count changes no other type.

    :param seed: master seed.
    :param li: ``Li``, bcc near its equilibrium.
    :param li_expanded: ``Li-expanded``, bcc up to V/V0 = 1.7, where metal comes apart: gives the model its
        tension.
    :param li_slab: ``Li-slab``, (100) slabs with a vacuum.
    :param li_slab_layers: layers of a slab.
    :param li_slab_vacuum_ang: range of the vacuum in Å.
    :param li6ps5cl: ``Li6PS5Cl``, the 26-atom half cell, disorder drawn per frame.
    :param interface: ``interface``, the 58-atom training cell, disorder drawn per frame.
    :param interface_expanded: ``interface-expanded``, the same, isotropic strain up to 11 % (V/V0 1.37).
    :param li2s: ``Li2S``.
    :param li3p: ``Li3P``.
    :param licl: ``LiCl``.
    """

    seed: int = 0
    li: Draw = field(default_factory=lambda: Draw(16, (0.85, 1.15), repeat=(3, 3, 3)))
    li_expanded: Draw = field(default_factory=lambda: Draw(24, (1.15, 1.70), repeat=(3, 3, 3)))
    li_slab: Draw = field(default_factory=lambda: Draw(12, (0.95, 1.10)))
    li_slab_layers: int = 8
    li_slab_vacuum_ang: tuple[float, float] = (2.0, 8.0)
    li6ps5cl: Draw = field(default_factory=lambda: Draw(24, (0.94, 1.12), rattle_ang=(0.02, 0.10)))
    interface: Draw = field(default_factory=lambda: Draw(40, (0.94, 1.10), rattle_ang=(0.02, 0.08)))
    interface_expanded: Draw = field(default_factory=lambda: Draw(12, (1.00, 1.11**3), rattle_ang=(0.02, 0.10)))
    li2s: Draw = field(default_factory=lambda: Draw(16, (0.92, 1.15), rattle_ang=(0.03, 0.15), repeat=(2, 2, 1)))
    li3p: Draw = field(default_factory=lambda: Draw(16, (0.92, 1.15), rattle_ang=(0.03, 0.15), repeat=(2, 2, 1)))
    licl: Draw = field(default_factory=lambda: Draw(16, (0.92, 1.15), rattle_ang=(0.03, 0.15), repeat=(2, 2, 1)))

    def __post_init__(self) -> None:
        object.__setattr__(self, "li_slab_vacuum_ang", tuple(self.li_slab_vacuum_ang))
        if not 0 < self.li_slab_vacuum_ang[0] <= self.li_slab_vacuum_ang[1]:
            raise ValueError(f"li_slab_vacuum_ang must be a positive range (low, high), not {self.li_slab_vacuum_ang}")

    @property
    def draws(self) -> dict[str, Draw]:
        """Config type -> draw, in the order of the seeds."""
        return {config_type: getattr(self, name) for name, config_type in CONFIG_TYPES.items()}

    @property
    def n_frames(self) -> int:
        """Number of frames of the whole plan."""
        return sum(draw.count for draw in self.draws.values())

    def scaled(self, factor: float, *, minimum: int = 3) -> SamplingPlan:
        """Return the plan with every count multiplied, each at least `minimum` where it was not 0.

        Three is the least that training, validation and test need of each config type.
        """
        changed = {
            name: replace(draw, count=max(minimum, round(factor * draw.count)))
            for name in CONFIG_TYPES
            if (draw := getattr(self, name)).count
        }
        return replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as nested dictionaries of numbers and lists."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SamplingPlan:
        """Return the plan of nested dictionaries; what is not named keeps its default, also inside a draw.

        :raises ValueError: an unknown key, or a value the plan refuses.
        """
        default = cls()
        known = {item.name for item in fields(cls)}
        changed: dict[str, Any] = {}
        for key, value in content.items():
            if key not in known:
                raise ValueError(f"a sampling plan has no '{key}': it has {', '.join(sorted(known))}")
            if key in CONFIG_TYPES and isinstance(value, Mapping):
                inner = set(value) - {item.name for item in fields(Draw)}
                if inner:
                    raise ValueError(f"'{key}' of a sampling plan has no '{min(inner)}'")
                changed[key] = replace(getattr(default, key), **value)
            else:
                changed[key] = value
        return replace(default, **changed)


def sample_frames(plan: SamplingPlan, *, cells: Mapping[str, Atoms] | None = None) -> list[Atoms]:
    """Return the frames of a plan, type after type; each periodic, with config_type, group, parent_id in
    its info.

    Every frame is drawn independently and so is a group of its own, ``<config type>-s<seed>-<number>``.

    :param plan: counts, ranges and the master seed.
    :param cells: config type -> cell to strain and rattle instead of the ideal one (a relaxed cell, say);
        its disorder is then the same in all frames of the type.
    :raises ValueError: a cell for an unknown config type, or a plan so rough that two atoms come closer
        than 0.5 Å.
    """
    cells = cells or {}
    unknown = sorted(set(cells) - set(plan.draws))
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no config type: known are {', '.join(plan.draws)}")
    frames = []
    type_seeds = np.random.SeedSequence(plan.seed).spawn(len(plan.draws))
    for (config_type, draw), type_seed in zip(plan.draws.items(), type_seeds, strict=True):
        ideal = _ideal_cell(plan, config_type)
        for index, frame_seed in enumerate(type_seed.spawn(draw.count)):
            rng = np.random.Generator(np.random.PCG64(frame_seed))
            start = cells[config_type] if config_type in cells else ideal(rng)
            atoms = distorted(start, draw, index, rng)
            distance, pair = smallest_distance(atoms.positions, np.asarray(atoms.cell), True)
            if distance < MIN_DISTANCE_ANG:
                raise ValueError(
                    f"Frame {index} of type '{config_type}' has atoms {pair[0]} and {pair[1]} "
                    f"{distance:.2f} Å apart: lower rattle_ang or raise volume_ratio of this type "
                    "in the sampling plan."
                )
            group = f"{config_type}-s{plan.seed}-{index:04d}"
            atoms.info.update(config_type=config_type, group=group, parent_id="")
            frames.append(atoms)
    return frames


def _ideal_cell(plan: SamplingPlan, config_type: str) -> Callable[[np.random.Generator], Atoms]:
    """Return the function that gives the undistorted cell of a config type; only disorder and vacuum
    draw."""
    if config_type.startswith("interface"):
        return lambda rng: training_cell(int(rng.integers(2**31)))
    if config_type == "Li-slab":
        low, high = plan.li_slab_vacuum_ang
        return lambda rng: li_slab(plan.li_slab_layers, vacuum_ang=float(rng.uniform(low, high)))
    repeat = plan.draws[config_type].repeat
    if config_type == "Li6PS5Cl":
        return lambda rng: argyrodite(seed=int(rng.integers(2**31)), repeat=repeat, half_cell=True)
    return lambda rng: crystal(config_type.removesuffix("-expanded")).repeat(repeat)

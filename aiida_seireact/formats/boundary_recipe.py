"""The recipe of a grain boundary: two slabs of one phase, turned against each other; a periodic cell has two."""

from __future__ import annotations

import numpy as np

from aiida_seireact.formats.recipe import BoundaryFacts, PhaseRecipe, Recipe, SlabRecipe
from aiida_seireact.science.structures.boundaries import Boundary, Grain, registry
from aiida_seireact.science.structures.cut import terminations
from aiida_seireact.science.structures.orient import oriented_unit
from aiida_seireact.science.structures.resolve import matrix_of
from aiida_seireact.science.structures.seams import shortest_distances, smallest_gap

CLOSEST = 0.9
"""Of the shortest distance of two elements in the crystal: as near as atoms may come across a boundary."""


def boundary_recipe(
    phase: PhaseRecipe,
    found: Boundary,
    *,
    name: str,
    layers: int | None = None,
    thickness_ang: float | None = None,
    repeat: tuple[int, int] = (1, 1),
    gap_ang: float | None = None,
    closest: float = CLOSEST,
    shift: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
) -> Recipe:
    """Return the recipe of a cell with two grains and, since it is periodic, two boundaries.

    :param name: of the phase in the recipe.
    :param layers: of each grain, taken as they are; where they are no whole periods of the crystal along the normal,
        the upper boundary of the cell may be displaced against the one between the slabs.
    :param thickness_ang: instead: of each grain, met by the nearest whole periods, at least one.
    :param repeat: of the smallest common cell.
    :param gap_ang: between the outermost atoms of the grains; None: the smallest at which no two atoms across a
        boundary are nearer than `closest` of the shortest distance of their elements in the crystal.
    :param shift: displacement of the upper grain in plane, in fractions of the smallest common cell.
    :returns: with ``boundary``, which tells which one it is.
    :raises ValueError: in a sentence, what is missing or can't be.
    """
    if (layers is None) == (thickness_ang is None):
        raise ValueError("a grain is as thick as layers or thickness_ang tell: give one of them")
    if not 0 < closest <= 1.5:
        raise ValueError(f"closest is a fraction of distances in the crystal, such as {CLOSEST:g}, not {closest:g}")
    crystal = phase.structure()
    slabs = []
    for grain, moved in ((found.lower, (0.0, 0.0)), (found.upper, shift)):
        unit = oriented_unit(crystal, grain.hkl)
        rows = [[n * x for x in row] for n, row in zip(repeat, grain.in_plane, strict=True)]
        cut = terminations(unit)[0].cut
        own = registry(unit, cut, matrix_of(unit, rows))
        slabs.append(
            SlabRecipe.model_validate(
                {
                    "phase": name,
                    "hkl": grain.hkl,
                    "in_plane": rows,
                    "layers": layers or _whole_periods(grain, thickness_ang or 0.0),
                    "cut": cut,
                    "shift": [
                        round((x + y / n) % 1.0, 10) for x, y, n in zip(own, moved, repeat, strict=True)
                    ],
                }
            )
        )  # fmt: skip
    facts = BoundaryFacts(
        axis=found.axis,
        sigma=found.sigma,
        angle_deg=round(found.angle_deg, 6),
        kind=found.kind,
        plane=found.lower.hkl,
        # Rounded as the angle: noise of the last bit would make another recipe of the same boundary on another machine.
        strain=round(found.strain, 9),
        closest=closest if gap_ang is None else None,
    )
    recipe = Recipe(phases={name: phase}, slabs=tuple(slabs), boundary=facts, seed=seed, config_type="grain_boundary")
    if gap_ang is not None:
        return Recipe.model_validate({**recipe.model_dump(), "gaps_ang": gap_ang})
    limits = closest * shortest_distances(crystal, phase.min_distance_ang)
    lower, upper = recipe.plan().slabs
    gaps = (smallest_gap(lower, upper, limits), smallest_gap(upper, lower, limits))
    return recipe.model_copy(update={"gaps_ang": tuple(round(gap, 3) for gap in gaps)})


def _whole_periods(grain: Grain, thickness_ang: float) -> int:
    """Return the layers of the nearest whole periods.

    :raises ValueError: no period, or a thickness that is none.
    """
    if not thickness_ang > 0:
        raise ValueError(f"thickness_ang is a thickness above 0 Å, such as 30, not {thickness_ang:g}")
    if grain.period is None:
        plane = " ".join(map(str, grain.hkl))
        raise ValueError(
            f"the crystal never stands straight above itself along the normal of ({plane}), so the two boundaries of "
            "the cell differ: tell the thickness by layers"
        )
    return grain.period * max(1, int(np.rint(thickness_ang / (grain.period * grain.layer_ang))))

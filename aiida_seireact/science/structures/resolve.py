"""From what is asked of a stack to whole supercells and whole layers, with what could not be met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Any, Literal

import numpy as np

from aiida_seireact.science.structures import fitting, matching
from aiida_seireact.science.structures.orient import Unit
from aiida_seireact.science.structures.plan import MEAN
from aiida_seireact.science.structures.slab import standard

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Asked:
    """What is asked of one slab; None is open. See `formats.recipe.SlabRecipe`."""

    name: str
    unit: Unit
    matrix: Rows | None = None
    in_plane: Sequence[Sequence[float]] | None = None
    layers: int | None = None
    cells: float | None = None
    thickness_ang: float | None = None
    keep_volume: bool = True


@dataclass(frozen=True)
class MatchRule:
    """Limits of a match and the rule that chooses one, see `formats.recipe.MatchRecipe`."""

    max_strain: float = 0.05
    max_area_ang2: float = 400.0
    choose: Literal["area", "strain"] | int = "area"
    repeat: tuple[int, int] = (1, 1)
    twist_gain: float = fitting.TWIST_GAIN
    max_row_angle_deg: float | None = None


@dataclass(frozen=True)
class Goal:
    """Metal atoms a formula unit, and how many atoms in all, see `formats.recipe.TargetRecipe`."""

    metal: str
    electrolyte: str
    metal_per_formula_unit: float
    n_atoms: int | None = None


def matrix_of(unit: Unit, in_plane: Sequence[Sequence[float]]) -> list[list[int]]:
    """Return in-plane vectors, told in the conventional cell, in the smallest vectors of the plane.

    :raises ValueError: a vector that does not lie in the plane, or is none of the lattice; with the shortest that is.
    """
    basis = np.array([[float(x) for x in row] for row in unit.basis])
    found = np.asarray(in_plane, dtype=np.float64) @ np.linalg.inv(basis)
    rows = []
    for told, row in zip(in_plane, found, strict=True):
        name = "[" + " ".join(f"{x:g}" for x in told) + "]"
        if abs(row[2]) > 1e-6:
            raise ValueError(f"{name} does not lie in the plane ({' '.join(map(str, unit.hkl))})")
        whole = np.round(row[:2])
        if np.abs(row[:2] - whole).max() > 1e-6:
            times = next((n for n in range(2, 49) if np.abs(n * row[:2] - np.round(n * row[:2])).max() < 1e-6), None)
            hint = f": {times} times it is" if times else ""
            raise ValueError(f"{name} is not a lattice vector{hint}")
        rows.append([int(x) for x in whole])
    if rows[0][0] * rows[1][1] < rows[0][1] * rows[1][0]:
        # The opposite of a vector spans the same lattice.
        rows[1] = [-x for x in rows[1]]
    return rows


def formula_units(unit: Unit) -> float:
    """Return the formula units in one unit, by the largest common divisor of its composition."""
    counts = [round(n * 48) for n in unit.composition.values()]
    return reduce(gcd, counts) / 48


def resolve(
    asked: Sequence[Asked], rule: MatchRule, goal: Goal | None = None, lattice_of: str = MEAN
) -> tuple[list[tuple[list[list[int]], int]], dict[str, Any]]:
    """Find supercell and layers of each slab.

    :returns: for each slab its matrix and number of layers; and facts for the report: ``match``, ``targets``, and
        ``orientations`` of the slabs against the one that rules (`fitting.orientation`).
    :raises ValueError: in a sentence, what can't be and the nearest that can.
    """
    matrices, matched = _matrices(asked, rule, lattice_of)
    layers, targets = _layers(asked, matrices, goal, lattice_of)
    first = _reference(asked, [_told(slab) for slab in asked], lattice_of)
    turned = [
        {"phase": slab.name, **fitting.orientation(matrices[first], matrix, asked[first].unit, slab.unit)}
        for slab, matrix in zip(asked, matrices, strict=True)
    ]
    facts: dict[str, Any] = {"targets": targets, "orientations": turned}
    if matched:
        facts["match"] = matched.as_dict()
    return list(zip(matrices, layers, strict=True)), facts


# ------------------------------------------------------------------------------------ in plane
def _matrices(
    asked: Sequence[Asked], rule: MatchRule, lattice_of: str
) -> tuple[list[list[list[int]]], matching.Match | None]:
    """Return the supercell of each slab: as told, else matched to one that is told, else matched to each other."""
    found: list[list[list[int]] | None] = [_told(slab) for slab in asked]
    first = _reference(asked, found, lattice_of)
    matched = None
    if found[first] is None:
        others = [i for i, slab in enumerate(asked) if found[i] is None and not _alike(slab, asked[first])]
        if others:
            matched = choose(asked[first].unit, asked[others[0]].unit, rule)
            found[first] = _repeated(matched.matrix_a, rule.repeat)
            found[others[0]] = _repeated(matched.matrix_b, rule.repeat)
        else:
            found[first] = _repeated(((1, 0), (0, 1)), rule.repeat)
    reference = found[first]
    assert reference is not None
    for index, slab in enumerate(asked):
        if found[index] is None:
            twin = next((i for i, other in enumerate(asked) if found[i] is not None and _alike(slab, other)), None)
            if twin is None:
                fitted = fitting.fit(
                    reference,
                    asked[first].unit,
                    slab.unit,
                    max_strain=rule.max_strain,
                    twist_gain=rule.twist_gain,
                    max_row_angle_deg=rule.max_row_angle_deg,
                )
                if fitted.matrix_a != tuple(tuple(row) for row in reference):
                    raise RuntimeError("the given supercell was changed")
                found[index] = [list(row) for row in fitted.matrix_b]
                matched = matched or fitted
            else:
                found[index] = found[twin]
    return [matrix for matrix in found if matrix is not None], matched


def _told(slab: Asked) -> list[list[int]] | None:
    if slab.in_plane is not None:
        return matrix_of(slab.unit, slab.in_plane)
    return None if slab.matrix is None else [list(row) for row in slab.matrix]


def _reference(asked: Sequence[Asked], found: Sequence[Any], lattice_of: str) -> int:
    """Return the slab that the others are matched to: one whose supercell is told, of the ruling phase if it can be."""
    order = sorted(range(len(asked)), key=lambda i: (found[i] is None, asked[i].name != lattice_of, i))
    return order[0]


def _alike(first: Asked, second: Asked) -> bool:
    return first.name == second.name and first.unit.basis == second.unit.basis


def _repeated(matrix: Rows, repeat: tuple[int, int]) -> list[list[int]]:
    return [[n * x for x in row] for n, row in zip(repeat, matrix, strict=True)]


def choose(a: Unit, b: Unit, rule: MatchRule) -> matching.Match:
    """Return the match that a rule names.

    :raises ValueError: there is none, or not so many.
    """
    table = matching.match(
        a,
        b,
        max_strain=rule.max_strain,
        max_area_ang2=rule.max_area_ang2,
        max_row_angle_deg=rule.max_row_angle_deg,
    )
    if rule.choose == "area":
        return table[0]
    if rule.choose == "strain":
        return min(table, key=lambda item: (round(item.strain, 6), item.area_ang2))
    if rule.choose > len(table):
        raise ValueError(
            f"there are {len(table)} matches below {matching.percent(rule.max_strain)} and {rule.max_area_ang2:g} Å², "
            f"so none is number {rule.choose}: take one of 1 to {len(table)}"
        )
    return table[rule.choose - 1]


# ------------------------------------------------------------------------------------ along z
def _layers(
    asked: Sequence[Asked], matrices: Sequence[Rows], goal: Goal | None, lattice_of: str
) -> tuple[list[int], list[dict[str, Any]]]:
    """Return the number of layers of each slab, and what was wanted, found and missed."""
    spacings = _spacings(asked, matrices, lattice_of)
    layers: list[int | None] = []
    targets: list[dict[str, Any]] = []
    for slab, spacing in zip(asked, spacings, strict=True):
        count = slab.layers
        if slab.cells is not None:
            count = max(1, round(slab.cells * slab.unit.layers_per_cell))
            targets.append(_target(f"cells of {slab.name}", slab.cells, count / slab.unit.layers_per_cell))
        elif slab.thickness_ang is not None:
            count = max(1, round(slab.thickness_ang / spacing))
            targets.append(_target(f"thickness of {slab.name} (Å)", slab.thickness_ang, count * spacing))
        layers.append(count)
    if goal:
        _meet(goal, asked, matrices, layers)
    for slab, count in zip(asked, layers, strict=True):
        if count is None:
            raise ValueError(
                f"nothing tells how thick the slab of {slab.name} is: give it layers, cells or thickness_ang, or the "
                "stack a target"
            )
    whole = [count for count in layers if count is not None]
    if goal:
        targets += _missed(goal, asked, matrices, whole)
    return whole, targets


def _spacings(asked: Sequence[Asked], matrices: Sequence[Rows], lattice_of: str) -> list[float]:
    """Return the layer spacing of each slab in the stack, Å."""
    cells = [standard(np.array(matrix) @ slab.unit.in_plane) for slab, matrix in zip(asked, matrices, strict=True)]
    plane = np.mean([c for c, s in zip(cells, asked, strict=True) if lattice_of in (MEAN, s.name)] or cells, axis=0)
    area = float(plane[0, 0] * plane[1, 1])
    return [
        slab.unit.spacing * (float(cell[0, 0] * cell[1, 1]) / area if slab.keep_volume else 1.0)
        for slab, cell in zip(asked, cells, strict=True)
    ]


def _target(what: str, wanted: float, found: float) -> dict[str, Any]:
    return {
        "what": what,
        "wanted": round(float(wanted), 6),
        "found": round(float(found), 6),
        "residual": round(float(found / wanted - 1), 6) + 0.0,
    }


def _sums(goal: Goal, asked: Sequence[Asked], matrices: Sequence[Rows]) -> tuple[list[float], list[float], list[float]]:
    """Return for a layer of each slab: metal atoms, formula units of the electrolyte, atoms."""
    metal, units, atoms = [], [], []
    for slab, matrix in zip(asked, matrices, strict=True):
        cells = abs(round(float(np.linalg.det(np.array(matrix, dtype=np.float64)))))
        n = cells * sum(slab.unit.composition.values())
        metal.append(n if slab.name == goal.metal else 0.0)
        units.append(cells * formula_units(slab.unit) if slab.name == goal.electrolyte else 0.0)
        atoms.append(n)
    return metal, units, atoms


def _meet(goal: Goal, asked: Sequence[Asked], matrices: Sequence[Rows], layers: list[int | None]) -> None:
    """Set the open layers of metal and electrolyte so that the goal is met as nearly as whole layers can."""
    names = [slab.name for slab in asked]
    for name in (goal.metal, goal.electrolyte):
        if name not in names:
            raise ValueError(f"the target names {name!r}, which is not in the stack: it has {', '.join(names)}")
    open_metal, open_units = (
        [i for i, name in enumerate(names) if name == phase and layers[i] is None]
        for phase in (goal.metal, goal.electrolyte)
    )
    if any(layers[i] is None for i, name in enumerate(names) if name not in (goal.metal, goal.electrolyte)):
        return
    if open_metal and open_units and goal.n_atoms is None:
        raise ValueError(
            f"a ratio alone does not tell how thick {goal.metal} and {goal.electrolyte} are: give one of them layers, "
            "cells or thickness_ang, or the target n_atoms"
        )
    if not open_metal and not open_units:
        return
    metal, units, atoms = _sums(goal, asked, matrices)

    def total(per_layer: Sequence[float], counts: Sequence[int | None]) -> float:
        return sum(n * (count or 0) for n, count in zip(per_layer, counts, strict=True))

    def score(counts: Sequence[int | None]) -> float:
        miss = abs(total(metal, counts) / max(total(units, counts), 1e-9) / goal.metal_per_formula_unit - 1)
        # The number of atoms is a wish only where it decides: else the ratio has all the say.
        return miss + (
            abs(total(atoms, counts) / goal.n_atoms - 1) if goal.n_atoms and open_metal and open_units else 0
        )

    def filled(n_units: int | None, n_metal: int | None) -> list[int | None]:
        counts = list(layers)
        for i in open_units:
            counts[i] = n_units
        for i in open_metal:
            counts[i] = n_metal
        return counts

    def metal_for(n_units: int | None) -> list[int]:
        counts = filled(n_units, 0)
        wanted = goal.metal_per_formula_unit * total(units, counts) - total(metal, counts)
        near = wanted / sum(metal[i] for i in open_metal)
        return sorted({max(1, int(np.floor(near))), max(1, int(np.ceil(near)))})

    if open_units and open_metal:
        assert goal.n_atoms is not None
        most = max(1, int(goal.n_atoms / sum(atoms[i] for i in open_units)) + 1)
        options = [filled(n, m) for n in range(1, most + 1) for m in metal_for(n)]
    elif open_metal:
        options = [filled(None, m) for m in metal_for(None)]
    else:
        near = (total(metal, layers) / goal.metal_per_formula_unit - total(units, filled(0, 0))) / sum(
            units[i] for i in open_units
        )
        options = [filled(max(1, n), None) for n in (int(np.floor(near)), int(np.ceil(near)))]
    ranked = sorted((round(score(counts), 9), [count or 0 for count in counts]) for counts in options)
    layers[:] = ranked[0][1]


def _missed(
    goal: Goal, asked: Sequence[Asked], matrices: Sequence[Rows], layers: Sequence[int]
) -> list[dict[str, Any]]:
    metal, units, atoms = _sums(goal, asked, matrices)
    n_metal, n_units, n_atoms = (
        sum(n * count for n, count in zip(per_layer, layers, strict=True)) for per_layer in (metal, units, atoms)
    )
    if not n_metal or not n_units:
        raise ValueError(
            f"the target is {goal.metal} atoms a formula unit of {goal.electrolyte}, and the stack holds "
            f"{n_metal:g} and {n_units:g} of them"
        )
    found = [
        _target(f"{goal.metal} a formula unit of {goal.electrolyte}", goal.metal_per_formula_unit, n_metal / n_units)
    ]
    if goal.n_atoms is not None:
        # Thirds of a CIF are rounded, atoms are not.
        found.append(_target("atoms", goal.n_atoms, round(n_atoms)))
    return found
